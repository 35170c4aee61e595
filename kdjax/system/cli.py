"""Flags and errors of all commands: an error that the user can mend is one line and exit code 2."""

import copy
import functools
import operator
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from logging import ERROR, getLogger
from typing import Any, NoReturn

from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags

from kdjax.system import config_file, errors
from kdjax.system.errors import UserError


def launch(
    main: Callable[..., None], define: Callable[[], object], *, takes_arguments: bool = False
) -> None:
    """Defines the flags, parses them and runs `main`.

    With `takes_arguments`, `main` gets the list of the arguments that are no flags; other commands
    refuse such arguments. Flags are not defined on import, so that several commands can be imported
    together.
    """
    config_file.use_packaged_configs()
    define()
    # --help shows the flags of the main module only; it should show those of other modules too.
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        for flag in defined if not module.startswith("absl.") else ():
            flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    run = functools.partial(_run, main, takes_arguments)
    app.run(run, flags_parser=_parse)


def define_config() -> None:
    """The flag `--config`, with its overrides `--config.KEY=VALUE`."""
    config_flags.DEFINE_config_file(
        "config",
        None,
        "A config of kdjax's by its name, or any config file by its path; then a colon and its "
        "data set: dml:mnist, configs/dml.py:mnist.",
    )
    flags.FLAGS["config"].parser = _ConfigParser()
    config_flags.register_flag_parser_for_type(config_file.Formula, _FormulaParser())


def define_path(name: str, default: str | None, help: str, *, several: bool = False) -> None:
    """A flag for the path of a file or folder, which must not be empty; `~` is the home folder."""
    if several:
        flags.DEFINE_multi(_PathParser(), flags.ArgumentSerializer(), name, default, help)
    else:
        flags.DEFINE(_PathParser(), name, default, help)


def config_value() -> ConfigDict:
    """The config that `--config` and its overrides describe.

    Raises:
        UserError: `--config` is missing.
    """
    value = flags.FLAGS.config
    if value is None:
        raise UserError(
            "--config=NAME or --config=FILE is needed, as --config=dml; there are: "
            f"{', '.join(sorted(config_file.names()))}"
        )
    return value


def config_overrides() -> tuple[ConfigDict, list[str]]:
    """The config as its file makes it, and the dotted keys that the command line overrides."""
    flag = flags.FLAGS["config"]
    assert isinstance(flag.parser, _ConfigParser)
    return flag.parser.as_written, list(config_flags.get_override_values(flag))


class _ConfigParser(flags.ArgumentParser):
    """Loads config files as `config_file` does; ml_collections then sets the overridden keys."""

    def parse(self, argument: str) -> ConfigDict:
        config = config_file.load(argument)
        arguments = flags.FLAGS.read_flags_from_files(sys.argv, force_gnu=False)
        config_file.check_overrides(config, arguments)
        self.as_written = copy.deepcopy(config)
        return config


class _FormulaParser(flags.ArgumentParser):
    def parse(self, argument: str) -> float | str:
        try:
            return float(argument)
        except ValueError:
            return argument


class _PathParser(flags.ArgumentParser):
    def parse(self, argument: str) -> str:
        if not argument.strip():
            raise ValueError("it is empty; name a file or folder, or leave the flag out")
        return os.path.expanduser(argument)


def _run(main: Callable[..., None], takes_arguments: bool, arguments: Sequence[str]) -> None:
    _hush()
    if len(arguments) > 1 and not takes_arguments:
        _fail(f"unexpected argument {arguments[1]!r}: flags start with --")
    try:
        main(*([list(arguments[1:])] if takes_arguments else []))
    except KeyboardInterrupt:
        _fail("interrupted; what the last checkpoint holds is safe")
    except (Exception, SystemExit) as error:
        _fail_if_mendable(error)
        raise


def _hush() -> None:
    """Hides libraries' messages to programmers; `python -W` or PYTHONWARNINGS show warnings."""
    # JAX and Orbax log many lines at the level INFO.
    logging.set_verbosity(logging.WARNING)
    sys.unraisablehook = _report_unraisable
    # TensorFlow reads these when it is imported. Its C++ code logs processor features and oneDNN.
    for name, value in (("TF_CPP_MIN_LOG_LEVEL", "1"), ("TF_ENABLE_ONEDNN_OPTS", "0")):
        os.environ.setdefault(name, value)
    for library in ("PIL", "matplotlib"):
        getLogger(library).setLevel(ERROR)
    if not sys.warnoptions:
        warnings.showwarning = _show_own


def _show_own(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any
) -> None:
    """Shows only warnings about the user's own files."""
    if errors.is_own(filename):
        print(f"kdjax: {filename}, line {lineno}: {category.__name__}: {message}", file=sys.stderr)


def _report_unraisable(unraisable: Any) -> None:
    """Skips the message of Orbax's threads about a failed read, which has been reported already."""
    if str(unraisable.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(unraisable)


def _parse(arguments: Sequence[str]) -> list[str]:
    """Parses the flags, and ends the program with one line if they are wrong."""
    try:
        return flags.FLAGS(list(arguments))
    except SystemExit:
        # After --help, absl would exit with code 1.
        sys.exit(0)
    except Exception as error:
        _fail_if_mendable(error)
        if isinstance(error, flags.UnrecognizedFlagError) and "config" in flags.FLAGS:
            _fail_if_config_key(error.flagname)
        if "in argv before a value for --config" in str(error):
            _fail("put --config=... first, ahead of every --config.KEY=VALUE")
        if isinstance(error, flags.IllegalFlagValueError):
            _fail_if_wrong_type(str(error))
        if isinstance(error, flags.Error):
            # absl prints an error that has several arguments as a tuple.
            reason = error.__context__ or error
            _fail(str(error).replace(str(reason), ", ".join(map(str, reason.args))))
        # ml_collections raises many kinds of errors about values that do not fit their keys.
        _fail(errors.describe(error))


def _fail_if_config_key(name: str) -> None:
    """Ends the program if an unknown flag was meant as `--config.KEY`."""
    if name.removeprefix("no").startswith("config."):
        _fail(f"--{name} needs --config=NAME or --config=FILE ahead of it")
    from configs import base

    first, dot, key = name.partition(".")
    if not (dot and errors.nearest(first, ["config"])):
        first, key = "", name
    if first or key.partition(".")[0] in base.get_config(method="", dataset="digits"):
        _fail(f"unknown flag --{name}; did you mean --config.{key}?")


def _fail_if_wrong_type(message: str) -> None:
    """Ends the program if the value for a numeric key of the config is no number."""
    match = re.match(r"flag --config\.([\w.]+)=(.*): (invalid literal|could not convert)", message)
    if match:
        kind = config_file.kind(operator.attrgetter(match[1])(flags.FLAGS.config))
        _fail(f"--config.{match[1]} takes {kind}, not {match[2]}")


def _fail_if_mendable(error: BaseException) -> None:
    """Ends the program if the user can mend the error; otherwise the caller reports it in full."""
    if lines := errors.lines_for_user(error):
        _fail(*lines)


def _fail(message: str, *frames: str) -> NoReturn:
    print(f"kdjax: {' '.join(message.split())}", *frames, sep="\n", file=sys.stderr)
    sys.exit(2)
