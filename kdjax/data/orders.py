"""The order of examples: a function of (data seed, epoch), so resuming needs no saved state."""

import functools
import zlib

import numpy as np


def random_keys(count: int, seed: int, purpose: str, epoch: int = 0) -> np.ndarray:
    """`count` 64-bit draws from a counter-based generator, the same on every machine."""
    stream = zlib.crc32(purpose.encode()) << 32 | epoch
    return np.random.Philox(key=np.array([seed, stream], np.uint64)).random_raw(count)


@functools.lru_cache(maxsize=2)
def training(count: int, batch_size: int, *, seed: int, epoch: int) -> np.ndarray:
    """A shuffled epoch of full batches: rows of the split, `[count // batch_size, batch_size]`.

    Examples that do not fill a batch are left out, different examples in each epoch.
    """
    steps = count // batch_size
    rows = np.argsort(random_keys(count, seed, "order", epoch), kind="stable")
    return rows[: steps * batch_size].reshape(steps, batch_size).astype(np.int32)


def evaluation(count: int, batch_size: int) -> np.ndarray:
    """Every row once, in order, padded with -1 to full batches: `[steps, batch_size]`."""
    steps = -(-count // batch_size)
    rows = np.arange(steps * batch_size, dtype=np.int32)
    return np.where(rows < count, rows, np.int32(-1)).reshape(steps, batch_size)
