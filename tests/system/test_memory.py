"""The process keeps the memory of a step, unless the user has settings of his own."""

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc's mallopt")

PROGRAM = """
import resource, sys
import numpy as np
from kdjax.system import runtime
runtime.keep_memory()
for turn in range(12):
    if turn == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**24, np.float32)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**changes):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment | {"JAX_PLATFORMS": "cpu"} | changes,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def test_large_arrays_are_mapped_once():
    kept = faults()
    # Ten arrays of 64 MiB, mapped anew each time, in pages of 4 KiB or 2 MiB.
    assert kept < 100
    assert faults(MALLOC_TOP_PAD_="0") > kept + 200
