"""CachedOutputs that are computed once are what the teacher answers in every step, half-rounded."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import assistants, at, kd
from kdjax import sweep
from kdjax.config import build
from kdjax.step import step
from kdjax.system.errors import UserError
from kdjax.training import teacher_cache, train
from tests.helpers import differ, small, stop_at
from tests.training.test_run import values

pytestmark = [pytest.mark.usefixtures("one_device"), pytest.mark.usefixtures("standard")]


@pytest.fixture(autouse=True)
def data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def config(method=kd, *, cached=True, pad=0, views=0, parallel="jit"):
    settings = small(method, "digits,baseline=0")
    with settings.unlocked():
        settings.teacher_cache, settings.data.views, settings.data.augment.pad = cached, views, pad
        settings.parallel = parallel
        settings.epochs, settings.stages.teacher.epochs = 2, 1
    return settings


def student(directory):
    trees = values(directory)
    last = max(
        (path for path in trees if path.startswith("student") and "networks" in path),
        key=lambda path: int(path.split("/")[1]),
    )
    return trees[last]["student"]


def rounded(monkeypatch):
    """Lets frozen networks run in every step, and rounds what they put out."""
    outputs = step._outputs

    def half(code, name, state, batch, view):
        exact = outputs(code, name, state, batch, view)
        return jax.tree.map(lambda x: x.astype(jnp.float16).astype(jnp.float32), exact)

    monkeypatch.setattr(step, "_outputs", half)


@pytest.mark.parametrize(
    ("method", "change"),
    [
        (kd, dict(pad=1, views=2)),
        pytest.param(at, {}, marks=pytest.mark.slow),
        pytest.param(kd, dict(parallel="pmap"), marks=pytest.mark.slow),
    ],
    ids=["views", "maps", "pmap"],
)
def test_training_is_that_of_rounded_answers(method, change, tmp_path, monkeypatch, data_dir):
    views = change.get("views", 0)
    train.run(config(method, **change), tmp_path / "cached")
    (folder,) = (data_dir / "kdjax" / "answers-1").iterdir()
    arrays = [np.load(array) for array in sorted(folder.iterdir())]
    assert len(arrays) == (1 if method is kd else 2)  # Logits, and the one map that is read.
    assert {(array.dtype, len(array)) for array in arrays} == {(np.dtype(np.float16), views or 1)}
    assert views < 2 or differ(arrays[0][0], arrays[0][1])
    rounded(monkeypatch)
    train.run(config(method, cached=False, **change), tmp_path / "rounded")
    same = zip(
        jax.tree.leaves(student(tmp_path / "cached")["params"]),
        jax.tree.leaves(student(tmp_path / "rounded")["params"]),
        strict=True,
    )
    for a, b in same:
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_answers_are_computed_once_for_one_teacher(tmp_path, monkeypatch, data_dir):
    kept = data_dir / "kdjax" / "answers-1"
    first = train.run(config(), tmp_path / "first")
    (folder,) = kept.iterdir()

    def never(*arguments):
        raise AssertionError("computed again")

    with monkeypatch.context() as patched:
        patched.setattr(teacher_cache, "Bar", never)
        second = train.run(config(), tmp_path / "second")
    assert first["networks"] == second["networks"]
    (folder / "0.npy").write_bytes(b"broken")
    with pytest.raises(UserError, match="damaged: remove it"):
        train.run(config(), tmp_path / "third")


@pytest.mark.slow
def test_another_teacher_has_answers_of_its_own(tmp_path, data_dir):
    train.run(config(), tmp_path / "first")
    another = config()
    another.stages.teacher.learning_rate = 0.01
    train.run(another, tmp_path / "another")
    assert len(list((data_dir / "kdjax" / "answers-1").iterdir())) == 2


@pytest.mark.slow
def test_a_cut_run_and_a_sweep_read_them_too(tmp_path):
    train.run(config(), tmp_path / "whole")
    for stop in (6, 9):
        with pytest.raises(train.Interrupted):
            train.run(config(), tmp_path / "cut", stop_at(stop))
    train.run(config(), tmp_path / "cut")
    assert not differ(student(tmp_path / "whole"), student(tmp_path / "cut"))
    swept = sweep.grid(config(), [("alpha", [0.5, 0.9])], 1, mode="separate")
    train.run(swept, tmp_path / "grid")
    trees = values(tmp_path / "grid")
    last = max(path for path in trees if path.startswith("student") and "networks" in path)
    member = next(tree for name, tree in trees[last].items() if "alpha=0.5" in name)
    assert not differ(student(tmp_path / "whole"), member)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"pad": 1}, "set config.data.views"), ({"mixup": 0.2}, "mixed images depend on the batch")],
)
def test_views_that_do_not_come_again_are_refused(change, message):
    settings = config()
    with settings.unlocked():
        settings.data.augment.update(change)
    with pytest.raises(UserError, match=message):
        build.plan(settings, 1)


@pytest.mark.slow
def test_a_stage_that_is_done_reads_no_answers(tmp_path, monkeypatch):
    chain = small(assistants, "digits,baseline=0")
    chain.teacher_cache, chain.epochs, chain.data.augment.pad = True, 1, 0
    asked = []
    cached_outputs = teacher_cache.cached_outputs

    def counted(plan, layout, train, stage, frozen):
        asked.append(stage.name)
        return cached_outputs(plan, layout, train, stage, frozen)

    monkeypatch.setattr(teacher_cache, "cached_outputs", counted)
    with pytest.raises(train.Interrupted):
        train.run(chain, tmp_path, lambda at: at == 10)
    assert asked == ["assistant_0", "student"]
    train.run(chain, tmp_path)
    assert asked == ["assistant_0", "student", "student"]
