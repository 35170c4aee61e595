"""Nuclear norm of a kernel: a convex pull towards low rank."""

import jax.numpy as jnp
from jax import Array


def nuclear_norm(kernel: Array) -> Array:
    """`||W||_* = sum_i sigma_i(W)`, with `W` the kernel reshaped to `[-1, c_out]`.

    The gradient is `U V^T` from the thin decomposition `W = U diag(sigma) V^T`. Repeated singular
    values are no problem, because the gradient needs only the product of the factors (the gradient
    of a factor alone divides by differences of singular values). If `W` is rank-deficient or zero,
    the norm has a kink, and `U V^T` is one of its subgradients for any orthonormal vectors that
    complete `U` and `V`: finite, with spectral norm 1.

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
