"""FitNets: a hint for the student's first layers, then soft targets from there.

Romero et al., FitNets: Hints for Thin Deep Nets, arXiv:1412.6550. Stage `hint` trains the student
up to its guided layer, and a convolutional regressor, on half the squared distance to the teacher's
hint layer (equation 3); nothing beyond moves. Stage `student` goes on with soft targets.

    python -m kdjax.main --config=configs/fitnet.py            # digits: about a minute
    python -m kdjax.main --config=configs/fitnet.py:cifar10
"""

from ml_collections import ConfigDict

from configs import base, datasets, parts


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set; `train=0` takes the teacher from another run; `baseline=0` leaves
    the baseline out."""
    config, options = base.start("fitnet", argument, train=True, baseline=True)
    settings = datasets.settings(config.data.name)
    parts.add_teacher(config, train=options["train"])
    config.networks.student = parts.network(model=settings["student"])
    hint = parts.term(
        "fitnet",
        student="student",
        teacher="teacher",
        guided=settings["guided"],
        hint=settings["hint"],
        weight=1.0,
    )
    first = parts.stage(
        config,
        train=("student",),
        terms={"hint": hint},
        only={"student": settings["up_to_guided"]},
    )
    # The student's predictions are chance as yet: nothing to select by.
    first.select, first.patience = "last", 0
    parts.add_stage(config, "hint", first)
    terms = parts.hard_and_soft(config, student="student", teacher="teacher")
    second = parts.stage(config, train=("student",), terms=terms, init_from={"student": "student"})
    parts.add_stage(config, "student", second)
    if options["baseline"]:
        parts.add_baseline(config, pair="student")
    return config.lock()
