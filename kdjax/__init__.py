"""Knowledge distillation and deep mutual learning in JAX and Flax."""

import sys

__version__ = "0.1.0"

if sys.argv[:1] == ["-m"]:
    # Python is about to run a module by `python -m`; a library's would do nothing, in silence.
    from kdjax.commands import require_command

    require_command(sys.orig_argv[-len(sys.argv)].removeprefix("-m"))
