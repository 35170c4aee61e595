"""Hard labels only: the baseline of every comparison.

python -m kdjax.main --config=configs/ce.py            # digits: seconds
python -m kdjax.main --config=configs/ce.py:mnist      # about a minute on 2 cores
"""

from ml_collections import ConfigDict

from configs import base, datasets, parts


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set."""
    dataset, _ = base.arguments(argument)
    config = base.get_config(method="ce", dataset=dataset)
    config.networks.student = parts.network(model=datasets.settings(dataset)["student"])
    terms = {"ce": parts.ce(config, network="student")}
    parts.add_stage(config, "student", parts.stage(config, train=("student",), terms=terms))
    return config.lock()
