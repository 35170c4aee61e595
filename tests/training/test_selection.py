"""Best steps are chosen per network, on validation alone."""

from types import SimpleNamespace

import jax.numpy as jnp

from kdjax.step.types import NetState
from kdjax.training import selection


def state(value):
    return NetState({"w": jnp.float32(value)}, {})


def test_each_network_keeps_its_own_best():
    best = selection.Selection({}, {})
    history = {"a": [(0.5, 1.0), (0.9, 1.0), (0.8, 0.1)], "b": [(0.7, 1.0), (0.7, 0.5), (0.7, 0.9)]}
    for epoch in (1, 2, 3):
        networks = {name: state(10 * epoch) for name in history}
        scores = {
            name: dict(zip(("accuracy", "loss"), rows[epoch - 1], strict=True))
            for name, rows in history.items()
        }
        best = selection.update(best, networks, scores, step=100 * epoch, epoch=epoch)
    assert {name: record["step"] for name, record in best.records.items()} == {"a": 200, "b": 200}
    assert float(best.networks["a"].params["w"]) == 20
    for patience, epochs, is_over in ((1, 9, True), (2, 9, False), (0, 9, False), (0, 3, True)):
        stage = SimpleNamespace(epochs=epochs, patience=patience)
        assert selection.is_over(stage, best.records, 3) == is_over
    assert not selection.is_over(SimpleNamespace(epochs=9, patience=1), {}, 3)
