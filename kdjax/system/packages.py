"""Optional packages: what is missing, and the command that installs it."""

import importlib.util
from collections.abc import Sequence

from kdjax.system.errors import UserError

EXPORT = (
    "pip install -r requirements/export.txt && "
    "pip install --no-deps -r requirements/export-no-deps.txt"
)
"""Installs what exports need. jax2onnx names an older Orbax than kdjax's: hence `--no-deps`."""


def require(modules: Sequence[str], what: str, *, command: str = EXPORT) -> None:
    """Makes sure that modules can be imported.

    Raises:
        UserError: one is missing; names `what` needs it, and the command that installs it.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{what} needs {', '.join(missing)}: {command}")
