"""Nuclear norm of a kernel: a convex pull towards low rank."""

import jax.numpy as jnp
from jax import Array


def nuclear_norm(kernel: Array) -> Array:
    """`||W||_* = sum_i sigma_i(W)`, with `W` the kernel reshaped to `[-1, c_out]`.

    The gradient is `U V^T` from the thin decomposition `W = U diag(sigma) V^T`. It is well defined
    with repeated singular values, because only the product of the factors enters (the gradient of
    the factors themselves divides by differences of singular values). Where `W` is rank-deficient,
    also all-zero, the norm has a kink and `U V^T`, with whatever orthonormal vectors complete `U`
    and `V`, is one of its subgradients: finite, of spectral norm 1.

    Args:
        kernel: `[..., c_out]`, for a convolution `[kh, kw, c_in, c_out]`.

    Returns:
        A scalar.

    References:
        Watson, Characterization of the Subdifferential of Some Matrix Norms, Linear Algebra and
        its Applications 170, 1992.
    """
    matrix = kernel.reshape(-1, kernel.shape[-1])
    return jnp.sum(jnp.linalg.svd(matrix, compute_uv=False))
