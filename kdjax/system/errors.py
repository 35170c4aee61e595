"""The exception for errors that the user can mend, and the user's own files in other errors."""

import difflib
import inspect
import sysconfig
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parents[1]
_NOT_OWN = (_PACKAGE, _PACKAGE.parent / "experiments", Path(sysconfig.get_path("stdlib")))


class UserError(Exception):
    """Bad input. The message is one line that says what is wrong, where, and what to do."""


def listed(items: Sequence[str], most: int, separator: str = ", ") -> str:
    """A text with the first `most` items and the number of the remaining items."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return separator.join(items[:most]) + more


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like `name`; empty if none is like it."""
    return next(iter(difflib.get_close_matches(name, [*known], n=1)), "")


def is_own(filename: str) -> bool:
    """Whether a source file is the user's own (a config, a model, a term)."""
    path = Path(filename)
    library = {"site-packages", "dist-packages"} & {*path.parts}
    return path.is_file() and not library and not any(map(path.is_relative_to, _NOT_OWN))


def own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames of an error, or else of its cause, in the user's own files; innermost last.

    The frames of a `UserError` itself are left out, because its message says everything.
    """
    frames = []
    if not isinstance(error, UserError):
        frames = [
            frame for frame in traceback.extract_tb(error.__traceback__) if is_own(frame.filename)
        ]
        if isinstance(error, SyntaxError) and error.filename and is_own(error.filename):
            # The file did not start to run, so there is no frame of it.
            text = (error.text or "").strip()
            frames.append(
                traceback.FrameSummary(error.filename, error.lineno, "<module>", line=text)
            )
    return own_frames(error.__cause__) if not frames and error.__cause__ else frames


def lines_for_user(error: BaseException) -> list[str]:
    """The report of an error that the user can mend: a message in one line, then own frames.

    Empty for an error without frames in the user's own files, which is a fault of kdjax or of a
    library.
    """
    frames = own_frames(error)
    if not frames and not isinstance(error, UserError):
        return []
    message = str(error) if isinstance(error, UserError) else describe(error)
    if frames:
        message = f"{frames[-1].filename}, line {frames[-1].lineno}: {message}"
    return [message, *(frame.rstrip() for frame in traceback.format_list(frames))]


def place(function: Any) -> str:
    """The file and line of a function, class or partial object."""
    function = inspect.unwrap(getattr(function, "func", function))
    try:
        return f"{inspect.getsourcefile(function)}, line {inspect.getsourcelines(function)[1]}"
    except (OSError, TypeError):
        return repr(function)


def describe(error: BaseException) -> str:
    """One line about an exception that is no `UserError`."""
    if isinstance(error, SystemExit):
        return "it ends the program: take sys.exit() out, or what calls it"
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    lines = [line for line in text.splitlines() if line.strip()]
    return ": ".join([type(error).__name__, *lines[:1]])
