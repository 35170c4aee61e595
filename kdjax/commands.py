"""`kdjax COMMAND ...`: the same as `python -m kdjax.<module> ...`."""

import os
import runpy
import sys

from kdjax.system import errors

COMMANDS = {
    "train": ("main", "train what a config says"),
    "sweep": ("sweep", "train a grid of students at once"),
    "evaluate": ("evaluate", "evaluate the networks of runs"),
    "report": ("report", "write a report of runs, with tables and figures"),
    "app": ("serve_app", "look at runs in a browser"),
    "import": ("import_weights", "import a pretrained network from a weight file"),
    "export": ("export", "export a network as a file that runs elsewhere"),
    "predict": ("predict", "predict the classes of new images"),
    "prepare": ("prepare", "prepare a data set, or look at one"),
}
"""Each command's module and what it does."""


def main() -> None:
    """Runs the command that the first argument names, or lists the commands."""
    name, *arguments = sys.argv[1:] or [""]
    if name not in COMMANDS:
        if name in ("--help", "-h", "help"):
            print(_list())
            return
        near = errors.nearest(name, COMMANDS)
        hint = f"; did you mean {near}?" if near else ""
        problem = f"unknown command {name!r}{hint}" if name else "a command is needed"
        print(f"kdjax: {problem}\n{_list()}", file=sys.stderr)
        sys.exit(2)
    sys.argv = [sys.argv[0], *arguments]
    # As for `python -m`: models and terms of the user's own are found from here.
    if not sys.flags.safe_path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    runpy.run_module(f"kdjax.{COMMANDS[name][0]}", run_name="__main__", alter_sys=True)


def require_command(module: str) -> None:
    """Ends the program where `python -m MODULE` names a module of kdjax that is no command."""
    known = ["kdjax.__main__", *(f"kdjax.{command}" for command, _ in COMMANDS.values())]
    if module.startswith("kdjax.") and module not in known:
        names = ", ".join(COMMANDS)
        print(f"kdjax: {module} is no command; these are, after kdjax: {names}", file=sys.stderr)
        sys.exit(2)


def _list() -> str:
    return "\n".join(
        [
            "usage: kdjax COMMAND --FLAG=VALUE ...; kdjax COMMAND --help lists its flags",
            *(f"  {name:<10}{what}" for name, (_, what) in COMMANDS.items()),
        ]
    )
