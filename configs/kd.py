"""Soft targets: a teacher is trained, then a student on `alpha T^2 KL + (1 - alpha) CE`.

Hinton et al., Distilling the Knowledge in a Neural Network, arXiv:1503.02531. A baseline with the
student's initialisation, data order and augmentation shows what the teacher adds.

    python -m kdjax.main --config=configs/kd.py            # digits: under a minute
    python -m kdjax.main --config=configs/kd.py:mnist      # a few minutes on 2 cores
    python -m kdjax.main --config=configs/kd.py:mnist,baseline=0 --config.alpha=0.9
"""

from configs import base, datasets


def get_config(argument: str = ""):
    """`argument`: the data set, then `baseline=0` to leave the baseline out."""
    dataset, options = base.arguments(argument, baseline=1)
    config = base.get_config(method="kd", dataset=dataset)
    models = datasets.settings(dataset)
    config.networks.teacher = base.network(model=models["teacher"])
    config.networks.student = base.network(model=models["student"])

    terms = {"ce": base.ce(config, network="teacher")}
    base.add_stage(config, "teacher", base.stage(config, train=("teacher",), terms=terms))

    alpha = config.get_oneway_ref("alpha")
    terms = {
        "ce": base.ce(config, network="student", weight=1.0 - alpha),
        "soft": base.soft(config, student="student", teacher="teacher", weight=alpha),
    }
    base.add_stage(config, "student", base.stage(config, train=("student",), terms=terms))
    if options["baseline"]:
        base.add_baseline(config, pair="student")
    return config.lock()
