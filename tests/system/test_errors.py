"""Which files are the user's own, and what is told of an error in them."""

import sysconfig
from pathlib import Path

import numpy as np
import pytest

from kdjax.system import errors
from kdjax.system.errors import UserError

ROOT = Path(__file__).parents[2]


def test_libraries_and_kdjax_are_not_the_users_own(tmp_path):
    own = tmp_path / "own.py"
    own.touch()
    assert errors.is_own(str(own))
    others = (
        ROOT / "kdjax" / "step.py",
        ROOT / "experiments" / "repeat.py",
        Path(sysconfig.get_path("stdlib"), "json", "decoder.py"),
        np.__file__,
        tmp_path / "is_not_there.py",
        "<frozen runpy>",
    )
    assert not any(errors.is_own(str(path)) for path in others)


def raised(path, text, **names):
    path.write_text(text)
    with pytest.raises((Exception, SystemExit)) as caught:
        exec(compile(text, str(path), "exec"), names)
    return caught.value


def test_an_error_of_a_library_in_an_own_file(tmp_path):
    path = tmp_path / "own.py"
    error = raised(path, "import json\n\njson.loads('{')")
    message, *frames = errors.lines_for_user(error)
    assert message.startswith(f"{path}, line 3: JSONDecodeError: Expecting")
    assert str(path) in frames[-1]
    assert "json.loads('{')" in frames[-1]
    assert "decoder.py" not in "".join(frames)


def test_a_cause_in_an_own_file_is_placed(tmp_path):
    path = tmp_path / "own.py"
    cause = raised(path, "\n1 / 0")
    error = UserError("term 'own' does not fit")
    assert errors.lines_for_user(error) == ["term 'own' does not fit"]
    error.__cause__ = UserError("on the way")
    error.__cause__.__cause__ = cause
    message, *frames = errors.lines_for_user(error)
    assert message == f"{path}, line 2: term 'own' does not fit"
    assert "1 / 0" in frames[-1]


def test_a_users_refusal_is_its_message_alone(tmp_path):
    error = raised(tmp_path / "own.py", "raise UserError('choose another')", UserError=UserError)
    assert errors.lines_for_user(error) == ["choose another"]


def test_an_error_that_no_own_file_has_is_not_told():
    """It is a fault of kdjax's: all of it is to be seen."""
    assert errors.lines_for_user(ValueError("of ours")) == []


def test_only_the_first_line_of_a_long_error_is_told():
    assert errors.describe(ValueError("\nfirst\nsecond")) == "ValueError: first"
    assert errors.describe(AssertionError()) == "AssertionError"
