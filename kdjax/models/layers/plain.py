"""A context in which all layers are JAX's own operations, for exports and for quantisation.

A file that is exported on a CPU may run on a GPU, so no form that is fast on a CPU alone may be
written into it. Quantisation replaces JAX's own convolution, and other forms would stay in float32.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_PLAIN = ContextVar("plain", default=False)


@contextlib.contextmanager
def plain_lax() -> Iterator[None]:
    """Functions that are traced inside use `lax`'s own convolutions and pooling.

    `jax.jit` does not see this context: a function that was compiled outside stays as it is.
    """
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


def is_plain() -> bool:
    """Whether `plain_lax` is on."""
    return _PLAIN.get()
