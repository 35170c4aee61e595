"""Strict numerics, eight fake CPU devices, and the options of the tests on real data."""

import os

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)

import jax
import pytest
from absl import flags

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
flags.FLAGS.mark_as_parsed()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mnist_dir", help="folder with MNIST's four official IDX archives")


@pytest.fixture(scope="session", autouse=True)
def _compilation_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Runs that resume or repeat compile once."""
    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("xla")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture
def mnist_dir(request: pytest.FixtureRequest) -> str:
    directory = request.config.getoption("--mnist_dir")
    if not directory:
        pytest.skip("real MNIST is not at hand: pass --mnist_dir=DIR")
    return directory


@pytest.fixture
def one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """What asks for the local devices is shown only the first."""
    first = jax.local_devices()[:1]
    monkeypatch.setattr(jax, "local_devices", lambda: first)
