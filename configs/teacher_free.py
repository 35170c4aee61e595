"""Distillation without a larger teacher: `self`, `virtual` or `smoothing`.

Yuan et al., Revisiting Knowledge Distillation via Label Smoothing Regularization,
arXiv:1909.11723. `self`: the teacher is the student's own architecture, trained before; `virtual`:
a teacher that is right with probability 0.99; `smoothing`: `(1 - alpha) CE + alpha KL(u || p)`.

    python -m kdjax.main --config=configs/teacher_free.py                   # digits, self
    python -m kdjax.main --config=configs/teacher_free.py:mnist,virtual=1 --config.alpha=0.1
    python -m kdjax.main --config=configs/teacher_free.py:mnist,smoothing=1 --config.alpha=0.1
"""

from ml_collections import ConfigDict

from configs import base, datasets, parts
from kdjax.system.errors import UserError


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set; `virtual=1` or `smoothing=1`; `baseline=0` leaves the baseline
    out."""
    config, options = base.start(
        "teacher_free", argument, virtual=False, smoothing=False, baseline=True
    )
    if options["virtual"] and options["smoothing"]:
        raise UserError("virtual=1 and smoothing=1 are two methods; choose one")
    kind = "virtual" if options["virtual"] else "smoothing" if options["smoothing"] else "self"
    config.method = f"teacher_free_{kind}"
    student = datasets.settings(config.data.name)["student"]
    config.networks.student = parts.network(model=student)
    if kind == "self":
        config.networks.teacher = parts.network(model=student)
        parts.add_hard_stage(config, "teacher")
        terms = parts.hard_and_soft(config, student="student", teacher="teacher")
    else:
        terms = {"ce": parts.ce(config, network="student", weight="1 - alpha")}
    if kind == "virtual":
        config.temperature = 20.0
        terms["virtual"] = parts.term(
            "virtual",
            network="student",
            correct=0.99,
            temper_student=True,
            scale_by_t2=True,
            temperature="temperature",
            weight="alpha",
        )
    if kind == "smoothing":
        terms["uniform"] = parts.term("uniform", network="student", weight="alpha")
    parts.add_student(config, terms, baseline=options["baseline"])
    return config.lock()
