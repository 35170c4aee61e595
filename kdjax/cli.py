"""What the commands share: every error that the user can mend is one line and exit code 2."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import app, flags, logging

from kdjax.errors import UserError


def launch(main: Callable[[], None], define: Callable[[], object]) -> None:
    """Defines the flags, parses them and runs `main`.

    Flags are defined here and not on import, so that commands can be imported side by side.
    """
    define()
    app.run(_guarded(main), flags_parser=_parse)


def config_value() -> Any:
    """The config that `--config` and its overrides describe.

    Raises:
        UserError: `--config` is missing, or names no readable config file.
    """
    value = flags.FLAGS.config
    if value is None:
        raise UserError("--config=FILE is needed, as --config=configs/dml.py")
    try:
        value.to_dict()
    except OSError as error:
        # What ml_collections puts in the place of a file that it did not find.
        raise UserError(f"--config: {_one_line(error.__cause__ or error)}") from error
    return value


def _guarded(main: Callable[[], None]) -> Callable[[Sequence[str]], None]:
    def guarded(arguments: Sequence[str]) -> None:
        # JAX and Orbax say much at the level below.
        logging.set_verbosity(logging.WARNING)
        sys.unraisablehook = _once
        if len(arguments) > 1:
            _fail(f"unexpected argument {arguments[1]!r}: flags start with --")
        try:
            main()
        except UserError as error:
            _fail(str(error))
        except KeyboardInterrupt:
            _fail("interrupted; what the last checkpoint holds is safe")

    return guarded


def _once(unraisable: Any) -> None:
    """Leaves out what Orbax's threads say of a read whose failure has been told already."""
    if str(unraisable.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(unraisable)


def _parse(arguments: Sequence[str]) -> list[str]:
    """Flags, with one line for whatever is wrong with them."""
    try:
        return flags.FLAGS(list(arguments))
    except SystemExit:
        # Help has been printed; absl ends with 1 after it.
        sys.exit(0)
    except UserError as error:
        _fail(str(error))
    except (flags.Error, AttributeError, KeyError) as error:
        # ml_collections reports an unknown config key as an AttributeError, with the nearest name
        # where one is near, and with nothing but the key elsewhere.
        text = _one_line(error).strip("'\"")
        _fail(f"the config has no key {text!r}" if " " not in text else text)
    except Exception as error:
        # The config file is Python: whatever it raises is the user's to mend.
        _fail(f"--config: {type(error).__name__}: {_one_line(error)}")
    raise AssertionError


def _one_line(error: BaseException) -> str:
    """The end of a chain of causes: what a config file raised, or what a flag said."""
    text = str(error.args[0]) if error.args and isinstance(error.args[0], str) else str(error)
    if "Traceback" in text:
        # What a config file raised, as ml_collections passes it on.
        text = [line for line in text.splitlines() if line.strip() and "--help" not in line][-1]
    text = " ".join(text.replace("\\n", " ").split())
    return text[1:-1] if text[:1] == text[-1:] == "'" else text


def _fail(message: str) -> None:
    print(f"kdjax: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)
