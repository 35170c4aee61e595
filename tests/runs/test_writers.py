"""Disks that are full or cannot be written to: one line, and nothing half-written."""

import errno
import json
import os
import resource
import struct

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from kdjax.runs import metrics_log, workdir, writers
from kdjax.runs.checkpoint import Checkpoints, Saved
from kdjax.step.types import NetState, TrainState
from kdjax.system.errors import UserError


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.json", lambda path: writers.write_json(path, {"a": 1})),
        ("a.csv", lambda path: writers.write_csv(path, [{"a": 1}])),
        ("a.npz", lambda path: writers.write_arrays(path, {"a": np.zeros(3)})),
        (
            "metrics.jsonl",
            lambda path: metrics_log.Metrics(
                path.parent, steps={"a": 1}, tensorboard=False
            ).close(),
        ),
    ],
)
def test_a_full_disk_is_one_line_and_leaves_nothing_behind(tmp_path, name, write):
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"step": 1, "stage": "a"}) + "\n")
    before = sorted(tmp_path.iterdir())
    # Where this process writes, a device that is always full.
    (tmp_path / f".{name}.{os.getpid()}").symlink_to("/dev/full")
    with pytest.raises(UserError) as error:
        write(tmp_path / name)
    assert str(error.value).startswith(
        f"cannot write {tmp_path / name}: No space left on device. Mend that and run"
    )
    assert sorted(tmp_path.iterdir()) == before


def test_a_log_that_fills_the_disk_is_one_line(tmp_path):
    metrics = metrics_log.Metrics(tmp_path, steps={}, tensorboard=False)
    metrics._file.close()
    metrics._file = open("/dev/full", "a")  # noqa: SIM115
    for write in (lambda: metrics.write(1, "stage", {"loss": 1.0}), metrics.close):
        with pytest.raises(UserError, match=f"cannot write {tmp_path}: No space left on device"):
            write()


def events(path):
    """What an event file holds: length, checksum, content and checksum of each record."""
    content, found = path.read_bytes(), []
    while content:
        end = 12 + struct.unpack_from("<Q", content)[0]
        found.append(Event.FromString(content[12:end]))
        content = content[end + 4 :]
    return found


def test_tensorboard_gets_the_same_figures_and_drops_what_is_written_again(tmp_path):
    metrics = metrics_log.Metrics(tmp_path, steps={"stage": 4}, tensorboard=True)
    metrics.write(5, "stage", {"train/loss": 0.5, "train/accuracy": 0.25})
    (path,) = tmp_path.glob("events.out.tfevents.*")
    # Also while the run goes on.
    version, start, *lines = events(path)
    metrics.close()
    assert version.file_version == "brain.Event:2"
    assert (start.step, start.session_log.status) == (5, SessionLog.START)
    found = [(e.step, value.tag, value.simple_value) for e in lines for value in e.summary.value]
    assert found == [(5, "train/loss", 0.5), (5, "train/accuracy", 0.25)]


def test_a_log_whose_last_line_is_cut_off_is_said(tmp_path):
    whole, cut, none = (tmp_path / name for name in ("whole", "cut", "none"))
    for folder, text in ((whole, '{"step": 1}\n'), (cut, '{"step": 1}\n{"st')):
        folder.mkdir()
        (folder / "metrics.jsonl").write_text(text)
    (line,) = metrics_log.cut_off([whole, cut, none])
    assert line.startswith(f"{cut}/metrics.jsonl: its last line is cut off")
    assert metrics_log.logged(cut) == [{"step": 1}]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write .*file/folder: Not a directory"):
        writers.make_folder(tmp_path / "file" / "folder")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system"),
        (ValueError("RESOURCE_EXHAUSTED: Error [os_error_code='28']"), "No space left on device"),
        (ValueError("Error writing [OS error 28: ENOSPC ...]"), "No space left on device"),
    ],
)
def test_what_orbax_raises_is_one_line(tmp_path, monkeypatch, error, reason):
    checkpoints = Checkpoints(tmp_path, "student")

    def fail():
        try:
            raise error
        except Exception as cause:
            raise RuntimeError("a thread failed") from cause

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints._manager, "wait_until_finished", fail)
        with pytest.raises(UserError, match=f"cannot write .*checkpoints/student: {reason}"):
            checkpoints.close()
    checkpoints.close()


def test_errors_of_other_kinds_stay_what_they_are(tmp_path):
    with pytest.raises(ZeroDivisionError), writers.writing(tmp_path):
        _ = 1 / 0


@pytest.fixture
def small_files():
    """Files beyond 10 kB are refused by the system, as any are by a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
def test_a_checkpoint_that_does_not_fit_is_one_line_and_nothing_is_logged(tmp_path, caplog):
    checkpoints = Checkpoints(tmp_path, "student")
    noise = np.random.default_rng(0).normal(size=(100, 100)).astype(np.float32)
    state = TrainState(np.int32(0), {"student": NetState({"kernel": noise}, {})}, {}, {})
    checkpoints.save(1, Saved(state, {}, {"selected": {}}))
    with pytest.raises(UserError, match="cannot write .*checkpoints/student: File too large"):
        checkpoints.close()
    assert not caplog.records
    assert checkpoints.steps() == []


RESULT = {"finished": True, "networks": {}, "stages": {}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is damaged: Expecting value"),
        (b"\xff\x00garbage", "is damaged: "),
        (b"[]", "is damaged: it holds a list, and no object"),
        (b"{}", "is damaged: it has no finished, networks, stages"),
        (json.dumps(RESULT | {"networks": []}).encode(), "is damaged: it has no networks"),
        (json.dumps(RESULT | {"networks": {"a": {}}}).encode(), "networks.a is no record of a"),
    ],
)
def test_garbage_in_a_result_is_one_line(tmp_path, content, message):
    assert workdir.load_result(tmp_path) is None
    (tmp_path / "result.json").write_bytes(content)
    with pytest.raises(UserError, match=f"{tmp_path}/result.json.*{message}"):
        workdir.load_result(tmp_path)
