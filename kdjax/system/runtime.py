"""The backend and process of a run: compilation cache, memory, interrupts, versions."""

import contextlib
import ctypes
import functools
import os
import platform
import signal
import subprocess
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import Any

import jax

_COMPILE = "/jax/core/compile/backend_compile_duration"
# On a CPU, XLA's newest library makes reductions (BatchNorm's above all) about six times faster,
# and convolutions about half as fast.
_CPU_OPTION = "xla_cpu_experimental_ynn_fusion_type"
_CPU_VALUE = "LIBRARY_FUSION_TYPE_REDUCE"
# Parameters of glibc's `mallopt`, from malloc.h.
_MMAP_MAX, _TRIM_THRESHOLD, _ARENA_MAX = -4, -1, -8
_IMAGE_SHARE = 0.25
"""The share of a device's memory that resident images may take."""


def prepare() -> None:
    """Prepares the process; every command that computes calls this first."""
    keep_memory()
    # Keep every compiled program on disk, so that the second launch does not compile. JAX's default
    # skips programs that compile in less than a second, and these add up.
    if not jax.config.jax_compilation_cache_dir:  # type: ignore[attr-defined]
        home = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
        jax.config.update("jax_compilation_cache_dir", str(home / "kdjax" / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@functools.cache
def compiler_options() -> dict[str, str]:
    """Options for `jax.jit` that make this backend faster; empty where it does not know them.

    The user's own setting in `XLA_FLAGS` has priority.
    """
    if jax.default_backend() != "cpu" or _CPU_OPTION in os.environ.get("XLA_FLAGS", ""):
        return {}
    options = {_CPU_OPTION: _CPU_VALUE}
    try:
        jax.jit(lambda x: x, compiler_options=options).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        # This version of XLA has no such option.
        return {}
    return options


def keep_memory() -> None:
    """Lets the process keep memory that it has freed; to be called before JAX starts its threads.

    XLA on a CPU allocates the memory of every step anew. By default glibc takes large blocks from
    the system and returns them, so every step pays for mapping them again, 10 to 20 % of the time
    of a convolutional network. The user's own setting (`MALLOC_...`) has priority. With another C
    library or an accelerator, nothing is done.
    """
    configured = "GLIBC_TUNABLES" in os.environ or any(
        name.startswith("MALLOC_") for name in os.environ
    )
    # JAX is not started to find out whether there is an accelerator.
    accelerator = os.environ.get("JAX_PLATFORMS", "") != "cpu" and Path("/dev/nvidiactl").exists()
    if configured or accelerator or platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    for parameter, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_ARENA_MAX, 1)):
        mallopt(parameter, value)


def fits(nbytes: int, device: jax.Device) -> bool:
    """Whether images of `nbytes` bytes leave enough of a device's memory for training."""
    # A CPU device does not report a limit.
    memory = (device.memory_stats() or {}).get("bytes_limit") or host_memory()
    return nbytes <= _IMAGE_SHARE * memory


def host_memory() -> int:
    """Bytes of this machine's main memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class CompileClock:
    """The seconds that XLA has compiled (or read its cache) since the clock was created."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.programs = 0
        jax.monitoring.register_event_duration_secs_listener(self._listen)

    def _listen(self, event: str, duration_secs: float, **_: Any) -> None:
        if event == _COMPILE:
            self.seconds += duration_secs
            self.programs += 1


@contextlib.contextmanager
def catch_interrupts() -> Iterator[Callable[[int], bool]]:
    """Turns the first SIGINT or SIGTERM into a flag, so that a run can save before it ends.

    Yields a function that says whether to stop after a step of the run.
    """
    requests: list[int] = []

    def request(number: int, frame: FrameType | None) -> None:
        if requests:
            raise KeyboardInterrupt
        requests.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = {number: signal.signal(number, request) for number in numbers}
    try:
        yield lambda step: bool(requests)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def devices() -> str:
    """The number and kind of the devices."""
    local = jax.local_devices()
    return f"{len(local)} x {local[0].device_kind}"


def environment() -> dict[str, Any]:
    """Versions, devices and commit, for the record."""
    packages = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in packages},
        },
        "devices": devices(),
        "git_commit": _git("rev-parse", "HEAD"),
        "git_clean": _git("status", "--porcelain", "--untracked-files=no") == "",
    }


def _git(*arguments: str) -> str | None:
    """The output of a git command in kdjax's own repository; None if there is none."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        # kdjax is installed, perhaps inside the repository of another project.
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
