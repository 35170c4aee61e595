"""Sweeps: which stages are shared, what is refused, whole runs, tables."""

import csv
import json

import numpy as np
import pytest

from configs import assistants, dml, kd, two_phase
from kdjax import sweep
from kdjax.config import build
from kdjax.config.grid import make as make_grid
from kdjax.config.grid import read as read_members
from kdjax.evaluation import statistics, sweep_settings
from kdjax.plots import sweep_figures
from kdjax.runs import saved_config, workdir
from kdjax.system.errors import UserError
from kdjax.training import train
from kdjax.training.fit import Interrupted
from tests.helpers import assert_identical, evaluated, small, stop_at
from tests.training.test_run import assert_same_run, values

pytestmark = [pytest.mark.usefixtures("one_device"), pytest.mark.usefixtures("standard")]


def plan(make, axes, seeds=1, argument="digits"):
    config = make_grid(small(make, argument), axes, seeds)
    return {stage.name: stage for stage in build.plan(config, devices=1).stages}


def test_the_teacher_is_shared_and_a_baseline_is_one_for_each_seed():
    found = plan(kd, [("alpha", [0.1, 0.9]), ("temperature", [1.0, 4.0])], seeds=2)
    assert found["teacher"].code.swept is None
    assert found["baseline"].code.swept.labels == ("seed=0", "seed=1")
    labels = found["student"].code.swept.labels
    assert len(labels) == 8
    hyper = found["student"].hyper["alpha=0.9@temperature=4@seed=1"]
    assert hyper.seed == 1
    assert float(hyper.terms["ce"]["weight"].at(np.float32(0))) == pytest.approx(0.1)
    assert float(hyper.terms["soft"]["temperature"].at(np.float32(0))) == 4.0


@pytest.mark.parametrize("order", [(4.0, 1.0, 8.0), (1.0, 4.0, 8.0), (1.0, 8.0, 4.0)])
def test_members_have_the_values_of_their_labels_also_the_configs_own(order):
    """The config's own temperature is 4, wherever it stands; grids do not touch the config."""
    config = small(kd, "digits,baseline=0")
    before = saved_config.plain(config)
    axes = [("alpha", [0.5, 0.9]), ("temperature", list(order))]
    found = build.plan(make_grid(config, axes, 2), devices=1).stages[1]
    assert saved_config.plain(config) == before
    assert len(found.hyper) == 12
    for label, hyper in found.hyper.items():
        member = sweep_settings.parse(f"student@{label}")[1]
        soft = {part: float(value.at(np.float32(0))) for part, value in hyper.terms["soft"].items()}
        assert soft == pytest.approx(
            {"weight": member["alpha"], "temperature": member["temperature"]}
        )
        assert int(hyper.seed) == member["seed"]


def test_labels_read_back_as_what_they_were():
    config = small(kd, "digits,baseline=0")
    config.seed = 1_234_567
    swept = make_grid(config, [("alpha", [0.123456789, 0.5])], 1)
    axes = [sweep_settings.parse("student@" + "@".join(one))[1] for one, _ in swept.sweep.members]
    assert axes == [{"alpha": alpha, "seed": 1_234_567} for alpha in (0.123456789, 0.5)]


def test_peers_start_where_the_same_members_earlier_stage_left_them():
    found = plan(two_phase, [("alpha", [0.1, 0.9]), ("gamma", [0.2, 1.0])])
    # gamma reaches the second phase alone.
    assert found["peer_0"].code.swept.labels == ("alpha=0.1@seed=0", "alpha=0.9@seed=0")
    assert found["mutual"].init_from == {
        f"{peer}@alpha={alpha}@gamma={gamma}@seed=0": f"{peer}@alpha={alpha}@seed=0"
        for peer in ("peer_0", "peer_1")
        for alpha in (0.1, 0.9)
        for gamma in (0.2, 1)
    }


@pytest.mark.parametrize(
    ("make", "axes", "message"),
    [
        (kd, [("epochs", [1.0, 2.0])], r"config.stages.\w+.epochs; members can differ in seed"),
        (kd, [("data.fraction", [0.1, 0.2])], "the sweep changes config.data.fraction"),
        (kd, [("weight_decay", [0.0, 0.1])], r"config.stages.\w+.weight_decay; members"),
        (kd, [("alpha", [0.1, 2.0])], "config.alpha is 2; it must be in"),
        (
            kd,
            [("alhpa", [0.1, 0.2])],
            "config.alhpa: there is no such key; did you mean config.alpha",
        ),
        (kd, [("method", [1.0])], "method=...: it reaches no hyper-parameter"),
        (kd, [("optimiser", [1.0])], "of type str, which is no number"),
        (kd, [("epochs", [1.5])], "takes whole numbers, not 1.5"),
        (dml, [("alpha", [0.1]), ("alpha", [0.3])], "every key once"),
        (kd, [("alpha", [0.1, 0.3]), ("log_every", [3.0, 4.0])], "log_every=...: it reaches no"),
        (kd, [("stages.student", [1.0])], "is of type ConfigDict, which is no number"),
        (kd, [("temperature", ["linear(4, 1)", 2.0])], "schedules of different kinds"),
        (dml, [("patience", [0.0, 1.0])], "patience=...: it reaches no hyper-parameter"),
        (assistants, [("alpha", [0.1, 0.2])], "which the sweep's members differ in"),
        (kd, [("log_every", [3.0, 4.0])], "it reaches no hyper-parameter"),
        (kd, [("batch_size", [32.0, 64.0])], r"config.stages.\w+.batch_size; members can differ"),
    ],
    ids=str,
)
def test_refused_in_one_line(make, axes, message):
    with pytest.raises(UserError, match=message) as error:
        plan(make, axes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("there", "here", "message"),
    [
        (
            [("temperature", [1.0, 2.0])],
            [("temperature", [1.0, 4.0])],
            "the sweep's axes differ: temperature is 1,2 there and 1,4 here. Choose",
        ),
        (
            [("temperature", [1.0, 2.0])],
            [("alpha", [0.1])],
            "axes differ: alpha is absent there and 0.1 here; temperature is 1,2 there and absent",
        ),
        (None, [("alpha", [0.1])], "another config: it is no sweep. Choose"),
        ([("alpha", [0.1])], None, "another config: it is a sweep. Choose"),
    ],
)
def test_another_sweep_is_refused_naming_its_axes(tmp_path, there, here, message):
    made = [small(kd) if axes is None else make_grid(small(kd), axes, 1) for axes in (there, here)]
    workdir.open_for(made[0], tmp_path)
    assert workdir.require_same(made[0], tmp_path) == {}
    with pytest.raises(UserError) as error:
        workdir.require_same(made[1], tmp_path)
    assert message in str(error.value)
    made[0].seed += 1
    with pytest.raises(UserError, match="config: seed is 0 there and 1 here. Choose"):
        workdir.require_same(made[0], tmp_path)


@pytest.mark.parametrize("axis", [("alpha", [0.1, 2.0]), ("batch_size", [32.0, 64.0])])
def test_bad_axes_are_refused_before_data_is_read(axis):
    swept = make_grid(small(kd), [axis], 1)

    def check():
        for member in read_members(swept):
            build.check(member.config)

    with pytest.raises(UserError, match="alpha is 2; it must|members can differ"):
        check()


@pytest.mark.parametrize(
    "text", ["alpha", "alpha=", "alpha=1,,2", "=1", "alpha=1,1", "seed=0,1", "epochs=inf"]
)
def test_axes_that_are_none(text):
    with pytest.raises(UserError, match="--axis=") as error:
        sweep.parse_axis(text)
    assert "\n" not in str(error.value)


def config():
    made = small(kd)
    made.epochs = 2
    return make_grid(made, [("alpha", [0.1, 0.9])], seeds=2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    import jax

    directory = tmp_path_factory.mktemp("sweep") / "whole"
    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):
        first = jax.local_devices()[:1]
        patch.setattr(jax, "local_devices", lambda: first)
        return directory, train.run(config(), directory)


def test_a_sweep_resumes_bit_for_bit(whole, tmp_path):
    for stop in (11, 14):
        with pytest.raises(Interrupted):
            train.run(config(), tmp_path, stop_at(stop))
    train.run(config(), tmp_path)
    assert_same_run(whole[0], tmp_path)


def test_a_member_is_the_run_of_its_settings(whole, tmp_path):
    """With the sweep's teacher, on the CPU: bit for bit."""
    one = small(kd, "digits,train=0,baseline=0")
    one.epochs, one.alpha, one.seed = 2, 0.9, 1
    one.networks.teacher.workdir = str(whole[0])
    result = train.run(one, tmp_path)
    label = "student@alpha=0.9@seed=1"
    assert (
        result["networks"]["student"]["last"]["test"]
        == (whole[1]["networks"][label]["last"]["test"])
    )
    mine = next(tree for path, tree in values(tmp_path).items() if path.endswith("/networks"))
    theirs = {p: t for p, t in values(whole[0]).items() if p.startswith("student")}
    tree = next(tree for path, tree in theirs.items() if path.endswith("/networks"))
    assert_identical(mine["student"], tree[label])


def test_evaluation_of_a_member(whole):
    label = "student@alpha=0.1@seed=0"
    found = evaluated(whole[0], networks=(label, "teacher"))["networks"]
    assert list(found) == ["teacher", label]
    assert found[label]["accuracy"] == whole[1]["networks"][label]["test"]["accuracy"]


def test_tables_hold_every_member(whole, tmp_path, capsys):
    sweep_settings.write(whole[1], tmp_path)
    with (tmp_path / "sweep.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 1 + 4 + 2
    line = next(row for row in lines if (row["alpha"], row["seed"]) == ("0.9", "1"))
    recorded = whole[1]["networks"]["student@alpha=0.9@seed=1"]
    assert float(line["test_accuracy"]) == recorded["test"]["accuracy"]
    assert float(line["validation_accuracy"]) == recorded["validation"]["accuracy"]
    record = json.loads((tmp_path / "sweep.json").read_text())
    students = [one for one in record["settings"] if one["network"] == "student"]
    assert [one["axes"] for one in students] == [{"alpha": 0.1}, {"alpha": 0.9}]
    alone = next(one for one in record["settings"] if one["network"] == "baseline")
    for one in students:
        expected = statistics.paired(one["test"], alone["test"])
        assert one["against_baseline"]["mean"] == expected.mean
    means = [np.mean(one["validation"]) for one in students]
    assert record["best"] == students[int(np.argmax(means))]
    printed = capsys.readouterr().out
    assert "student *" in printed
    assert "detectable" in printed


def test_differences_are_from_the_baseline_of_the_same_values():
    def network(accuracy):
        score = {"accuracy": accuracy, "loss": 1.0}
        return {"step": 1, "validation": score, "test": score}

    networks = {
        f"{name}@learning_rate={rate}@seed={seed}": network(base + gain + seed / 100)
        for rate, base in ((0.1, 0.5), (0.01, 0.8))
        for seed in (0, 1)
        for name, gain in (("baseline", 0.0), ("peer_0", rate))
    }
    found = sweep_settings.settings({"networks": networks, "seed": 0})
    gains = {
        one["axes"]["learning_rate"]: one["against_baseline"]["mean"]
        for one in found
        if one["network"] == "peer_0"
    }
    assert gains == pytest.approx({0.1: 10.0, 0.01: 1.0})


def setting(network, axes, validation, test=(80.0, 82.0)):
    return {
        **{"network": network, "axes": axes, "seeds": [0, 1], "test": list(test)},
        **{"validation": validation, "mean": float(np.mean(test)), "deviation": 1.0},
        "against_baseline": None,
    }


def test_a_value_may_be_a_formula(capsys, tmp_path):
    member = "student@alpha=cosine(0.9,0.1)@temperature=2@seed=1"
    axes = {"alpha": "cosine(0.9,0.1)", "temperature": 2.0}
    assert sweep_settings.parse(member) == ("student", axes | {"seed": 1})
    assert sweep_settings.label(member) == "student alpha=cosine(0.9,0.1) temperature=2"
    score = {"accuracy": 0.5, "loss": 1.0}
    network = {"step": 1, "validation": score, "test": score}
    (found,) = sweep_settings.write({"networks": {member: network}, "seed": 0}, tmp_path)
    assert found["axes"] == axes
    assert "cosine(0.9,0.1)" in capsys.readouterr().out
    # An axis of formulas has no places to draw at.
    sweep_figures.draw([found], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_axes_are_drawn_for_each_network(tmp_path, capsys):
    found = [
        setting(name, {"alpha": a, "temperature": t}, [90.0 + a])
        for name in ("peer_0", "peer_1")
        for a in (0.1, 0.9)
        for t in (1.0, 4.0)
    ]
    found.append(setting("baseline", {}, [91.0]))
    sweep_figures.draw(found, tmp_path / "two")
    names = [f"{kind}-peer_{i}.png" for i in (0, 1) for kind in ("accuracy", "alpha-temperature")]
    assert {path.name for path in (tmp_path / "two").glob("*.png")} == set(names)
    assert all((tmp_path / "two" / name).stat().st_size > 5000 for name in names)
    # Over one axis, or two others, there are lines alone.
    for axis in ("alpha", "beta"):
        one = [setting("student", {axis: value}, []) for value in (0.1, 0.9)]
        sweep_figures.draw(one, tmp_path / axis)
        assert [path.name for path in (tmp_path / axis).glob("*.png")] == ["accuracy-student.png"]
    sweep_figures.draw([setting("student", {}, [90.0])], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_without_validation_the_table_names_no_best_setting_and_says_why():
    found = [setting("student", {"alpha": a}, [], [a, a]) for a in (10.0, 90.0)]
    table = sweep_settings.table(found, sweep_settings.best(found), "runs/refit")
    assert [row[0] for row in table.rows] == ["student", "student"]
    assert "No setting is named the best" in table.caption
    held = [one | {"validation": [90.0 - one["axes"]["alpha"]]} for one in found]
    table = sweep_settings.table(held, sweep_settings.best(held), "runs/held")
    assert [row[0] for row in table.rows] == ["student *", "student"]
    assert "No setting" not in table.caption
    # Not a bullet of Markdown.
    assert table.caption == "*: best on validation."
    assert table.title == "runs/held: means over 2 seeds, ± the standard deviation"
    alone = [one | {"seeds": [0], "deviation": None} for one in held]
    assert sweep_settings.table(alone, None, "runs/alone").title == "runs/alone: 1 seed"


def test_equal_differences_and_few_seeds_are_said_below_the_table():
    same = statistics.paired([80.0, 82.0], [79.0, 81.0])._asdict()
    other = statistics.paired([80.0, 82.0], [79.0, 80.0])._asdict()
    found = [
        setting("student", {"alpha": 0.1}, [90.0]) | {"against_baseline": same},
        setting("student", {"alpha": 0.9}, [91.0]) | {"against_baseline": other},
    ]
    table = sweep_settings.table(found, found[1], "runs/grid")
    assert table.rows[0][-2:] == ["+1.00 [unknown]", "unknown"]
    assert table.rows[1][-1].startswith("about ")
    assert "of 2 seeds" in table.caption
    assert "cannot be told" in table.caption
