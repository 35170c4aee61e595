"""The same work in kdjax and in plain PyTorch, side by side.

    python -m experiments.benchmarks.against_torch --cases=soft,large,mutual,grid,inference

soft: a step of soft targets, ResNet-18 (stem for small images) teaching six convolutions, batch
128. large: ResNet-50 teaching ResNet-18. mutual: epochs of two MNIST peers, batch 128, with input.
grid: eight members of a sweep over alpha and temperature with one teacher, against eight PyTorch
steps of `soft`. inference: predictions of teacher and student. parts: the teacher's forward pass
and the student's step, alone, which say what sharing allows.

Images are noise. Everything takes turns in every round, and ratios are taken within a round.
PyTorch runs eager and, with a C++ compiler, compiled; the faster one counts.
"""

import statistics
from typing import Any

import numpy as np
from absl import flags

from experiments import records
from experiments.benchmarks import ours, turns
from experiments.benchmarks.turns import Steps
from kdjax.config.grid import make as make_grid
from kdjax.system import cli, progress

CASES = ("soft", "large", "mutual", "grid", "inference", "parts")


def define() -> None:
    """The command's flags."""
    turns.define(CASES)
    flags.DEFINE_bool("compiled", True, "Try torch.compile too.")
    what = "The device's peak in the precision used, to print each step's share of it."
    flags.DEFINE_float("peak_tflops", 0.0, what, lower_bound=0.0)
    records.define("against-torch-cpu")


def main() -> None:
    """Measures, prints and records."""
    import torch

    from kdjax.system import runtime

    runtime.prepare()
    values = flags.FLAGS
    results = {}
    for case in turns.cases(CASES):
        for name, row in measure(case).items():
            results[f"{case} {name}"] = row
    record = {
        "results": results,
        "batch": ours.BATCH,
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
    }
    records.write("experiments.benchmarks.against_torch", values.name, record)
    columns = ["work", "kdjax, ms", "PyTorch, ms", "kind", "times as fast", "in single rounds"]
    progress.table(
        f"{values.name}: kdjax and PyTorch {torch.__version__}",
        columns + ["of the peak"] * bool(values.peak_tflops),
        [[name, *cells(row)] for name, row in results.items()],
        f"Medians over {values.rounds} rounds.",
    )


def cells(row: dict[str, Any]) -> list[str]:
    """The cells of a table for one piece of work."""
    texts = [f"{1e3 * row['kdjax']:.1f}", "", "", "", ""]
    if row["torch"]:
        low, high = row["range"]
        ratio = [f"{row['ratio']:.2f}", f"{low:.2f} to {high:.2f}"]
        texts[1:] = [f"{1e3 * row['torch']:.1f}", row["kind"], *ratio]
    return texts + ([f"{row['of_peak']:.1%}"] if "of_peak" in row else [])


def measure(case: str) -> dict[str, dict[str, Any]]:
    """Medians for every piece of work of a case, and how many times as fast kdjax is.

    With `--peak_tflops` also a step's share of the arithmetic that the device could do in its time;
    0 where a step is several programs, whose arithmetic is not counted.
    """
    values = flags.FLAGS
    kdjax, torch = kdjax_sides(case), torch_sides(case, compiled=values.compiled)
    sides = {f"kdjax {name}": work.steps for name, work in kdjax.items()}
    sides |= {f"{kind} {name}": steps for (kind, name), steps in torch.items()}
    seconds = turns.measure(case, sides, rounds=values.rounds, seconds=values.seconds)
    # A grid's step trains eight members, PyTorch's step one.
    members = 8 if case == "grid" else 1
    rows = {}
    for name, work in kdjax.items():
        own = seconds[f"kdjax {name}"]
        by_kind = {kind: seconds[f"{kind} {other}"] for kind, other in torch if other == name}
        kind = min(by_kind, key=lambda kind: statistics.median(by_kind[kind]), default="")
        times = [members * taken for taken in by_kind.get(kind, [])]
        compared = turns.against(times, own) if kind else {}
        rows[name] = {
            "kdjax": statistics.median(own),
            "torch": compared.get("seconds"),
            "kind": kind,
            "ratio": compared.get("ratio"),
            "range": compared.get("range", []),
            "seconds": {"kdjax": own, **by_kind},
            "flops": work.flops,
        }
        if values.peak_tflops:
            rows[name]["of_peak"] = work.flops / rows[name]["kdjax"] / (1e12 * values.peak_tflops)
    return rows


SOFT = (ours.TEACHER, ours.STUDENT)
MODELS = {
    "soft": SOFT,
    "large": ("resnet.resnet50_cifar", "resnet.resnet18_cifar"),
    "grid": SOFT,
    "parts": SOFT,
    "inference": SOFT,
}


def kdjax_sides(case: str) -> dict[str, ours.Work]:
    """Every piece of work of a case in kdjax, by name."""
    from configs import dml

    if case == "mutual":
        config = dml.get_config("mnist,baseline=0")
        config.ramp_begin = config.ramp_finish = 0.0
        return {case: ours.training(config, epochs=True)}
    teacher, student = MODELS[case]
    if case == "inference":
        return {model: ours.predicting(model) for model in (teacher, student)}
    if case == "parts":
        return {
            "student": ours.training(ours.alone(student)),
            "teacher": ours.predicting(teacher),
        }
    config = ours.taught(teacher, student)
    if case == "grid":
        config = make_grid(config, ours.AXES, 1)
    return {case: ours.training(config)}


def torch_sides(case: str, *, compiled: bool) -> dict[tuple[str, str], Steps]:
    """The same work in PyTorch, by its kind (eager or compiled) and name; none for `parts`."""
    from experiments.benchmarks import noise, torch_steps
    from kdjax.data.types import Request

    sides: dict[tuple[str, str], Steps] = {}
    for kind in ("eager", "compiled") if compiled else ("eager",):
        setting = torch_steps.Setting(compiled=kind == "compiled")
        if case == "mutual":
            split = noise.read(Request("", "", 28, 1, False)).splits["train"]
            images = np.ascontiguousarray(split.image.read()[..., 0])
            sides[kind, case] = torch_steps.mutual(
                setting, "mnist.student", ours.BATCH, images, split.label
            )
        elif case == "inference":
            for model in MODELS[case]:
                sides[kind, model] = torch_steps.inference(setting, model, ours.BATCH)
        elif case != "parts":
            sides[kind, case] = torch_steps.soft_targets(
                setting, *MODELS[case], ours.BATCH, alpha=ours.ALPHA, temperature=ours.TEMPERATURE
            )
    return sides


if __name__ == "__main__":
    cli.launch(main, define)
