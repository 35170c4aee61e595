"""Soft targets: a teacher is trained, then a student on `alpha T^2 KL + (1 - alpha) CE`.

Hinton et al., Distilling the Knowledge in a Neural Network, arXiv:1503.02531. A baseline with the
student's initialisation, data order and augmentation shows what the teacher adds. Several teachers
are trained one after another and averaged (`--config.stages.student.terms.soft.average`: logits or
probabilities), or with `each=1` have one term each, of weight alpha / N.

    python -m kdjax.main --config=configs/kd.py            # digits: under a minute
    python -m kdjax.main --config=configs/kd.py:mnist      # a few minutes on 2 cores
    python -m kdjax.main --config=configs/kd.py:mnist,baseline=0 --config.alpha=0.9
    python -m kdjax.main --config=configs/kd.py:mnist,teachers=3
    python -m kdjax.main --config=configs/kd.py:mnist,train=0 --config.networks.teacher.workdir=DIR
"""

from ml_collections import ConfigDict

from configs import base, datasets, parts
from kdjax.system.errors import UserError


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set; then `teachers=N` and `each=1`; `train=0` to take them from other
    runs; `baseline=0` to leave the baseline out."""
    config, options = base.start("kd", argument, teachers=1, each=False, train=True, baseline=True)
    if options["teachers"] < 1:
        raise UserError("soft targets need one teacher or more, not teachers=0")
    models = datasets.settings(config.data.name)
    count = options["teachers"]
    teachers = tuple(f"teacher_{index}" for index in range(count)) if count > 1 else ("teacher",)
    for teacher in teachers:
        config.networks[teacher] = parts.network(model=models["teacher"])
        if options["train"]:
            parts.add_hard_stage(config, teacher)
    config.networks.student = parts.network(model=models["student"])
    terms = {"ce": parts.ce(config, network="student", weight="1 - alpha")}
    if options["each"]:
        for teacher in teachers:
            terms[f"soft_from_{teacher}"] = parts.kd(
                student="student", teacher=teacher, weight=f"alpha / {count}"
            )
    else:
        terms["soft"] = parts.kd(
            student="student",
            teacher=teachers if count > 1 else teachers[0],
            weight="alpha",
            temperature="temperature",
        )
    parts.add_student(config, terms, baseline=options["baseline"])
    return config.lock()
