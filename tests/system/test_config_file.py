"""Configs by name and by path; what is wrong with a config file or an override is one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from kdjax.system import config_file, errors
from kdjax.system.errors import UserError

ROOT = Path(__file__).parents[2]


def told(error):
    message, *frames = errors.told(error)
    assert "\n" not in message
    return message, "\n".join(frames)


@pytest.fixture
def written(tmp_path):
    """`written(text)`: the path of a config file."""

    def write(text):
        path = tmp_path / "mine.py"
        path.write_text(text)
        return path

    return write


def refused(path):
    with pytest.raises(UserError) as caught:
        config_file.load(str(path))
    return told(caught.value)


def test_a_name_is_a_config_of_ours_with_or_without_a_data_set():
    named = config_file.load("kd:mnist")
    assert named.to_json() == config_file.load(str(ROOT / "configs" / "kd.py:mnist")).to_json()
    assert named.is_locked
    assert config_file.load("dml").data.name == "digits"


def test_every_config_has_all_keys():
    """Else its own file would be refused."""
    for name in config_file.names():
        assert config_file.load(name).method.startswith(name)


@pytest.mark.parametrize("path", ["nowhere.py", "configs/nowhere.py", "", "~/nowhere.py"])
def test_a_missing_file_leads_to_names(path):
    message, frames = refused(path)
    assert message.startswith(f"--config={path}: there is no such file")
    assert "teacher_free" in message
    assert not frames


def test_an_unknown_name_leads_to_the_nearest():
    assert "unknown config 'dlm'. Did you mean 'dml'?" in refused("dlm:mnist")[0]
    # It is in the folder, and no config.
    assert "unknown config 'parts'" in refused("parts")[0]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return {'epochs': 3}", "line 1: get_config returns dict, where it takes a ConfigDict"),
        ("pass", "line 1: get_config returns NoneType"),
    ],
)
def test_what_is_no_config(written, body, message):
    assert message in refused(written(f"def get_config(argument=''):\n    {body}"))[0]


LACKING = """
from ml_collections import ConfigDict
from configs import kd

def get_config(argument=""):
    config = kd.get_config(argument)
    with config.unlocked():
        {change}
    return config
"""


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        ("del config.epochs, config.data.views", "config.data.views, config.epochs"),
        ("del config.networks.student.model", "config.networks.student.model"),
        ("del config.stages.student.clip_norm", "config.stages.student.clip_norm"),
        ("del config.stages.student.terms.soft.weight", "config.stages.student.terms.soft.weight"),
        ("del config.data; config.data = 3", "keys of its own in config.data"),
        ("config = ConfigDict(dict(method='x'))", "config.alpha, config.batch_size"),
    ],
)
def test_keys_that_are_missing(written, change, keys):
    message = refused(written(LACKING.format(change=change)))[0]
    assert message.startswith(f"{written('').parent}/mine.py, line 5: ")
    assert f"the config of get_config has no {keys}" in message


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("import sys\nsys.exit()", 2, "it ends the program"),
        ("import sys\ndef get_config(a=''):\n    sys.exit(0)", 3, "it ends the program"),
        ("def get_config(a='')\n    pass", 1, "SyntaxError: expected ':'"),
        ("from configs import nothing", 1, "ImportError: cannot import name 'nothing'"),
        ("def get_config(a=''):\n    return {}['x']", 2, "KeyError: 'x'"),
        ("def get_config(a=''):\n    int(a or 'x')", 2, "ValueError: invalid literal"),
        ("\n\ndef get_config(a):\n    pass", 3, "get_config needs a text after a colon"),
    ],
)
def test_a_file_that_fails_is_named_with_its_line(written, text, line, message):
    path = written(text)
    said = refused(path)[0]
    assert said.startswith(f"{path}, line {line}: ")
    assert message in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("c.alhpa = 3", "config.alhpa: there is no such key; did you mean config.alpha?"),
        ("c.alhpa", "config.alhpa: there is no such key; did you mean config.alpha?"),
        ("a = c.data.augment; a.padd = 2", "config.data.augment.padd: there is no such key; did"),
        ("c.update(dict(zzz=2))", "config.zzz: there is no such key; there are: alpha, "),
        ("c.epochs = 'many'", "config.epochs takes a whole number, not 'many'"),
        ("c.data = 3", "config.data takes keys of its own, not 3"),
    ],
)
def test_what_a_locked_config_refuses_is_a_short_line(written, change, message):
    body = f"def get_config(a=''):\n    c = kd.get_config(a)\n    c.lock()\n    {change}"
    path = written(f"from configs import kd\n{body}")
    said = refused(path)[0]
    assert said.startswith(f"{path}, line 5: {message}")
    assert len(said) < 600


def test_frames_are_the_users_own(written):
    path = written(
        "import json\ndef get_config(a=''):\n    read()\ndef read():\n    json.loads('{')"
    )
    message, frames = refused(path)
    assert "JSONDecodeError" in message
    assert frames.count("File ") == 2
    assert "in get_config" in frames
    assert frames.index("in get_config") < frames.index("in read")


def test_a_refusal_of_ours_has_no_frames(written):
    path = written(
        "from configs import kd\ndef get_config(a=''):\n    return kd.get_config('mnits')"
    )
    message, frames = refused(path)
    assert message.startswith("unknown data set 'mnits'. Did you mean 'mnist'?")
    assert not frames


@pytest.mark.parametrize("content", [b"x = 1\0", b'x = "\xff"'])
def test_bytes_that_are_no_python(tmp_path, content):
    (tmp_path / "mine.py").write_bytes(content)
    assert "SyntaxError" in refused(tmp_path / "mine.py")[0]


def test_text_for_a_config_that_takes_none(written):
    path = written("def get_config():\n    pass")
    assert "line 1: get_config takes nothing after a colon" in refused(f"{path}:mnist")[0]


def test_without_get_config(written):
    assert refused(written("x = 1"))[0].endswith("mine.py has no function get_config")


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--config.alhpa=1", "config.alhpa: there is no such key; did you mean config.alpha?"),
        ("-config.alhpa", "config.alhpa: there is no such key; did you mean config.alpha?"),
        ("--noconfig.tensorbord", "did you mean config.tensorboard?"),
        (
            "--config.stages.studnt.epochs=1",
            "config.stages.studnt: there is no such key; did you mean config.stages.student?",
        ),
        (
            "--config.stages.student.optimisr=sgd",
            "did you mean config.stages.student.optimiser?",
        ),
        ("--config.alpha.start=1", "config.alpha.start: config.alpha is a float, which has no"),
        ("--config.zzz=1", "config.zzz: there is no such key; there are: alpha, "),
    ],
)
def test_a_wrong_key_is_named_with_its_path(flag, message):
    config = config_file.load("kd")
    right = ["--config.alpha=1", "--config.stages.student.epochs=2", "--workdir=config.x"]
    config_file.check_overrides(config, right)
    with pytest.raises(UserError) as caught:
        config_file.check_overrides(config, [*right, flag])
    assert message in told(caught.value)[0]


def test_configs_are_ours_where_another_package_has_the_name(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "__init__.py").write_text("")
    (tmp_path / "configs" / "base.py").write_text("theirs = True")
    program = """
import configs.base
from kdjax.system import config_file
assert configs.base.theirs
config_file.use_packaged_configs()
from configs import base
print(base.__file__)
before = base
config_file.use_packaged_configs()
from configs import base
assert base is before
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(ROOT / "configs" / "base.py")
