"""The one exception that means: the user can mend this; and where in the user's own files it is."""

import inspect
import sysconfig
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parents[1]
_NOT_OWN = (_PACKAGE, _PACKAGE.parent / "experiments", Path(sysconfig.get_path("stdlib")))


class UserError(Exception):
    """Bad input. The message is one line that says what is wrong, where, and what to do."""


def listed(items: Sequence[str], most: int, separator: str = ", ") -> str:
    """The first `most` items as a text, and the number of the others."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return separator.join(items[:most]) + more


def is_own(filename: str) -> bool:
    """Whether a source file is the user's: a config, a model, a term; not a library's or ours."""
    path = Path(filename)
    library = {"site-packages", "dist-packages"} & {*path.parts}
    return path.is_file() and not library and not any(map(path.is_relative_to, _NOT_OWN))


def own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames of an error, or of its cause, that lie in the user's own files; innermost last.

    A `UserError` that has no cause says all that there is to say, wherever it was raised.
    """
    if isinstance(error, UserError):
        frames = []
    else:
        frames = [one for one in traceback.extract_tb(error.__traceback__) if is_own(one.filename)]
        if isinstance(error, SyntaxError) and error.filename and is_own(error.filename):
            # Python did not get as far as a frame in the file itself.
            frames.append(
                traceback.FrameSummary(
                    error.filename, error.lineno, "<module>", line=(error.text or "").strip()
                )
            )
    return own_frames(error.__cause__) if not frames and error.__cause__ else frames


def told(error: BaseException) -> list[str]:
    """What the user can mend: a line that names file and line, then the user's own frames.

    Nothing where that is not known: the error is then a fault of kdjax's, or of a library.
    """
    frames = own_frames(error)
    if not frames and not isinstance(error, UserError):
        return []
    message = str(error) if isinstance(error, UserError) else describe(error)
    if frames:
        message = f"{frames[-1].filename}, line {frames[-1].lineno}: {message}"
    return [message, *(frame.rstrip() for frame in traceback.format_list(frames))]


def place(function: Any) -> str:
    """The file and line of a function or class."""
    function = inspect.unwrap(function)
    try:
        return f"{inspect.getsourcefile(function)}, line {inspect.getsourcelines(function)[1]}"
    except (OSError, TypeError):
        return repr(function)


def describe(error: BaseException) -> str:
    """An exception that no part of kdjax has raised, in one line."""
    if isinstance(error, SystemExit):
        return "it ends the program: take sys.exit() out, or what calls it"
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    lines = [line for line in text.splitlines() if line.strip()]
    return ": ".join([type(error).__name__, *lines[:1]])
