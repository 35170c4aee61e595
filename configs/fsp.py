"""Flow of the solution procedure: Gram matrices between a stage's maps first, then the task.

Yim et al., A Gift from Knowledge Distillation, CVPR 2017. Stage `flow` trains the student on the
FSP loss alone, stage `student` on hard labels from those weights, as in the paper; with `added=1`
there is one stage, `CE + fsp_weight * FSP`. The paper sums over the matrices, here is their mean.
Teacher and student need equal channels: here `plain6` and `plain4` of `kdjax/models/plain.py`,
stages 1 and 2.

    python -m kdjax.main --config=configs/fsp.py            # digits: about a minute
    python -m kdjax.main --config=configs/fsp.py:cifar10
    python -m kdjax.main --config=configs/fsp.py:cifar10,added=1 --config.fsp_weight=0.1
"""

from ml_collections import ConfigDict

from configs import base, parts


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set; `added=1` for one stage; `train=0` takes the teacher from another
    run; `baseline=0` leaves the baseline out."""
    config, options = base.start("fsp", argument, added=False, train=True, baseline=True)
    config.networks.teacher = parts.network(model="plain.plain6")
    config.networks.student = parts.network(model="plain.plain4")
    if options["train"]:
        parts.add_hard_stage(config, "teacher")
    config.fsp_weight = parts.formula(1.0)
    weight = "fsp_weight"
    flow = parts.term("fsp", student="student", teacher="teacher", stages=(1, 2), weight=weight)
    terms, starts = {"ce": parts.ce(config, network="student")}, {}
    if options["added"]:
        terms["flow"] = flow
    else:
        first = parts.stage(config, train=("student",), terms={"flow": flow})
        # The student's predictions are chance as yet: nothing to select by.
        first.select, first.patience = "last", 0
        parts.add_stage(config, "flow", first)
        starts = {"student": "student"}
    stage = parts.stage(config, train=("student",), terms=terms, init_from=starts)
    parts.add_stage(config, "student", stage)
    if options["baseline"]:
        parts.add_baseline(config, pair="student")
    return config.lock()
