"""Born-again networks: each generation is taught by the one before, from a fresh start.

Furlanello et al., arXiv:1805.04770. `generation_0` learns from hard labels; every network is of the
same architecture, with an initialisation of its own.

    python -m kdjax.main --config=configs/born_again.py                       # digits
    python -m kdjax.main --config=configs/born_again.py:mnist,generations=4
"""

import itertools

from ml_collections import ConfigDict

from configs import base, datasets, parts
from kdjax.system.errors import UserError


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set, then `generations=N` after the first; `baseline=0` leaves out the
    last one's baseline."""
    config, options = base.start("born_again", argument, generations=2, baseline=True)
    if options["generations"] < 1:
        raise UserError("born-again networks need one generation or more, not generations=0")
    names = [f"generation_{index}" for index in range(options["generations"] + 1)]
    for name in names:
        config.networks[name] = parts.network(model=datasets.settings(config.data.name)["student"])
    parts.add_hard_stage(config, names[0])
    for teacher, student in itertools.pairwise(names):
        terms = parts.hard_and_soft(config, student=student, teacher=teacher)
        parts.add_stage(config, student, parts.stage(config, train=(student,), terms=terms))
    if options["baseline"]:
        parts.add_baseline(config, pair=names[-1])
    return config.lock()
