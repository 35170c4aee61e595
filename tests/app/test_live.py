"""What the live page shows of a run in progress."""

import json
import os

import pytest

from kdjax.app import live
from kdjax.app.live import Follower, StageLength

STAGES = [StageLength("teacher", 2, 20), StageLength("student", 4, 40)]


def row(step, stage, **values):
    return {"step": step, "stage": stage, **{k.replace("__", "/"): v for k, v in values.items()}}


def write_log(directory, rows, seconds):
    path = directory / "metrics.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in rows))
    os.utime(path, (seconds, seconds))


def read(folder):
    return json.loads((folder / live.FILE).read_text())


def test_progress_and_time_left_follow_the_log(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    follower = Follower(tmp_path, STAGES, tmp_path)
    follower.refresh()
    state = read(tmp_path)
    assert (state["step"], state["seconds_left"], state["panels"]) == (0, None, [])
    rows = [row(10, "teacher", val__teacher__accuracy=0.5)]
    write_log(tmp_path, rows, 1000)
    follower.refresh()
    assert read(tmp_path)["seconds_left"] is None
    rows.append(row(15, "teacher", val__teacher__accuracy=0.75))
    write_log(tmp_path, rows, 1010)
    follower.refresh()
    state = read(tmp_path)
    # Two seconds a step, and 5 + 40 steps are left.
    assert state["seconds_left"] == pytest.approx(90)
    assert [(stage["done"], stage["left"], stage["state"]) for stage in state["stages"]] == [
        (15, 5, "running"),
        (0, 40, "waiting"),
    ]
    (panel,) = state["panels"]
    assert panel["title"] == "Validation accuracy"
    assert panel["curves"] == [{"name": "teacher", "lines": [[[10, 0.5], [15, 0.75]]]}]


def test_a_finished_stage_counts_as_long_as_it_was(tmp_path):
    """Patience has ended the first stage after 12 of its 20 steps."""
    rows = [row(12, "teacher", train__ce=1.0), row(22, "student", train__ce=0.5)]
    finished = {"teacher": {"last_step": 12}}
    teacher, student = live.stage_progress(STAGES, rows, finished)
    assert (teacher["state"], teacher["left"]) == ("finished", 0)
    assert (student["state"], student["done"], student["left"]) == ("running", 10, 30)


def test_without_two_looks_the_speed_is_that_of_checkpoints(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    os.utime(tmp_path / "config.json", (500, 500))
    folder = tmp_path / "checkpoints" / "teacher" / "10"
    folder.mkdir(parents=True)
    os.utime(folder, (510, 510))
    # A checkpoint that is being written.
    (folder.parent / "11.orbax-checkpoint-tmp").mkdir()
    times = live.checkpoint_times(tmp_path)
    assert times == [(500, 0), (510, 10)]
    assert live.seconds_left(times, 30) == 30
    assert live.seconds_left(times[:1], 30) is None
    assert live.seconds_left([(5, 3), (5, 3)], 30) is None


def test_panels_hold_every_metric_once():
    rows = [
        row(1, "a", train__x__accuracy=0.1, train__loss=2.0, train__soft=1.0),
        row(1, "a", val__x__accuracy=0.2, val__x__loss=0.3),
        row(2, "a", train__learning_rate=0.1, train__soft__temperature=4.0),
        row(3, "b", val__x__accuracy=0.4),
    ]
    by_title = {panel["title"]: panel for panel in live.panels(rows)}
    names = {title: [c["name"] for c in panel["curves"]] for title, panel in by_title.items()}
    assert names == {
        "Validation accuracy": ["x"],
        "Training accuracy": ["x"],
        "Validation loss": ["x"],
        "Loss terms": ["loss", "soft"],
        "Schedules": ["learning_rate", "soft/temperature"],
    }
    # One stage's end is not joined with the next stage's start.
    assert by_title["Validation accuracy"]["curves"][0]["lines"] == [[[1, 0.2]], [[3, 0.4]]]
    assert [panel["percent"] for panel in by_title.values()] == [True, True, False, False, False]


def test_long_curves_are_thinned_and_keep_their_end_and_many_are_counted():
    rows = [row(step, "a", val__x__accuracy=step / 5000) for step in range(1, 5001)]
    ((line,),) = (curve["lines"] for curve in live.panels(rows)[0]["curves"])
    assert 200 <= len(line) <= 400
    assert line[-1] == [5000, 1.0]
    steps = [step for step, _ in line]
    assert steps == sorted(steps)
    many = [row(1, "a", **{f"val__x{i}__accuracy": 0.5 for i in range(30)})]
    (panel,) = live.panels(many)
    assert (len(panel["curves"]), panel["hidden"]) == (12, 18)


def test_a_damaged_log_is_shown_as_its_line(tmp_path):
    (tmp_path / "metrics.jsonl").write_text("no json\n")
    Follower(tmp_path, STAGES, tmp_path).refresh()
    assert "line 1 is damaged" in read(tmp_path)["error"]
