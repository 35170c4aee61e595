"""Soft targets with a nuclear norm: `alpha soft + (1 - alpha) CE + beta ||W||_*`.

Study E: W is the student's first kernel as `[kh * kw * c_in, c_out]`, beta follows alpha (scaled by
`nuclear_scale`), and the soft part is the cross-entropy between softened distributions, equal to KL
up to the teacher's entropy. Without the norm: `--config.nuclear_scale=0`.

    python -m kdjax.main --config=configs/nuclear.py            # digits: under a minute
    python -m kdjax.main --config=configs/nuclear.py:uc_merced \
        --config.data.size=32 --config.data.normalisation=unit
"""

from ml_collections import ConfigDict

from configs import base, parts


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set; `train=0` takes the teacher from another run; `baseline=0` leaves
    the baseline out."""
    config, options = base.start("nuclear", argument, train=True, baseline=True)
    config.nuclear_scale = parts.formula(1.0)
    terms = parts.taught_student(config, train=options["train"])
    terms["soft"].form = "cross_entropy"
    terms["nuclear"] = parts.term(
        "nuclear",
        network="student",
        kernel="Conv_0/kernel",
        weight="nuclear_scale * alpha",
    )
    parts.add_student(config, terms, baseline=options["baseline"])
    return config.lock()
