"""A method or a model of the user's own: files in a folder on the path, none of ours touched."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from configs import kd, parts
from kdjax.config import build
from kdjax.system import discover, errors
from kdjax.system.errors import UserError
from tests.helpers import small

ROOT = Path(__file__).parents[2]
TERM = '''
"""Half the squared distance of logits."""
import jax, jax.numpy as jnp
from kdjax.terms import no_state
from kdjax.step.types import Loss, Term

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


@pytest.fixture
def own(tmp_path, monkeypatch):
    """`own(text)`: the path and the name of a module of the user's own."""
    package = tmp_path / f"own_{tmp_path.name}"
    package.mkdir()
    monkeypatch.syspath_prepend(tmp_path)

    def write(text):
        (package / "file.py").write_text(text)
        return package / "file.py", f"{package.name}.file"

    return write


def refused(config):
    """What a user is told of a config that is no plan, in a line and the user's own frames."""
    with pytest.raises((Exception, SystemExit)) as caught:
        build.plan(config, devices=1)
    message, *frames = errors.lines_for_user(caught.value)
    assert "\n" not in message
    assert not any(f"{ROOT / 'kdjax'}" in frame for frame in frames)
    return message, "\n".join(frames)


def with_term(kind, **wiring):
    config = small(kd, "digits,baseline=0")
    wiring = {"student": "student", "teacher": "teacher"} | wiring
    with config.unlocked():
        config.stages.student.terms.own = parts.term(kind, weight=1.0, **wiring)
    return config


LOSS = """
from kdjax.terms import no_state
from kdjax.step.types import Loss, Term

def make(*, task, student, teacher):
    def loss(state, view):
        return helper(view.outputs[student].logits)
    return Term(no_state, loss, (student, teacher))

def helper(logits):
    {body}
"""


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("def make(*, task, student, teacher)\n    pass", 1, "SyntaxError: expected ':'"),
        ("\nimport not_installed", 2, "ModuleNotFoundError: No module named 'not_installed'"),
        ("\nimport sys\nsys.exit()", 3, "it ends the program"),
        ("def make(*, task, student, teacher):\n    return {}['x']", 2, "KeyError: 'x'"),
        (
            "def make(*, task, student, teacher):\n    return [].x",
            2,
            "AttributeError: 'list' object has no attribute 'x'",
        ),
        (LOSS.format(body="raise RuntimeError('of mine')"), 11, "RuntimeError: of mine"),
        (
            LOSS.format(body="return logits @ logits"),
            11,
            "term 'own' of stage 'student' does not fit: ",
        ),
        (LOSS.format(body="return {}['x']"), 11, "term 'own' of stage 'student' needs 'x'"),
        (LOSS.format(body="assert logits is None"), 11, "AssertionError"),
    ],
)
def test_a_term_that_raises_is_named_with_its_line(own, text, line, message):
    path, name = own(text)
    said, frames = refused(with_term(name))
    assert said.startswith(f"{path}, line {line}: {message}")
    last = frames.splitlines()
    assert any(f'File "{path}", line {line}' in one for one in last)
    if "helper" in text:
        assert frames.index("in loss") < frames.index("in helper")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", " has no function make: kind of term in config.stages.student.terms.own needs"),
        (
            "def make(*, task, student, teacher, layer):\n    pass",
            ", line 1: config.stages.student.terms.own, a ",
        ),
        (
            "\ndef make(*, task, student, teacher):\n    pass",
            ", line 2: make returns no Term for config.stages.student.terms.own",
        ),
    ],
)
def test_a_file_that_is_no_term(own, text, message):
    path, name = own(text)
    said, frames = refused(with_term(name))
    assert said.startswith(f"{path}{message}")
    assert not frames


@pytest.mark.parametrize("kind", ["..", "own.", ".own", "own-terms.file"])
def test_a_kind_that_is_no_modules_name(kind):
    said, _ = refused(with_term(kind))
    assert f"{kind!r}: <folder>.<file> is the form of a module's name" in said


OWN_MODEL = """
from flax import linen as nn

class Own(nn.Module):
    classes: int
    @nn.compact
    def __call__(self, x, *, train):
        logits = nn.Dense(self.classes)(x.reshape(len(x), -1))
        {body}

def own(*, classes, dropout):
    return Own(classes)
"""


def with_model(name):
    config = small(kd, "digits,baseline=0")
    config.networks.student.model = name
    return config


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return", "it returns NoneType, not (logits, features)"),
        ("return logits", "it returns an array, not (logits, features)"),
        ("return logits.mean()", "it returns an array, not (logits, features)"),
        ("return logits, logits", "it returns tuple, not (logits, features) with features a dict"),
        ("return logits.mean(), {}", "its logits are () for two images"),
    ],
)
def test_a_model_that_returns_something_else(own, body, message):
    path, name = own(OWN_MODEL.format(body=body))
    said, frames = refused(with_model(f"{name}.own"))
    assert said.startswith(f"{path}, line 11: network 'student' ({name}.own) does not fit images")
    assert message in said
    assert not frames


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return logits @ logits, {}", "network 'student' ("),
        ("return {}['x'], {}", "KeyError: 'x'"),
        ("return self.other, {}", "AttributeError: "),
        ("raise NotImplementedError", "NotImplementedError"),
    ],
)
def test_a_model_that_raises_is_named_with_its_line(own, body, message):
    path, name = own(OWN_MODEL.format(body=body))
    said, frames = refused(with_model(f"{name}.own"))
    assert said.startswith(f"{path}, line 9: {message}")
    assert "in __call__" in frames
    assert "flax" not in frames


def test_a_model_may_be_a_partial_object(own):
    text = OWN_MODEL.format(body="return logits, {}") + "\nfrom functools import partial\n"
    path, name = own(text + "short = partial(Own)\nwhole = partial(own, dropout=0.0)\n")
    assert discover.model(f"{name}.whole")(classes=3).classes == 3
    said, _ = refused(with_model(f"{name}.short"))
    assert said.startswith(f"{path}, line 4: model {name}.short must take dropout, as def short(")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def own(*, classes, dropout):\n    pass", "own returns NoneType, no Flax module"),
        ("def own(*, classes):\n    pass", "own must take dropout, as def own(*, classes, dro"),
        ("def own():\n    pass", "own must take classes and dropout, as def own(*, classes, dropo"),
    ],
)
def test_a_function_that_makes_no_network(own, text, message):
    path, name = own(text)
    said, frames = refused(with_model(f"{name}.own"))
    assert said.startswith(f"{path}, line 1: ")
    assert message in said
    assert not frames


def test_a_model_without_its_file_leads_to_its_whole_name():
    with pytest.raises(UserError, match="Did you mean 'cifar_resnet.resnet20'?"):
        discover.model("resnet20")
