"""Fine-tuning: a network from another run or an import learns this data set's classes.

Its new last layer learns first, on the frozen rest (`head`); then the whole network learns, with
`trunk_rate` times the learning rate in all other layers (`all`). The network is named `teacher`, so
that the run can teach a student afterwards.

    python -m kdjax.main --config=configs/finetune.py:aid --config.networks.teacher.workdir=DIR
    python -m kdjax.main --config=kd:aid,train=0 --config.networks.teacher.workdir=FINETUNED

For a network of another run on other images also `--config.networks.teacher.other_data=True`.
"""

from ml_collections import ConfigDict

from configs import base, datasets, parts
from kdjax.system.errors import UserError


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set; then `head_epochs=N`, and `all=0` to train the head alone."""
    config, options = base.start("finetune", argument, head_epochs=5, all=True)
    if options["head_epochs"] < 1:
        raise UserError("fine-tuning begins with the head: head_epochs must be 1 or more")
    config.networks.teacher = parts.network(
        model=datasets.settings(config.data.name)["teacher"], workdir=NO_WORKDIR, head="new"
    )
    goes_on = {"teacher": "teacher"}
    head = parts.stage(
        config,
        train=("teacher",),
        terms={"ce": parts.ce(config, network="teacher")},
        init_from=goes_on,
        only={"teacher": ("head",)},
        running_statistics=("teacher",),
    )
    head.epochs = options["head_epochs"]
    parts.add_stage(config, "head", head)
    if options["all"]:
        whole = parts.stage(
            config,
            train=("teacher",),
            terms={"ce": parts.ce(config, network="teacher")},
            init_from=goes_on,
            trunk_rate=0.1,
        )
        parts.add_stage(config, "all", whole)
    return config.lock()


NO_WORKDIR = "WORKDIR"
"""Stands for the workdir that the user names."""
