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
    given = flags.FLAGS
    found = {}
    for case in turns.cases(CASES):
        work = kdjax_sides(case)
        sides = {name: one.steps for name, one in work.items()}
        seconds = turns.take(case, sides | torch_sides(case, compiled=given.compiled))
        for name, each in summarise(case, seconds).items():
            found[f"{case} {name}"] = each | share(work, name, each["kdjax"])
    record = {
        "results": found,
        "batch": ours.BATCH,
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
        **runtime.environment(),
    }
    records.write("experiments.benchmarks.against_torch", given.name, record)
    progress.table(
        f"{given.name}: kdjax and PyTorch {torch.__version__}",
        [
            *("work", "kdjax, ms", "PyTorch, ms", "kind", "times as fast", "in single rounds"),
            *(["of the peak"] if given.peak_tflops else []),
        ],
        [
            [
                name,
                f"{1e3 * one['kdjax']:.1f}",
                f"{1e3 * one['torch']:.1f}" if one["torch"] else "",
                one["kind"],
                f"{one['ratio']:.2f}" if one["torch"] else "",
                " to ".join(f"{end:.2f}" for end in one["range"]) if one["torch"] else "",
                *([f"{one['of_peak']:.1%}"] if given.peak_tflops else []),
            ]
            for name, one in found.items()
        ],
        f"Medians over {given.rounds} rounds.",
    )


def summarise(case: str, seconds: dict[str, list[float]]) -> dict[str, dict[str, Any]]:
    """For every piece of work medians, and how many times as fast kdjax is, within a round."""
    found = {}
    for name in sorted(name for name in seconds if name.startswith("kdjax")):
        work = name.removeprefix("kdjax").strip() or case
        theirs = {
            kind: seconds[f"{kind} {work}".removesuffix(f" {case}")]
            for kind in ("eager", "compiled")
            if f"{kind} {work}".removesuffix(f" {case}") in seconds
        }
        kind = min(theirs, key=lambda kind: statistics.median(theirs[kind]), default="")
        # A grid's step trains eight members, PyTorch's one.
        times = 8 if case == "grid" else 1
        ratios = [times * t / k for t, k in zip(theirs.get(kind, []), seconds[name], strict=False)]
        found[work] = {
            "kdjax": statistics.median(seconds[name]),
            "torch": times * statistics.median(theirs[kind]) if kind else None,
            "kind": kind,
            "ratio": statistics.median(ratios) if ratios else None,
            "range": [min(ratios), max(ratios)] if ratios else [],
            "seconds": {key: value for key, value in seconds.items() if work in key or key == name},
        }
    return found


def share(work: dict[str, ours.Work], name: str, seconds: float) -> dict[str, float]:
    """Arithmetic of a step, and its share of what the device could do in that time.

    0 where a step is several programs, whose arithmetic is not counted.
    """
    flops = (work.get(f"kdjax {name}") or work["kdjax"]).flops
    peak = 1e12 * flags.FLAGS.peak_tflops
    return {"flops": flops} | ({"of_peak": flops / seconds / peak} if peak else {})


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
    from kdjax import sweep

    if case == "mutual":
        config = dml.get_config("mnist,baseline=0")
        config.ramp_begin = config.ramp_finish = 0.0
        return {"kdjax": ours.training(config, epochs=True)}
    teacher, student = MODELS[case]
    if case == "inference":
        return {f"kdjax {model}": ours.predicting(model) for model in (teacher, student)}
    if case == "parts":
        step = ours.training(ours.alone(student))
        return {"kdjax student": step, "kdjax teacher": ours.predicting(teacher)}
    config = ours.taught(teacher, student)
    if case == "grid":
        config = sweep.grid(config, ours.AXES, 1)
    return {"kdjax": ours.training(config)}


def torch_sides(case: str, *, compiled: bool) -> dict[str, Steps]:
    """The same work in PyTorch, eager and, if asked for, compiled."""
    from experiments.benchmarks import noise, torch_steps
    from kdjax.data.types import Request

    found: dict[str, Steps] = {}
    for kind in ("eager", "compiled") if compiled else ("eager",):
        setting = torch_steps.Setting(compiled=kind == "compiled")
        if case == "mutual":
            split = noise.read(Request("", "", 28, 1, False)).parts["train"]
            images = np.ascontiguousarray(split.image.read()[..., 0])
            found[kind] = torch_steps.mutual(
                setting, "mnist.student", ours.BATCH, images, split.label
            )
        elif case == "inference":
            for model in MODELS[case]:
                found[f"{kind} {model}"] = torch_steps.inference(setting, model, ours.BATCH)
        elif case != "parts":
            found[kind] = torch_steps.soft_targets(
                setting, *MODELS[case], ours.BATCH, alpha=ours.ALPHA, temperature=ours.TEMPERATURE
            )
    return found


if __name__ == "__main__":
    cli.launch(main, define)
