"""A sweep's accuracy over one axis or two."""

import numpy as np
import pytest

from kdjax.plots.figures import sweep_axes
from tests.plots.figures.drawn import assert_readable, words


def setting(values, accuracies, network="student"):
    seeds = list(range(len(accuracies)))
    found = {"network": network, "axes": values, "seeds": seeds, "test": [0.0] * len(seeds)}
    return found | {"validation": accuracies}


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
    figure = sweep_axes.draw(
        found, [*found, setting({}, [89.0, 91.0], "baseline")], split="validation"
    )
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
    figure = sweep_axes.draw(found, found, split="validation")
    assert lines(figure.axes[0]) == {
        "alpha 0.1": [(1, 90), (2, 91), (4, 93)],
        "alpha 0.9": [(1, 82), (2, 83), (4, 85)],
    }
    assert figure.axes[0].get_xlabel() == "temperature"
    assert "one seed" in figure.axes[0].get_title("left")
    assert_readable(figure)


def test_without_validation_the_axis_names_the_test_split():
    found = [setting({"alpha": a}, []) | {"test": [a]} for a in (0.1, 0.9)]
    axes = sweep_axes.draw(found, found, split="test").axes[0]
    assert axes.get_ylabel() == "Accuracy on the test split (%)"


@pytest.mark.parametrize("values", [[0.001, 0.01, 0.1, 1], [*np.linspace(0, 1, 41)]])
def test_names_of_values_do_not_touch(values):
    found = [setting({"rate": float(value)}, [90.0]) for value in values]
    figure = sweep_axes.draw(found, found, split="validation")
    assert_readable(figure)
    assert f"{values[0]:g}" in words(figure)


@pytest.mark.parametrize(
    "axes", [{}, {"a": 1.0}, {"a": 1.0, "b": 2.0, "c": 3.0}], ids=["none", "one value", "three"]
)
def test_nothing_to_draw(axes):
    assert sweep_axes.draw([setting(axes, [90.0])], [], split="validation") is None
