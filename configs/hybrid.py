"""Hybrid of response and features: `alpha T^2 KL + (1 - alpha) CE + feature_weight MSE`.

Study B: features of the student, through trained 1x1 convolutions, follow the teacher's
(`feature_layers` in configs/datasets.py). `direction=teacher_to_student` projects the teacher's
side instead. The study's second run lets temperature and alpha decay by epoch:

    python -m kdjax.main --config=configs/hybrid.py            # digits: under a minute
    python -m kdjax.main --config=configs/hybrid.py:cifar10 \
        --config.temperature="exponential(0.5, 0.3, rate=0.95)" \
        --config.alpha="exponential(0.8, 0.5, rate=0.95)"
"""

from ml_collections import ConfigDict

from configs import base, datasets, parts


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set; `train=0` takes the teacher from another run; `baseline=0` leaves
    the baseline out."""
    config, options = base.start("hybrid", argument, train=True, baseline=True)
    config.feature_weight = parts.formula(0.1)
    config.direction = "student_to_teacher"
    terms = parts.taught_student(config, train=options["train"])
    terms["features"] = parts.term(
        "features",
        student="student",
        teacher="teacher",
        layers=datasets.settings(config.data.name)["feature_layers"],
        direction=config.get_oneway_ref("direction"),
        weight="feature_weight",
    )
    parts.add_student(config, terms, baseline=options["baseline"])
    return config.lock()
