"""Flow of the solution procedure: Gram matrices between a stage's maps first, then the task.

Yim et al., A Gift from Knowledge Distillation, CVPR 2017. Stage `flow` trains the student on the
FSP loss alone, stage `student` on hard labels from those weights, as in the paper. Teacher and
student need equal channels: here `plain6` and `plain4` of `kdjax/models/plain.py`, stages 1 and 2.

    python -m kdjax.main --config=configs/fsp.py            # digits: about a minute
    python -m kdjax.main --config=configs/fsp.py:cifar10
"""

from configs import base, parts


def get_config(argument: str = ""):
    """`argument`: the data set; `train=0` takes the teacher from another run; `baseline=0` leaves
    the baseline out."""
    dataset, options = base.arguments(argument, train=1, baseline=1)
    config = base.get_config(method="fsp", dataset=dataset)
    config.networks.teacher = parts.network(model="plain.plain6")
    config.networks.student = parts.network(model="plain.plain4")
    if options["train"]:
        parts.add_hard_stage(config, "teacher")
    term = parts.term("fsp", student="student", teacher="teacher", stages=(1, 2), weight=1.0)
    first = parts.stage(config, train=("student",), terms={"fsp": term})
    # The student's predictions are chance as yet: nothing to select by.
    first.select = "last"
    parts.add_stage(config, "flow", first)
    terms = {"ce": parts.ce(config, network="student")}
    second = parts.stage(config, train=("student",), terms=terms, init_from={"student": "student"})
    parts.add_stage(config, "student", second)
    if options["baseline"]:
        parts.add_baseline(config, pair="student")
    return config.lock()
