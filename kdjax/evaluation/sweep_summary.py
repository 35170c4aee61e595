"""A sweep in one sentence: its best setting against the baseline, with the interval."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdjax.runs import workdir


def sentence(settings: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> str:
    """The best setting's test accuracy and its difference from the baseline, with its interval.

    Args:
        settings: the sweep's settings, as `sweep.json` holds them.
        result: the run's result.

    Returns:
        The sentence; "" without a baseline, with a single seed, or where there are several settings
        and no validation accuracy to choose one by.
    """
    compared = [setting for setting in settings if setting["against_baseline"]]
    validated = all(setting["validation"] for setting in compared)
    if not compared or (len(compared) > 1 and not validated):
        return ""
    best = compared[0]
    if len(compared) > 1:
        best = max(compared, key=lambda setting: np.mean(setting["validation"]))
    details = [f"{key}={value:g}" for key, value in best["axes"].items()]
    if len(compared) > 1:
        details.append(f"best of {len(compared)} on validation")
    name = best["network"] + (f" ({', '.join(details)})" if details else "")
    return (
        f"Trained on {result['data']['examples']['train']:,} images{_teachers(result)}, the "
        f"{name} reaches {best['mean']:.2f} % test accuracy"
        f"{_comparison(best['against_baseline'], len(best['seeds']))}"
    )


def _teachers(result: Mapping[str, Any]) -> str:
    """The networks of other runs, with the number of images that each was trained on."""
    parts = []
    for name, origin in result["restored"].items():
        other = workdir.load_result(Path(origin["workdir"]).expanduser())
        # The other run's folder may have been moved since.
        if other:
            parts.append(f"the {name}: on {other['data']['examples']['train']:,}")
    return f" ({', '.join(parts)})" if parts else ""


def _comparison(difference: Mapping[str, Any], seeds: int) -> str:
    """The end of the sentence: more, less, or a difference that the seeds cannot tell from 0."""
    # 0.0 is added, because a mean of -0.001 would be printed as -0.00.
    mean = round(difference["mean"], 2) + 0.0
    if difference["interval"] is None:
        return (
            f"; the difference from the baseline, which learns alone, is {mean:+.2f} points for "
            f"each of {seeds} seeds, so that its interval is unknown."
        )
    low, high = difference["interval"]
    if low <= 0.0 <= high:
        return (
            f"; {seeds} seeds cannot tell whether that is more or less than the baseline, which "
            f"learns alone: {mean:+.2f} points [{low:+.2f}, {high:+.2f}]."
        )
    word, near, far = ("more", low, high) if mean > 0 else ("less", -high, -low)
    return (
        f", {abs(mean):.2f} points [{near:.2f}, {far:.2f}] {word} than the baseline, which "
        f"learns alone (95 % interval over {seeds} seeds, on the same images)."
    )
