"""The course of every setting of a sweep."""

import pytest

from kdjax.plots.figures import sweep_courses
from tests.plots.figures.drawn import assert_readable


def test_every_setting_has_its_course():
    courses = {
        f"student temperature={t} alpha={a}": [
            ([10, 20, 30], [50.0 + seed, 60.0, 70.0 + a]) for seed in (0, 2)
        ]
        for t in (1, 2, 4, 8)
        for a in (0.1, 0.25, 0.9)
    }
    # A seed that stopped early.
    courses["student temperature=1 alpha=0.1"][1] = ([10, 20], [52.0, 60.0])
    figure = sweep_courses.draw(courses, label="Accuracy on the validation split (%)")
    (axes,) = figure.axes
    drawn = {one.get_label(): one.get_data() for one in axes.lines}
    assert list(drawn) == list(courses)
    steps, means = drawn["student temperature=2 alpha=0.9"]
    assert list(steps) == [10, 20, 30]
    assert list(means) == pytest.approx([51.0, 60.0, 70.9])
    assert list(drawn["student temperature=1 alpha=0.1"][0]) == [10, 20]
    looks = {(one.get_color(), one.get_marker()) for one in axes.lines}
    assert len(looks) == len(courses)
    assert_readable(figure)
    assert sweep_courses.draw({}, label="") is None
