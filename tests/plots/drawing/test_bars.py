"""Where an axis of bars starts."""

import pytest

from kdjax.plots.drawing.bars import start_of


@pytest.mark.parametrize("values", [[97.0, 98.0], [10.0, 90.0], [98.0], [0.0, 0.0], [50.0, 51.3]])
def test_the_start_of_an_axis_is_below_every_value(values):
    start = start_of(values)
    assert start == 0 or start < min(values)
    assert (start > 0) == (len(set(values)) > 1 and min(values) >= 3 * (max(values) - min(values)))
    assert start_of([*values, 0.5 * max(values)]) == 0
