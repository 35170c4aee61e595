"""Names on figures: broken, shortened, and rounded."""

import pytest

from kdjax.plots.drawing import labels


def test_long_names_are_broken_where_they_may_be_and_else_anywhere():
    assert labels.wrap("generation_0+generation_1", 80) == "generation_0+\ngeneration_1"
    assert labels.wrap("short", 80) == "short"
    assert labels.wrap("one\ntwo", 80) == "one\ntwo"
    narrow = labels.wrap("a" * 60, 80)
    assert narrow.replace("\n", "") == "a" * 60
    assert max(map(labels.width, narrow.split("\n"))) <= 80 < labels.width("a" * 60)
    member = "student@temperature=0.5@alpha=0.25@seed=0"
    assert labels.wrap(member, 90).replace("\n", "") == member
    assert labels.shorten("abcdefghij", 5) == "ab…ij"


def test_names_that_differ_stay_different():
    names = [f"student temperature={t} alpha=0.{a}25" for t in (1, 11, 111) for a in (1, 2)]
    for length in (5, 10, 20, 40):
        short = labels.shorten_all(names, length)
        assert len(set(short)) == len(names)
    assert labels.shorten_all(["a" * 40, "b" * 40, "a" * 40], 5) == ["aa…aa", "bb…bb", "aa…aa"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.075, "0.0750"), (5.31, "5.31"), (0, "0"), (1234.5, "1,234"), (99.95, "100.0")],
)
def test_three_digits(value, text):
    assert labels.digits(value) == text
