"""The study of all methods: its table fits the configs, and its figures are paired by seed."""

import pytest

from experiments import methods, methods_table
from kdjax import statistics
from kdjax.errors import UserError


@pytest.mark.parametrize("method", methods_table.METHODS, ids=lambda method: method.label)
def test_the_table_fits_the_configs(method):
    config = method.load("mnist")
    config.update_from_flattened_dict(method.changes(config))
    config.update_from_flattened_dict({key: values[0] for key, values in method.grid.items()})
    trained = {name for stage in config.stages.values() for name in stage.train}
    for name in method.networks:
        network, _, stage = name.partition(" after ")
        assert set(network.split("+")) <= trained
        assert not stage or network in config.stages[stage].train
    assert ("teacher" in config.networks and "teacher" not in trained) == bool(method.teacher_from)
    if method.baseline:
        label, network = method.baseline
        assert network in methods_table.BY_LABEL[label].networks
    # A method starts from settings that its config has.
    like = method
    while like.like:
        like = methods_table.BY_LABEL[like.like]
        config.update_from_flattened_dict({key: values[0] for key, values in like.grid.items()})


def labels(wanted, *, tuning):
    return [method.label for method in methods.chosen_methods(wanted, tuning=tuning)]


def test_a_choice_brings_what_it_needs():
    assert labels(["two phases"], tuning=False) == ["teacher", "mutual", "two phases"]
    needed = ["teacher", "soft targets", "attention", "two phases"]
    assert labels(["two phases"], tuning=True) == needed
    assert labels(None, tuning=False) == [method.label for method in methods_table.METHODS]
    with pytest.raises(UserError, match="Did you mean 'attention'"):
        labels(["atention"], tuning=False)


def test_settings_come_from_the_method_or_the_one_that_it_is_like():
    tuned = {"soft targets": {"alpha": 0.9}, "hybrid": {"alpha": 0.1}}
    found = {
        label: methods.settings_of(methods_table.BY_LABEL[label], tuned)
        for label in ("soft targets", "hybrid", "two phases with teacher", "mutual")
    }
    assert found == {
        "soft targets": {"alpha": 0.9},
        "hybrid": {"alpha": 0.1},
        "two phases with teacher": {"alpha": 0.9},
        "mutual": {},
    }


def result(**accuracy):
    return {
        "networks": {
            name: {"last": {split: {"accuracy": value} for split in ("validation", "test")}}
            for name, value in accuracy.items()
        }
    }


def test_differences_are_paired_by_seed():
    alone = {0: 0.90, 1: 0.92, 2: 0.97}
    gain = {0: 0.01, 1: 0.02, 2: 0.00}

    def run(method, seed, settings):
        return result(student=alone[seed] + gain[seed] * (method.label != "alone"))

    chosen = [methods_table.BY_LABEL[label] for label in ("alone", "virtual teacher")]
    baseline, row = methods.compare(run, chosen, [0, 1, 2], {}, "mnist")["rows"]
    assert baseline["against"] is None
    assert baseline["test"] == pytest.approx([90.0, 92.0, 97.0])
    assert row["against"]["of"] == pytest.approx(93.0)
    expected = statistics.paired([91.0, 94.0, 97.0], [90.0, 92.0, 97.0])
    assert row["against"]["mean"] == pytest.approx(expected.mean)
    assert row["against"]["interval"] == pytest.approx(expected.interval)


def test_tuning_takes_the_best_mean_and_hands_it_on():
    seen = []

    def run(method, seed, settings, tag):
        seen.append((method.label, dict(settings), seed, tag))
        best = settings.get("temperature") == 4.0 and settings.get("alpha") == 0.9
        return result(student=0.5 + 0.1 * best + 0.01 * seed)

    chosen = [methods_table.BY_LABEL[label] for label in ("soft targets", "FitNets")]
    tuning = methods.tune(run, chosen, [1, 2])["tuning"]
    assert tuning["soft targets"]["chosen"] == {"alpha": 0.9, "temperature": 4.0}
    assert tuning["soft targets"]["tried"][4]["mean"] == pytest.approx(61.5)
    assert len({(*call[1].values(), call[2]) for call in seen if call[0] == "soft targets"}) == 12
    assert seen[-1] == ("FitNets", {"alpha": 0.9, "temperature": 4.0}, 2, "")
