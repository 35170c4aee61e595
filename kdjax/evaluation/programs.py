"""Programs of networks: compared with the networks that they come from, and timed."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from kdjax.data.store import Images
from kdjax.evaluation import cost, measures
from kdjax.interchange.serving import LOGITS, PROBABILITIES
from kdjax.system.errors import UserError
from kdjax.system.progress import Bar

TOLERANCE = 1e-4
"""The largest difference of an output of a float32 file, as a share of its largest value."""
_SECONDS = 0.6
"""The time that each program runs for its latency, and again for its throughput."""


class Program(NamedTuple):
    """A program that maps uint8 images `[b, h, w, c]` to outputs by name."""

    name: str
    run: Callable[[np.ndarray], Mapping[str, Any]]
    nbytes: int
    """Of its file, or of its variables."""
    reference: str = ""
    """The program ahead of it whose outputs these should be; empty where there is none."""
    is_exact: bool = False
    """Whether outputs that differ from the reference's are an error."""


class ImageSet(NamedTuple):
    """The images on which programs are compared, and those for calibration."""

    kind: str
    """In words."""
    image: Images
    label: np.ndarray | None
    """`[n]` or `[n, k]`; None for images of noise."""
    multi_label: bool
    calibration: np.ndarray
    """`[m, h, w, c]` uint8 training images."""

    @property
    def batch_size(self) -> int:
        """Images in a batch: fewer where they are large, since all activations are in memory."""
        _, height, width, _ = self.image.shape
        return 256 if height * width <= 64 * 64 else 32


def compare(programs: Sequence[Program], images: ImageSet) -> dict[str, dict[str, Any]]:
    """Every program's size, accuracy, and difference from its reference, by its name.

    Returns:
        `kilobytes`; `accuracy`, None where there are no labels or other classes;
        `largest_difference`, a share of the largest value of the same output; and
        `equal_predictions`, a share. The last two are None for a program without a reference.

    Raises:
        UserError: an exact program's outputs are not its reference's.
    """
    seen = {program.name: _Seen() for program in programs}
    logits: dict[str, list[np.ndarray]] = {program.name: [] for program in programs}
    count, size = len(images.image), images.batch_size
    with Bar("comparing", count) as bar:
        for begin in range(0, count, size):
            end = min(begin + size, count)
            image = images.image.read(np.arange(begin, end))
            outputs: dict[str, dict[str, np.ndarray]] = {}
            for program in programs:
                result = outputs[program.name] = _run(program, image, size)
                if LOGITS in result:
                    logits[program.name].append(result[LOGITS])
                if program.reference:
                    expected = outputs[program.reference]
                    seen[program.name].add(result, expected, images.multi_label)
            bar.to(end)
    for program in programs:
        if program.is_exact:
            _require_equal(program, seen[program.name])
    return {
        program.name: {
            "kilobytes": program.nbytes / 1e3,
            "accuracy": _accuracy(logits[program.name], images),
            "largest_difference": seen[program.name].finite_difference,
            "equal_predictions": seen[program.name].share,
        }
        for program in programs
    }


def times(programs: Sequence[Program], images: ImageSet) -> dict[str, dict[str, Any]]:
    """The programs' times, of `cost.timing`, from uint8 images in memory to outputs."""
    size = images.batch_size
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (size, *images.image.shape[1:]), dtype=np.uint8)

    def seconds(count: int) -> dict[str, list[float]]:
        calls = {p.name: functools.partial(p.run, image[:count]) for p in programs}
        return cost.in_turns(calls, seconds=_SECONDS)

    return cost.summaries(seconds(1), seconds(size), size)


class _Seen:
    """What comparing a program with its reference has seen so far."""

    def __init__(self) -> None:
        self.difference: dict[str, float] = {}
        self.largest: dict[str, float] = {}
        self.equal = self.unequal = self.unexplained = 0
        self.correct: list[np.ndarray] = []

    def add(
        self, outputs: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], several: bool
    ) -> None:
        """Compares a batch's outputs; predictions are those of the probabilities."""
        for name, value in expected.items():
            if name not in outputs:
                continue
            difference = float(np.max(np.abs(outputs[name] - value), initial=0.0))
            # NaN is a difference.
            difference = math.inf if math.isnan(difference) else difference
            self.difference[name] = max(self.difference.get(name, 0.0), difference)
            largest = float(np.max(np.abs(value), initial=0.0))
            self.largest[name] = max(self.largest.get(name, 0.0), largest)
        if PROBABILITIES not in outputs or PROBABILITIES not in expected:
            return
        differs = _decisions(outputs, several) != _decisions(expected, several)
        self.equal += int((~differs).sum())
        self.unequal += int(differs.sum())
        self.unexplained += int((differs & ~_is_tie(expected, several)).sum())

    @property
    def relative(self) -> float | None:
        """The largest difference of an output, as a share of its largest value."""
        shares = [
            difference / self.largest[name] if self.largest[name] else difference
            for name, difference in self.difference.items()
        ]
        return max(shares, default=None)

    @property
    def finite_difference(self) -> float | None:
        """`relative`, for a record: None where it is infinite."""
        return None if self.relative is None else measures.defined(self.relative)

    @property
    def share(self) -> float | None:
        """The share of equal predictions."""
        count = self.equal + self.unequal
        return self.equal / count if count else None


def _decisions(outputs: Mapping[str, np.ndarray], several: bool) -> np.ndarray:
    probabilities = outputs[PROBABILITIES]
    return probabilities > 0.5 if several else probabilities.argmax(axis=1)


def _is_tie(outputs: Mapping[str, np.ndarray], several: bool) -> np.ndarray:
    """Whether the two best answers are as near to each other as files may differ."""
    logits = outputs[LOGITS]
    tolerance = TOLERANCE * float(np.abs(logits).max())
    if several:
        return np.abs(logits) <= tolerance
    if logits.shape[1] == 1:
        # There is no other answer.
        return np.ones(len(logits), bool)
    first, second = np.sort(logits, axis=1)[:, :-3:-1].T
    return first - second <= tolerance


def _run(program: Program, image: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """Outputs on a batch. The last batch is padded, so that nothing is compiled for its size."""
    count = len(image)
    padded = np.concatenate([image, np.repeat(image[-1:], size - count, axis=0)])
    outputs = jax.device_get(dict(program.run(padded)))
    return {name: np.asarray(value)[:count] for name, value in outputs.items()}


def _require_equal(program: Program, seen: _Seen) -> None:
    relative = seen.relative
    if relative is None or relative > TOLERANCE or seen.unexplained:
        raise UserError(
            f"{program.name} does not compute what {program.reference} computes: outputs "
            f"differ by up to {math.nan if relative is None else relative:.1e} of their largest "
            f"value, and {seen.unequal:,} predictions differ. No file is written; please report it"
        )


def _accuracy(logits: Sequence[np.ndarray], images: ImageSet) -> float | None:
    if images.label is None or not logits:
        return None
    prediction = measures.prediction(np.concatenate(logits), multi_label=images.multi_label)
    return float((prediction.decisions == images.label).mean())
