"""A method or a model of the user's own: files in a folder on the path, none of ours touched."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kdjax import discover
from kdjax.errors import UserError

ROOT = Path(__file__).parent.parent
TERM = '''
"""Half the squared distance of logits."""
import jax, jax.numpy as jnp
from kdjax.terms import no_state
from kdjax.types import Loss, Term

def make(*, task, student, teacher):
    def loss(state, view):
        target = jax.lax.stop_gradient(view.outputs[teacher].logits)
        return Loss(jnp.sum((view.outputs[student].logits - target) ** 2, axis=-1) / 2, "examples")
    return Term(no_state, loss, (student, teacher))
'''
MODEL = """
from flax import linen as nn

class Small(nn.Module):
    classes: int
    @nn.compact
    def __call__(self, x, *, train):
        stem = nn.relu(nn.Conv(4, (3, 3), strides=(2, 2))(x))
        return nn.Dense(self.classes)(stem.reshape(len(stem), -1)), {"stem": stem}

def small(*, classes, dropout=0.0):
    return Small(classes)
"""
CONFIG = """
from configs import base, parts

def get_config(argument=""):
    config = base.get_config(method="logits", dataset="digits")
    for name in ("teacher", "student"):
        config.networks[name] = parts.network(model="mine.models.small")
    parts.add_hard_stage(config, "teacher")
    terms = {
        "ce": parts.ce(config, network="student", weight=0.5),
        "logits": parts.term("mine.logits", student="student", teacher="teacher", weight=0.1),
    }
    parts.add_stage(config, "student", parts.stage(config, train=("student",), terms=terms))
    return config.lock()
"""


def test_a_method_and_a_model_from_a_folder_on_the_path(tmp_path):
    (tmp_path / "mine").mkdir()
    for name, text in (("logits", TERM), ("models", MODEL)):
        (tmp_path / "mine" / f"{name}.py").write_text(text)
    (tmp_path / "logits_config.py").write_text(CONFIG)
    before = list_of_files()
    call = [sys.executable, "-m", "kdjax.main", f"--config={tmp_path}/logits_config.py"]
    short = ["--config.epochs=1", "--config.data.fraction=0.2", "--config.tensorboard=False"]
    done = subprocess.run(
        [*call, *short, f"--workdir={tmp_path}/run"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "logits on digits" in done.stdout
    assert '"train/logits"' in (tmp_path / "run" / "metrics.jsonl").read_text()
    assert list_of_files() == before


def list_of_files():
    """Ours, as git would see them."""
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", ["nowhere.logits", "kdjax.logits"])
def test_a_module_that_is_not_on_the_path(name):
    with pytest.raises(UserError, match="on the path"):
        discover.module("kdjax.terms", name, "kind of term")


def test_an_own_module_that_lacks_something_else_says_so(tmp_path, monkeypatch):
    (tmp_path / "own_terms").mkdir()
    (tmp_path / "own_terms" / "broken.py").write_text("import a_library_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_not_there"):
        discover.module("kdjax.terms", "own_terms.broken", "kind of term")
