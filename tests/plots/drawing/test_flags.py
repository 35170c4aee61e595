"""Flags: names of stages do not cover each other."""

from kdjax.plots.drawing.flags import levels


def test_flags_take_the_lowest_free_level():
    assert levels([0, 100, 200], [50, 150, 250]) == [0, 0, 0]
    assert levels([0, 10, 20], [50, 60, 70]) == [2, 1, 0]
    # The second one's pole would go through the first flag at level 0.
    assert levels([0, 40, 45, 200], [42, 190, 100, 300]) == [2, 1, 0, 0]
