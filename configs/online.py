"""Online distillation: teacher and student learn together, in one step.

L = CE(teacher) + (1 - alpha) CE(student) + alpha T^2 KL(sg(teacher) || student)

python -m kdjax.main --config=configs/online.py            # digits: under a minute
python -m kdjax.main --config=configs/online.py:mnist      # a few minutes on 2 cores
"""

from ml_collections import ConfigDict

from configs import base, datasets, parts


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set, then `baseline=0` to leave the baseline out."""
    config, options = base.start("online", argument, baseline=True)
    parts.add_teacher(config, train=0)
    config.networks.student = parts.network(model=datasets.settings(config.data.name)["student"])
    terms = parts.hard_and_soft(config, student="student", teacher="teacher")
    terms["ce_teacher"] = parts.ce(config, network="teacher")
    both = ("student", "teacher")
    parts.add_stage(config, "together", parts.stage(config, train=both, terms=terms))
    if options["baseline"]:
        parts.add_baseline(config, pair="student")
    return config.lock()
