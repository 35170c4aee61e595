"""The study of all methods: its table fits the configs, and its figures are paired by seed."""

import dataclasses

import pytest

from experiments import methods, methods_report, methods_table
from experiments.methods_run import Runner
from kdjax.evaluation import statistics
from kdjax.system.errors import UserError


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


@pytest.mark.slow
@pytest.mark.usefixtures("one_device", "standard")
def test_a_methods_first_phase_and_weight_0_are_the_network_alone(tmp_path):
    """On real runs: the pairs differ by the method alone, and the sums of stages are in order."""
    run = Runner(tmp_path, dataset="digits", fraction=0.2, epochs=1, batch_size=32, tuning=False)
    chosen = [
        methods_table.BY_LABEL[n] for n in ("alone", "mutual", "two phases", "virtual teacher")
    ]
    few = dataclasses.replace(chosen[2], options="train=1,baseline=0", teacher_from="")
    nothing = {"alpha": 0.0}
    off = dict.fromkeys(("mutual", "virtual teacher"), nothing)
    off["two phases"] = {"alpha": 0.0, "beta": 0.0, "gamma": 0.0}
    rows = methods.compare(run, [*chosen[:2], few, chosen[3]], [0, 1], off, "digits")["rows"]
    test = {(row["method"], row["network"]): row["test"] for row in rows}
    assert test["virtual teacher", "student"] == test["alone", "student"]
    assert test["mutual", "peer_0"] == test["mutual", "baseline"]
    assert test["two phases", "peer_0 after peer_0"] == test["mutual", "baseline"]
    assert test["two phases", "peer_0"] != test["mutual", "baseline"]
    again = methods.compare(run, chosen[:1], [0, 1], {}, "digits")["rows"]
    assert again[0]["test"] == test["alone", "student"]


def test_a_pinned_teacher_is_one_run():
    calls = []

    def run(method, seed, settings):
        calls.append((method.label, seed))
        return result(student=0.9)

    chosen = [methods_table.BY_LABEL[label] for label in ("alone", "teacher")]
    rows = methods.compare(run, chosen, [0, 1, 2], {}, "mnist")["rows"]
    assert calls.count(("teacher", 0)) == 1
    assert len(calls) == 4
    assert rows[1]["deviation"] is None
    assert "90.00, one run" in methods_report.markdown({"rows": rows})


def test_what_a_method_adds_is_against_the_one_that_it_builds_on():
    values = {"alone": 0.8, "soft targets": 0.9, "hybrid": 0.91}

    def run(method, seed, settings):
        return result(student=values.get(method.label, 0.5) + 0.01 * seed)

    chosen = methods.chosen_methods(["soft targets", "hybrid"], tuning=False)
    rows = {row["method"]: row for row in methods.compare(run, chosen, [0, 1], {}, "mnist")["rows"]}
    assert rows["hybrid"]["against"]["mean"] == pytest.approx(11.0)
    assert rows["hybrid"]["adds"]["mean"] == pytest.approx(1.0)
    assert rows["soft targets"]["adds"] is None


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


def test_tables_say_what_cannot_be_known(capsys):
    def run(method, seed, settings):
        return result(student=0.9 + 0.01 * seed + 0.01 * (method.label != "alone"))

    chosen = [methods_table.BY_LABEL[label] for label in ("alone", "virtual teacher")]
    rows = methods.compare(run, chosen, [0, 1, 2], {}, "mnist")["rows"]
    assert "| +1.00 [unknown] |" in methods_report.markdown({"rows": rows})
    record = {"rows": rows, "seeds": [0, 1, 2], "dataset": "mnist", "fraction": 1.0}
    methods_report.show(record)
    assert "+1.00 [unknown]" in capsys.readouterr().out
