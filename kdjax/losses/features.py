"""Squared differences between the features of a student, projected if needed, and a teacher."""

import jax.numpy as jnp
from jax import Array


def mse(student: Array, teacher: Array) -> Array:
    """Mean over positions and channels of the squared difference, per example.

    Args:
        student: maps `[b, h, w, c]` or vectors `[b, c]`.
        teacher: features of the same shape.

    Returns:
        `[b]`.

    Raises:
        ValueError: the shapes differ.
    """
    return jnp.mean(_squared_difference(student, teacher), axis=tuple(range(1, student.ndim)))


def half_squared(student: Array, teacher: Array) -> Array:
    """`1/2 ||student - teacher||^2`, summed over positions and channels, per example.

    It is `n / 2` times `mse` for `n` values, and its gradient is `student - teacher`. The student's
    features are the regressor's output, and the teacher's are the hint. Arguments, result and
    errors are those of `mse`.

    References:
        Romero et al., FitNets: Hints for Thin Deep Nets, arXiv:1412.6550, equation 3.
    """
    return 0.5 * jnp.sum(_squared_difference(student, teacher), axis=tuple(range(1, student.ndim)))


def _squared_difference(student: Array, teacher: Array) -> Array:
    if student.shape != teacher.shape:
        raise ValueError(
            "features need the same shape on both sides, got "
            f"{student.shape} for the student and {teacher.shape} for the teacher"
        )
    return jnp.square(student - teacher)
