"""Deep mutual learning: K peers teach each other while they learn.

    L_i = (1 - alpha) CE_i + alpha * gamma / (K - 1) * sum_{j != i} T^2 KL(p_j || p_i)

Zhang et al., Deep Mutual Learning, arXiv:1706.00384, equation 8, is alpha = 0.5 and T = 1 (times
one half, which AdamW does not see; double the learning rate under SGD). All peers are updated at
once. `alpha` = 0 is the baseline, exactly. Mutual learning is gradual here, against early
divergence: gamma is 0 until epoch `ramp_begin` and grows to its value at epoch `ramp_finish`. That
is the second epoch, and the second half of a stage of one epoch; set both to 0 for the paper's
constant gamma.

    python -m kdjax.main --config=configs/dml.py                 # digits: under a minute
    python -m kdjax.main --config=configs/dml.py:mnist           # a few minutes on 2 cores
    python -m kdjax.main --config=configs/dml.py:mnist,peers=4 --config.gamma=2
    python -m kdjax.main --config=configs/dml.py --config.networks.peer_1.model=mnist.teacher
"""

import itertools

from ml_collections import ConfigDict

from configs import base, datasets, parts
from kdjax.system.errors import UserError


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set, then `peers=K`, and `baseline=0` to leave the baseline out."""
    config, options = base.start("dml", argument, peers=2, baseline=True)
    count = options["peers"]
    if count < 2:
        raise UserError(f"mutual learning needs two peers or more, not peers={count}")
    config.temperature = 1.0
    config.gamma = parts.formula(1.0)
    config.ramp_begin = parts.formula("min(1, epochs / 2)")
    config.ramp_finish = parts.formula("min(2, epochs)")
    # False: gradients flow through both sides of every divergence.
    config.detach_peers = True

    peers = tuple(f"peer_{index}" for index in range(count))
    terms = {}
    for peer in peers:
        config.networks[peer] = parts.network(model=datasets.settings(config.data.name)["student"])
        terms[f"ce_{peer}"] = parts.ce(config, network=peer, weight="1 - alpha")
    mutual = f"linear(0, alpha * gamma / {count - 1}, begin=ramp_begin, finish=ramp_finish)"
    for student, teacher in itertools.permutations(peers, 2):
        terms[f"soft_{student}_from_{teacher}"] = parts.kd(
            student=student,
            teacher=teacher,
            detach_teacher=config.get_oneway_ref("detach_peers"),
            weight=mutual,
        )
    stage = parts.stage(config, train=peers, terms=terms)
    parts.add_stage(config, "peers", stage)
    if options["baseline"]:
        parts.add_baseline(config, pair="peer_0")
    return config.lock()
