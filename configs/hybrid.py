"""Hybrid of response and features: `alpha T^2 KL + (1 - alpha) CE + feature_weight MSE`.

Study B: features of the student, through trained 1x1 convolutions, follow the teacher's
(`feature_layers` in configs/datasets.py). `direction=teacher_to_student` projects the teacher's
side instead. The study's second run lets temperature and alpha decay by epoch:

    python -m kdjax.main --config=configs/hybrid.py            # digits: under a minute
    python -m kdjax.main --config=configs/hybrid.py:cifar10 \
        --config.temperature=0.5 --config.alpha=0.8 \
        --config.temperature_schedule.kind=exponential --config.temperature_schedule.rate=0.95 \
        --config.temperature_schedule.end=0.3 --config.alpha_schedule.kind=exponential \
        --config.alpha_schedule.rate=0.95 --config.alpha_schedule.end=0.5
"""

from ml_collections import ConfigDict

from configs import base, datasets, parts


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set; `train=0` takes the teacher from another run; `baseline=0` leaves
    the baseline out."""
    dataset, options = base.arguments(argument, train=True, baseline=True)
    config = base.get_config(method="hybrid", dataset=dataset)
    config.feature_weight = 0.1
    config.direction = "student_to_teacher"
    terms = parts.taught_student(config, dataset, train=options["train"])
    terms["features"] = parts.term(
        "features",
        student="student",
        teacher="teacher",
        layers=datasets.settings(dataset)["feature_layers"],
        direction=config.get_oneway_ref("direction"),
        weight=config.get_oneway_ref("feature_weight"),
    )
    parts.add_student(config, terms, baseline=options["baseline"])
    return config.lock()
