"""Sweeps: accuracy over one axis or two, and every setting's course."""

import numpy as np
import pytest

from kdjax.plots.figures import sweeps
from tests.plots.figures.drawn import assert_readable, words


def setting(values, accuracies, network="student"):
    seeds = list(range(len(accuracies)))
    found = {"network": network, "axes": values, "seeds": seeds, "test": [0.0] * len(seeds)}
    return found | {"validation": accuracies}


ALONE = [setting({}, [89.0, 91.0], "baseline")]


def lines(axes):
    """Means by the name in the legend."""
    handles, names = axes.get_legend_handles_labels()
    return {
        name: list(zip(*(handle.lines[0].get_data()), strict=True))
        for handle, name in zip(handles, names, strict=True)
        if hasattr(handle, "lines")
    }


def test_one_axis_is_a_line_of_means_with_the_spread_over_seeds():
    found = [
        setting({"temperature": t}, values)
        for t, values in ((4.0, [92.0, 94.0, 96.0]), (1.0, [91.0, 91.0, 91.0]), (8.0, [90.0] * 3))
    ]
    figure = sweeps.over_axis(found, ALONE, split="validation")
    (axes,) = figure.axes
    assert lines(axes) == {"student": [(1.0, 91.0), (4.0, 94.0), (8.0, 90.0)]}
    (whiskers,) = [one for one in axes.collections if hasattr(one, "get_segments")]
    ends = [segment[:, 1].tolist() for segment in whiskers.get_segments()]
    assert ends == [[91, 91], [92, 96], [90, 90]]
    dots = [one for one in axes.lines if one.get_marker() == "."]
    assert sorted(y for one in dots for y in one.get_ydata()) == sorted(
        value for one in found for value in one["validation"]
    )
    (dashed,) = [one for one in axes.lines if one.get_linestyle() == "--"]
    assert set(dashed.get_ydata()) == {90.0}
    assert axes.get_xlabel() == "temperature"
    assert axes.get_ylabel() == "Accuracy on the validation split (%)"
    assert "means over 3 seeds" in axes.get_title("left")
    assert_readable(figure)


def test_two_axes_are_a_line_for_each_value_of_the_shorter_one():
    found = [
        setting({"alpha": a, "temperature": t}, [90 + t - 10 * a])
        for a in (0.1, 0.9)
        for t in (1.0, 2.0, 4.0)
    ]
    figure = sweeps.over_axis(found, split="validation")
    assert lines(figure.axes[0]) == {
        "alpha 0.1": [(1, 90), (2, 91), (4, 93)],
        "alpha 0.9": [(1, 82), (2, 83), (4, 85)],
    }
    assert figure.axes[0].get_xlabel() == "temperature"
    assert "one seed" in figure.axes[0].get_title("left")
    assert_readable(figure)


def test_without_validation_the_axis_names_the_test_split():
    found = [setting({"alpha": a}, []) | {"test": [a]} for a in (0.1, 0.9)]
    axes = sweeps.over_axis(found, split="test").axes[0]
    assert axes.get_ylabel() == "Accuracy on the test split (%)"


@pytest.mark.parametrize("values", [[0.001, 0.01, 0.1, 1], [*np.linspace(0, 1, 41)]])
def test_names_of_values_do_not_touch(values):
    found = [setting({"rate": float(value)}, [90.0]) for value in values]
    figure = sweeps.over_axis(found, split="validation")
    assert_readable(figure)
    assert f"{values[0]:g}" in words(figure)


@pytest.mark.parametrize(
    "axes", [{}, {"a": 1.0}, {"a": 1.0, "b": 2.0, "c": 3.0}], ids=["none", "one value", "three"]
)
def test_nothing_to_draw(axes):
    assert sweeps.over_axis([setting(axes, [90.0])], split="validation") is None


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
    figure = sweeps.courses(courses, label="Accuracy on the validation split (%)")
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
    assert sweeps.courses({}, label="") is None
