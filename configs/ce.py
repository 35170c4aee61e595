"""Hard labels only: the baseline of every comparison.

python -m kdjax.main --config=configs/ce.py            # digits: seconds
python -m kdjax.main --config=configs/ce.py:mnist      # about a minute on 2 cores
"""

from ml_collections import ConfigDict

from configs import base, datasets, parts


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set."""
    config, _ = base.start("ce", argument)
    config.networks.student = parts.network(model=datasets.settings(config.data.name)["student"])
    terms = {"ce": parts.ce(config, network="student")}
    parts.add_stage(config, "student", parts.stage(config, train=("student",), terms=terms))
    return config.lock()
