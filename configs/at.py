"""Attention transfer with soft targets: `alpha T^2 KL + (1 - alpha) CE + beta attention`.

Zagoruyko & Komodakis, arXiv:1612.03928; study A's form by default: minus the cosine between the
maps of stages 2 and 4, or of those layers that the student has (`attention_layers` in
configs/datasets.py). The three variants differ by large constants, so that a beta belongs to a
variant: the authors' code has 1000.

    python -m kdjax.main --config=configs/at.py            # digits: under a minute
    python -m kdjax.main --config=configs/at.py:cifar10
    python -m kdjax.main --config=configs/at.py:mnist --config.attention_variant=code \
        --config.beta=1000 --config.alpha=0
"""

from ml_collections import ConfigDict

from configs import base, datasets, parts


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set; `train=0` takes the teacher from another run; `baseline=0` leaves
    the baseline out."""
    config, options = base.start("at", argument, train=True, baseline=True)
    config.beta = parts.formula(0.1)
    config.attention_variant = "cosine"
    terms = parts.taught_student(config, train=options["train"])
    terms["attention"] = parts.term(
        "at",
        student="student",
        teacher="teacher",
        layers=datasets.settings(config.data.name)["attention_layers"],
        variant=config.get_oneway_ref("attention_variant"),
        weight="beta",
    )
    parts.add_student(config, terms, baseline=options["baseline"])
    return config.lock()
