"""Orders are permutations, a function of seed and epoch."""

import numpy as np

from kdjax.data import orders


def test_training_order_is_a_shuffle_without_the_incomplete_batch():
    order = orders.training(103, 10, seed=0, epoch=0)
    assert order.shape == (10, 10)
    assert len(set(order.ravel().tolist())) == 100
    assert order.max() < 103
    repeated = orders.training(103, 10, seed=0, epoch=0)
    np.testing.assert_array_equal(order, repeated)
    for other in (dict(seed=1, epoch=0), dict(seed=0, epoch=1)):
        assert (orders.training(103, 10, **other) != order).any()


def test_order_is_the_same_for_ever():
    np.testing.assert_array_equal(
        orders.training(8, 4, seed=3, epoch=2), [[2, 4, 1, 0], [3, 7, 6, 5]]
    )


def test_evaluation_order_has_every_row_once():
    order = orders.evaluation(23, 10)
    assert order.shape == (3, 10)
    rows = order.ravel()
    assert sorted(rows[rows >= 0].tolist()) == list(range(23))
    assert (rows < 0).sum() == 7
