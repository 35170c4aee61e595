"""What surrounds a run: the compilation cache, the clock of the compiler, versions, interrupts."""

import ctypes
import functools
import os
import platform
import signal
import subprocess
from importlib import metadata
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import jax

_COMPILE = "/jax/core/compile/backend_compile_duration"


def prepare() -> None:
    """What every command that computes does first."""
    keep_memory()
    use_compilation_cache()


def use_compilation_cache() -> None:
    """Keeps every compiled program on disk, so that the second launch does not compile.

    In `JAX_COMPILATION_CACHE_DIR`, or the user's cache directory. The minimum time is 0: JAX's
    default of one second would skip small programs, and small programs add up.
    """
    if not jax.config.jax_compilation_cache_dir:  # type: ignore[attr-defined]
        home = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
        jax.config.update("jax_compilation_cache_dir", str(home / "kdjax" / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


# On a CPU, XLA's newest library makes reductions (BatchNorm's above all) about six times faster,
# and convolutions about half as fast.
_CPU_OPTION = "xla_cpu_experimental_ynn_fusion_type"
_CPU_VALUE = "LIBRARY_FUSION_TYPE_REDUCE"


@functools.cache
def compiler_options() -> dict[str, str]:
    """Options for `jax.jit` that this backend runs faster with; none that it does not know.

    A setting of the user's own in `XLA_FLAGS` stays.
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


_MMAP_MAX, _TRIM_THRESHOLD, _ARENA_MAX = -4, -1, -8
"""Of glibc's `mallopt`, from malloc.h."""


def keep_memory() -> None:
    """Lets the process keep what it has allocated, before JAX starts its threads.

    XLA on a CPU asks for the memory of a step anew each time. By default glibc takes large blocks
    from the system and gives them back, so that every step pays for mapping them again: 10 to 20 %
    of a convolutional network's. A setting of the user's own (`MALLOC_...`) stays; where there is
    another C library, or an accelerator does the work, nothing is done.
    """
    own = any(name.startswith("MALLOC_") for name in os.environ) or "GLIBC_TUNABLES" in os.environ
    if own or platform.libc_ver()[0] != "glibc" or _has_accelerator():
        return
    mallopt = ctypes.CDLL(None).mallopt
    for parameter, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_ARENA_MAX, 1)):
        mallopt(parameter, value)


def _has_accelerator() -> bool:
    """Whether JAX will find one, without starting JAX."""
    return os.environ.get("JAX_PLATFORMS", "") != "cpu" and Path("/dev/nvidiactl").exists()


_SHARE = 0.25
"""Of a device's memory that resident images may take."""


def fits(nbytes: int, device: jax.Device) -> bool:
    """Whether images of so many bytes leave enough of a device's memory to training."""
    return nbytes <= _SHARE * (memory(device) or host_memory())


def host_memory() -> int:
    """Bytes of this machine's own memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def memory(device: jax.Device) -> int | None:
    """Bytes that a device has for this process; None where it does not say, as a CPU."""
    return (device.memory_stats() or {}).get("bytes_limit")


class CompileClock:
    """Seconds that XLA has compiled (or read from the cache) since this was made."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.programs = 0
        jax.monitoring.register_event_duration_secs_listener(self._listen)

    def _listen(self, event: str, duration_secs: float, **_: Any) -> None:
        if event == _COMPILE:
            self.seconds += duration_secs
            self.programs += 1


class Interrupt:
    """Turns the first SIGINT or SIGTERM into a flag, so that a run can save before it ends."""

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True

    def __call__(self, step: int) -> bool:
        """Whether to stop after the run's `step`."""
        return self._asked


def devices() -> str:
    """How many there are, and of what kind."""
    found = jax.local_devices()
    return f"{len(found)} x {found[0].device_kind}"


def environment() -> dict[str, Any]:
    """Versions, devices and commit, for the record."""
    packages = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
    here = Path(__file__).parents[2]
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in packages},
        },
        "devices": devices(),
        "git_commit": _git(here, "rev-parse", "HEAD"),
        "git_clean": _git(here, "status", "--porcelain", "--untracked-files=no") == "",
    }


def _git(where: Path, *arguments: str) -> str | None:
    if not (where / ".git").exists():
        # Installed, perhaps into the environment of another project, whose commit says nothing.
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(where), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
