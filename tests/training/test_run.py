"""Whole runs on the real digits: records, exact resume, refusals."""

import io
import itertools
import json
import shutil
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from configs import ce, dml, kd
from kdjax.config import effects
from kdjax.runs import workdir
from kdjax.runs.checkpoint import Checkpoints
from kdjax.runs.metrics_log import Metrics, logged
from kdjax.system import progress, runtime
from kdjax.system.errors import UserError
from kdjax.training import fit, train
from kdjax.training.fit import Interrupted
from tests.helpers import assert_identical, assert_same_structure, evaluated, small, stop_at

pytestmark = [
    pytest.mark.usefixtures("one_device"),
    # Optax's bias correction raises a float to an integer power.
    pytest.mark.usefixtures("standard"),
]


def values(directory):
    """Every array in every checkpoint of a workdir, by path."""
    import orbax.checkpoint as ocp
    import tensorstore  # noqa: F401  (Orbax's storage)

    trees = {}
    for stage in sorted((directory / "checkpoints").iterdir()):
        for step in sorted(stage.iterdir()):
            for item in ("networks", "rest", "selected"):
                if (step / item).exists():
                    with ocp.StandardCheckpointer() as reader:
                        tree = reader.restore((step / item).absolute())
                    trees[f"{stage.name}/{step.name}/{item}"] = tree
    return trees


def assert_same_run(one, other):
    import jax

    first, second = values(one), values(other)
    assert first.keys() == second.keys()
    for path in first:
        assert_same_structure(first[path], second[path])
        for x, y in zip(jax.tree.leaves(first[path]), jax.tree.leaves(second[path]), strict=True):
            np.testing.assert_array_equal(x, y, err_msg=path)
    assert (one / "metrics.jsonl").read_text() == (other / "metrics.jsonl").read_text()
    results = [json.loads((d / "result.json").read_text())["networks"] for d in (one, other)]
    assert results[0] == results[1]


@pytest.fixture(scope="module")
def distilled(tmp_path_factory):
    """An uninterrupted run of teacher, student and baseline: 3 stages of 12 steps."""
    import jax

    directory = tmp_path_factory.mktemp("runs") / "kd"
    devices = jax.local_devices
    jax.local_devices = lambda: devices()[:1]
    try:
        with jax.numpy_dtype_promotion("standard"):
            result = train.run(small(kd), directory)
    finally:
        jax.local_devices = devices
    return directory, result


def test_result_has_what_tools_rely_on(distilled):
    directory, result = distilled
    assert result == json.loads((directory / "result.json").read_text())
    assert result["finished"]
    assert set(result["networks"]) == {"teacher", "student", "baseline"}
    for figures in result["networks"].values():
        assert figures["parameters"] == 3_162
        assert figures["parameters_with_statistics"] == 3_226
        for split in ("validation", "test"):
            assert 0 <= figures[split]["accuracy"] <= 1
        assert set(figures["last"]) == {"step", "validation", "test"}
    assert result["data"]["examples"] == {"train": 143, "validation": 179, "test": 179}
    assert set(result["versions"]) >= {"python", "jax", "flax"}
    assert result["stages"]["student"] == result["stages"]["student"] | {
        "first_step": 12,
        "last_step": 24,
        "epochs": 3,
    }


def test_metrics_lines_have_steps_stages_and_flat_names(distilled):
    lines = [json.loads(line) for line in (distilled[0] / "metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines]
    assert steps == sorted(steps)
    student = [line for line in lines if line["stage"] == "student"]
    assert {"train/loss", "train/ce", "train/soft", "train/student/accuracy"} <= set(student[0])
    assert any("val/student/accuracy" in line for line in student)


def test_another_precision_is_another_config(distilled):
    changed = small(kd)
    changed.precision = "bfloat16"
    with pytest.raises(UserError, match="precision is float32 there and bfloat16 here"):
        train.run(changed, distilled[0])


def test_selected_step_is_validations_best(distilled):
    directory, result = distilled
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    seen = {
        line["step"]: line["val/student/accuracy"]
        for line in lines
        if "val/student/accuracy" in line
    }
    assert result["networks"]["student"]["validation"]["accuracy"] == max(seen.values())
    assert seen[result["networks"]["student"]["step"]] == max(seen.values())


@pytest.mark.parametrize(
    "stops",
    [*(pytest.param(stops, marks=pytest.mark.slow) for stops in ((3,), (8, 12))), (13, 14, 30)],
    ids=str,
)
def test_interrupted_runs_equal_the_uninterrupted_one(distilled, tmp_path, stops):
    """Stopped within an epoch, at an epoch's end, at a stage's end, and several times."""
    for stop in stops:
        with pytest.raises(Interrupted):
            train.run(small(kd), tmp_path / "run", stop_at(stop))
    train.run(small(kd), tmp_path / "run")
    assert_same_run(distilled[0], tmp_path / "run")


def test_a_run_that_died_equals_the_uninterrupted_one(distilled, tmp_path):
    """No warning, no last checkpoint; a line cut off in the middle."""

    class Died(Exception):
        pass

    def die(step):
        if step == 18:
            raise Died
        return False

    with pytest.raises(Died):
        train.run(small(kd), tmp_path / "run", die)
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 18, "sta')
    train.run(small(kd), tmp_path / "run")
    assert_same_run(distilled[0], tmp_path / "run")


def test_streamed_runs_equal_resident_ones_also_when_interrupted(distilled, tmp_path):
    """Batches read from the host, stopped within an epoch and at a stage's end."""

    def streaming():
        config = small(kd)
        config.data.input, config.data.workers = "streaming", 0
        return config

    for stop in (7, 24):
        with pytest.raises(Interrupted):
            train.run(streaming(), tmp_path, stop_at(stop))
    result = train.run(streaming(), tmp_path)
    assert result["data"]["input"] == "streaming"
    assert_same_run(distilled[0], tmp_path)
    figures = evaluated(tmp_path)["networks"]
    assert figures["student"]["accuracy"] == result["networks"]["student"]["test"]["accuracy"]


def test_the_split_is_recorded_and_must_stay(distilled, tmp_path):
    """A run whose split was another one neither goes on nor is evaluated."""
    directory, result = distilled
    record = json.loads((directory / "split.json").read_text())
    split = record["ids"]
    assert {name: len(ids) for name, ids in split.items()} == result["data"]["examples"]
    assert len({index for ids in split.values() for index in ids}) == sum(map(len, split.values()))
    shutil.copytree(directory, tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    split["train"][-1], split["validation"][-1] = split["validation"][-1], split["train"][-1]
    (tmp_path / "run" / "split.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="another split of .*: the data has changed since"):
        train.run(small(kd), tmp_path / "run")
    with pytest.raises(UserError, match="another split of .*: the data has changed since"):
        evaluated(tmp_path / "run")


def test_where_images_are_may_change_but_not_what_they_are(tmp_path):
    def config():
        config = ce.get_config("folder")
        config.networks.student.model = "plain.plain2"
        config.data.path = str(tmp_path / "set.zip")
        config.data.data_dir = str(tmp_path / "data")
        config.data.size, config.data.augment.pad = 8, 1
        config.epochs, config.batch_size, config.tensorboard = 2, 8, False
        return config

    def write(path, labels):
        with zipfile.ZipFile(path, "w") as archive:
            for index, label in enumerate(labels):
                encoded = io.BytesIO()
                Image.new("L", (8, 8), 5 * index).save(encoded, "PNG")
                archive.writestr(f"{label}/{index}.png", encoded.getvalue())

    labels = ["dark"] * 20 + ["light"] * 20
    write(tmp_path / "set.zip", labels)
    with pytest.raises(Interrupted):
        train.run(config(), tmp_path / "run", lambda step: step == 2)
    moved = config()
    (tmp_path / "set.zip").rename(tmp_path / "moved.zip")
    moved.data.path, moved.data.input = str(tmp_path / "moved.zip"), "streaming"
    moved.data.workers = 0
    train.run(moved, tmp_path / "run")
    evaluated(tmp_path / "run", path=moved.data.path)
    write(tmp_path / "moved.zip", labels[::-1])
    with pytest.raises(UserError, match="the data has changed since"):
        evaluated(tmp_path / "run", path=moved.data.path)
    (tmp_path / "run" / "result.json").unlink()
    with pytest.raises(UserError, match="the data has changed since"):
        train.run(moved, tmp_path / "run")


def test_a_finished_run_is_not_repeated(distilled):
    directory, result = distilled
    before = (directory / "metrics.jsonl").stat().st_mtime_ns
    assert train.run(small(kd), directory) == result
    assert (directory / "metrics.jsonl").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("change", "listed"),
    [
        # Weights of four terms follow it.
        ({"alpha": 0.25}, "alpha is 0.5 there and 0.25 here"),
        ({"epochs": 2}, "epochs is 3 there and 2 here"),
        (
            {"epochs": 5, "data.seed": 4, "stages.student.terms.soft.weight": 0.1},
            "data.seed is 0 there and 4 here; epochs is 3 there and 5 here; "
            "stages.student.terms.soft.weight is alpha there and 0.1 here",
        ),
        (
            {"networks.student.model": "plain.plain4", "stages.student.epochs": 2},
            "networks.student.model is plain.plain2 there and plain.plain4 here; "
            "stages.student.epochs is 3 there and 2 here",
        ),
    ],
    ids=str,
)
def test_workdir_of_another_config_is_refused_naming_what_was_set(distilled, change, listed):
    config = small(kd)
    # The baseline's model follows the student's.
    config.networks.baseline.model = "plain.plain2"
    config.update_from_flattened_dict(change)
    with pytest.raises(UserError) as error:
        train.run(config, distilled[0])
    assert f"belongs to another config: {listed}. Choose another --workdir" in str(error.value)


def test_a_workdir_of_a_config_with_little_in_common_is_refused_in_a_short_line(distilled):
    with pytest.raises(UserError) as error:
        train.run(small(dml), distilled[0])
    method = "method is kd there and dml here"
    assert f"belongs to another config: {method}. Choose another --workdir" in str(error.value)


def constant(make, argument="", **epochs):
    """A config of constant learning rates, and other epochs."""
    config = small(make, argument)
    for stage in config.stages.values():
        stage.learning_rate_schedule = "learning_rate"
    config.update_from_flattened_dict(epochs)
    return config


def test_a_run_of_more_epochs_is_one_of_as_many_from_the_start(tmp_path, capsys):
    """Bit for bit where schedules are constant; also when it is stopped in what was added."""
    train.run(constant(ce, epochs=4), tmp_path / "whole")
    ended = train.run(constant(ce, epochs=2), tmp_path / "run")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text()
    with pytest.raises(Interrupted):
        train.run(constant(ce, epochs=4), tmp_path / "run", lambda step: step == 11)
    assert "student: goes on from step 8 with 4 epochs in place of 2" in capsys.readouterr().err
    with pytest.raises(UserError, match="epochs is 4 there and 2 here"):
        train.run(constant(ce, epochs=2), tmp_path / "run")
    result = train.run(constant(ce, epochs=4), tmp_path / "run")
    assert_same_run(tmp_path / "whole", tmp_path / "run")
    assert (tmp_path / "run" / "metrics.jsonl").read_text().startswith(lines)
    assert result["earlier_ends"] == {
        "student": [{"planned_epochs": 2, **ended["stages"]["student"]}]
    }
    assert result["stages"]["student"]["epochs"] == 4
    assert workdir.load_config(tmp_path / "run").epochs == 4
    assert (
        evaluated(tmp_path / "run")["networks"]["student"]["accuracy"]
        == (result["networks"]["student"]["test"]["accuracy"])
    )


def test_stages_that_others_have_learned_from_get_no_more_epochs(distilled, tmp_path):
    shutil.copytree(distilled[0], tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.json*")}
    config = small(kd)
    config.epochs = 4
    with pytest.raises(UserError) as error:
        train.run(config, tmp_path / "run")
    assert "'teacher' cannot have more epochs: 'student' has learned" in str(error.value)
    assert "Leave config key stages.teacher.epochs at 3, or choose another --workdir" in str(
        error.value
    )
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.json*")}
    config.stages.teacher.epochs = 3
    with pytest.raises(Interrupted):
        train.run(config, tmp_path / "run", lambda step: step == 27)
    result = train.run(config, tmp_path / "run")
    assert {name: stage["epochs"] for name, stage in result["stages"].items()} == {
        "teacher": 3,
        "student": 4,
        "baseline": 4,
    }
    assert result["networks"]["teacher"] == distilled[1]["networks"]["teacher"]
    lines = logged(tmp_path / "run")
    assert lines[: len(logged(distilled[0]))] == logged(distilled[0])
    steps = [(line["stage"], line["step"]) for line in lines if "train/loss" in line]
    assert len(set(steps)) == len(steps)
    assert sorted(step for stage, step in steps if stage == "student") == list(range(14, 29, 2))
    assert sorted(step for stage, step in steps if stage == "baseline") == list(range(26, 41, 2))


def test_a_stage_that_patience_ended_is_not_opened_again(tmp_path):
    config = constant(ce, epochs=6, patience=1)
    # Parameters stand still; validation changes with BatchNorm's statistics alone.
    config.stages.student.learning_rate = 1e-30
    ended = train.run(config, tmp_path)
    config.epochs = 7
    result = train.run(config, tmp_path)
    assert result["stages"] == ended["stages"]
    assert "earlier_ends" not in result


def test_a_checkpoint_that_is_gone_is_named(distilled, tmp_path):
    shutil.copytree(distilled[0], tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "student")
    record = evaluated(tmp_path / "run")
    assert list(record["networks"]) == ["teacher", "baseline"]
    assert list(record["missing"]) == ["student"]
    assert record["missing"]["student"] == "the checkpoint of stage 'student' is gone"
    with pytest.raises(UserError, match="'student': the checkpoint of stage 'student' is gone"):
        evaluated(tmp_path / "run", networks=("student",))
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    result["finished"] = False
    (tmp_path / "run" / "result.json").write_text(json.dumps(result))
    with pytest.raises(UserError, match="'student' has finished, but .* has no checkpoint of it"):
        train.run(small(kd), tmp_path / "run")


def test_what_is_set_in_vain_is_refused_for_a_new_run_alone(distilled, tmp_path):
    config = small(ce)
    with pytest.raises(UserError, match="config.temperature is read by nothing in this config"):
        train.run(
            config,
            tmp_path / "run",
            unread=effects.unread(ce.get_config(), ["epochs", "temperature"]),
        )
    config.teacher_cache, config.data.views = True, 2
    with pytest.raises(UserError, match="config.teacher_cache is True, but no stage reads"):
        train.run(config, tmp_path / "run")
    config = small(kd)
    config.stages.student.learning_rate_schedule = "steps(learning_rate, 0.1, at=())"
    with pytest.raises(UserError, match=r"at is \(\); it must be rising"):
        train.run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert train.run(small(kd), distilled[0], unread=["alpha"]) == distilled[1]


def test_a_checkpoint_of_another_architecture_is_refused(distilled):
    import jax

    directory, _ = distilled
    checkpoints = Checkpoints(directory, "student", read_only=True)
    good = checkpoints.item(24, "networks", _like(directory))
    wider = jax.tree.map(lambda x: jax.ShapeDtypeStruct((*x.shape, 2), x.dtype), good)
    with pytest.raises(UserError, match="another architecture or number of classes: student/"):
        checkpoints.item(24, "networks", wider)
    renamed = {"stranger": good["student"]}
    with pytest.raises(UserError, match="is absent there"):
        checkpoints.item(24, "networks", renamed)
    checkpoints.close()


def _like(directory):
    import jax

    from kdjax.config import build
    from kdjax.step.members import initial_networks

    plan = build.plan(workdir.load_config(directory), 1)
    return jax.jit(lambda: initial_networks(plan.stages[1].code, plan.stages[1].hyper))()


@pytest.mark.slow
def test_baseline_shares_the_students_initialisation_and_order(tmp_path):
    """With alpha 0 the student is the baseline, bit for bit, though trained a stage later."""
    config = small(dml)
    config.alpha = 0.0
    result = train.run(config, tmp_path)["networks"]
    assert result["peer_0"]["test"] == result["baseline"]["test"]
    assert result["peer_0"]["last"]["test"] == result["baseline"]["last"]["test"]
    assert result["peer_1"]["test"] != result["baseline"]["test"]


def test_refit_trains_on_validation_and_reports_the_last_step(tmp_path):
    config = small(dml, "digits,baseline=0")
    config.data.refit = True
    config.data.fraction = 1.0
    config.epochs = 1
    config.ramp_begin = config.ramp_finish = 0.0
    result = train.run(config, tmp_path)
    assert result["data"]["examples"]["train"] == 1439 + 179
    for figures in result["networks"].values():
        assert figures["validation"] is None
        assert figures["test"] == figures["last"]["test"]


def test_early_stopping_ends_a_stage_and_the_next_one_goes_on(tmp_path):
    config = small(kd, "digits,baseline=0")
    config.epochs = 6
    config.patience = 1
    # Parameters stand still; validation changes with BatchNorm's statistics alone.
    config.stages.teacher.learning_rate = 1e-30
    result = train.run(config, tmp_path)
    assert result["stages"]["teacher"]["epochs"] == 2
    assert result["networks"]["teacher"]["step"] == 4
    assert result["stages"]["student"]["first_step"] == 8


@pytest.mark.slow
def test_pmap_runs_and_resumes(tmp_path):
    config = small(dml, "digits,baseline=0")
    config.parallel = "pmap"
    whole = train.run(config, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train.run(config, tmp_path / "cut", lambda step: step == 5)
    progress = tmp_path / "cut/checkpoints/peers/5/progress/metadata"
    saved = progress.read_text()
    progress.write_text(saved.replace("pmap on 1 devices", "pmap on 3 devices"))
    with pytest.raises(UserError, match="saved under pmap on 3 devices, and this is pmap on 1"):
        train.run(config, tmp_path / "cut")
    progress.write_text(saved)
    train.run(config, tmp_path / "cut")
    assert_same_run(tmp_path / "whole", tmp_path / "cut")
    figures = evaluated(tmp_path / "whole")["networks"]["peer_0"]
    assert figures["accuracy"] == whole["networks"]["peer_0"]["test"]["accuracy"]


def test_a_teacher_is_the_same_after_distillation(distilled, tmp_path):
    """What the teacher's stage saved equals, bit for bit, what is there at the end."""
    with pytest.raises(Interrupted):
        train.run(small(kd), tmp_path / "run", lambda step: step == 12)
    before = values(tmp_path / "run")
    assert set(before) == {f"teacher/12/{item}" for item in ("networks", "rest", "selected")}
    train.run(small(kd), tmp_path / "run")
    after = values(tmp_path / "run")
    for path in before:
        assert_identical(before[path], after[path])


def test_divergence_is_an_error_with_the_step(tmp_path):
    config = small(kd, "digits,baseline=0")
    config.learning_rate = 1e30
    with pytest.raises(
        UserError, match=r"stage 'teacher' diverged: .* is (nan|inf) at step 2"
    ) as e:
        train.run(config, tmp_path)
    assert "after 1 update (learning rate 9.83e+29, weight 1): lower config.learning_rate" in str(
        e.value
    )
    config = small(kd, "digits,baseline=0")
    config.networks.student.model = "tests.own_models.nan"
    with pytest.raises(UserError) as error:
        train.run(config, tmp_path / "nan")
    assert "stage 'student' diverged: ce is nan at step 13, after 0 updates" in str(error.value)
    assert "no update came before; look at the outputs of student" in str(error.value)
    assert "lower config.learning_rate" not in str(error.value)


def test_short_stages_log_their_last_steps(tmp_path):
    config = small(kd, "digits,baseline=0")
    config.log_every = 5
    config.tensorboard = True
    train.run(config, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "train/loss" in line] == [5, 10, 12, 17, 22, 24]
    assert next(tmp_path.glob("events.out.tfevents.*")).stat().st_size > 500


def test_damaged_files_are_named(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\nnonsense\n{"step": 3}\n')
    with pytest.raises(UserError, match=r"metrics.jsonl, line 2 is damaged"):
        Metrics(tmp_path, steps={"student": 5}, tensorboard=False)
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2')
    assert logged(tmp_path) == [{"step": 1}]
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="is damaged: it has no data"):
        evaluated(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        evaluated(tmp_path)


def test_a_long_stage_says_how_long_it_takes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fit, "_LONG", 0.0)
    config = small(kd, "digits,baseline=0")
    config.log_every = 100
    clock = itertools.count()
    monkeypatch.setattr(fit, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    train.run(config, tmp_path)
    said = [line for line in capsys.readouterr().err.splitlines() if "s a step" in line]
    # Of 12 steps 4 are done: the first two compile, and this clock moves on whenever it is read.
    words = "1 s a step, 4.0 s an epoch, about 8.0 s left of this stage beside validation"
    assert said == [f"teacher: {words}; after it: student", f"student: {words}"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.25, "1.2 s"),
        (59, "59 s"),
        (119, "119 s"),
        (150, "2.5 min"),
        (5400, "90 min"),
        (9e3, "2.5 h"),
    ],
)
def test_durations(seconds, text):
    assert progress.duration(seconds) == text


def test_interrupt_asks_once_and_then_insists():
    import os
    import signal

    with runtime.catch_interrupts() as interrupt:
        assert not interrupt(1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt(2)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
