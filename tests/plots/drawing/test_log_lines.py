"""Lines of a log."""

import numpy as np
import pytest

from kdjax.plots.drawing.log_lines import read, split_term, stage_starts
from tests.plots.figures import data


@pytest.mark.parametrize(
    ("term", "kind", "network"),
    [
        ("ce_peer_1", "ce", "peer_1"),
        ("soft_peer_1_from_peer_0", "soft", "peer_1"),
        ("ce_peer_10", "ce", "peer_10"),
        ("ce", "ce", None),
    ],
)
def test_the_kind_and_the_network_of_a_term(term, kind, network):
    assert split_term(term, ["peer_0", "peer_1", "peer_10"]) == (kind, network)


def test_lines_are_named_by_their_key_and_broken_between_stages():
    rows = [
        {"step": 1, "stage": "a", "train/net/accuracy": 0.25, "train/net/weight": 9.0},
        {"step": 2, "stage": "a", "train/ce": 9.0},
        {"step": 3, "stage": "b", "train/net/accuracy": 0.5},
    ]
    lines = read(rows, "train/([^/]+)/accuracy", 100)
    assert list(lines) == ["net"]
    steps, values = lines["net"]
    np.testing.assert_array_equal(steps, [1, 1, 3])
    np.testing.assert_array_equal(values, [25, np.nan, 50])


def test_stages_start_where_the_stage_before_ended():
    stages = {"peer_0": ["peer_0"], "peer_1": ["peer_1"], "mutual": ["peer_0", "peer_1"]}
    assert stage_starts(data.log(stages)) == {"peer_0": 0, "peer_1": 1000, "mutual": 2000}
