"""Label-free distillation: a student learns a teacher's features on images without labels.

The term `standardised` regresses the student's features on the teacher's, each dimension of which
is standardised. The teacher comes from another run or an import, and needs no last layer. Then a
linear probe says what was learned:

    python -m kdjax.main --config=configs/label_free.py:unlabelled --config.data.path=IMAGES \\
        --config.networks.teacher.workdir=TEACHER --workdir=DIR
    python -m kdjax.evaluate --workdir=DIR --probe=LABELLED

Labels of a data set that has them are not read: `label_free:digits`. Maps in place of `pooled`:
`--config.stages.student.terms.standardised.layers="('stage2_last:stage3_last',)"`.
"""

from ml_collections import ConfigDict

from configs import base, datasets, parts
from configs.finetune import NO_WORKDIR


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set, by default the digits."""
    config, _ = base.start("label_free", argument)
    models = datasets.settings(config.data.name)
    config.networks.teacher = parts.network(
        model=models["teacher"], workdir=NO_WORKDIR, head="own", other_data=True
    )
    config.networks.student = parts.network(model=models["student"], head="none")
    term = parts.term(
        "standardised", student="student", teacher="teacher", layers=("pooled",), weight=1.0
    )
    student = parts.stage(config, train=("student",), terms={"standardised": term})
    parts.add_stage(config, "student", student)
    config.select = "last"
    return config.lock()
