"""Attention transfer: where a network looks, compared between student and teacher.

The attention map of a feature map `A` is `Q = mean_c A^2`, flattened and divided by its L2 norm.
Maps of different spatial size are compared at the smaller height and the smaller width. The larger
`mean_c A^2` is resized before normalisation, by antialiased linear interpolation (a triangle kernel
as wide as the ratio of the sizes, half-pixel centres). Channel counts may differ.

The three losses differ by large constants, so a weight chosen for one does not suit another. For
`n` positions `paper = sqrt(n code)`, and if no map is zero `paper^2 = 2 (1 + cosine)`.

Reference: Zagoruyko and Komodakis, Paying More Attention to Attention, arXiv:1612.03928,
section 3.1, with p = 2.
"""

import jax
import jax.numpy as jnp
import optax
from jax import Array


def attention_map(feature: Array) -> Array:
    """`Q / ||Q||_2` with `Q = mean_c A^2`, per example.

    It is invariant to a permutation of the channels and to a positive or negative factor on `A`.
    A map of zeros (all values under about 1e-19 in float32) stays zero, with zero gradient.

    Args:
        feature: `A`, `[b, h, w, c]`.

    Returns:
        `[b, h w]`, each row of L2 norm 1, or zero.

    Raises:
        ValueError: it is no map, or a 1x1 map, whose attention is always 1.
    """
    _common_size(feature)
    return _normalise(_energy(feature))


def cosine(student: Array, teacher: Array) -> Array:
    """Minus the cosine between the attention maps, per example.

    Args:
        student: `[b, h, w, c]`.
        teacher: `[b, h', w', c']`.

    Returns:
        `[b]` in [-1, 0]: -1 at equality, 0 where either map is zero.

    Raises:
        ValueError: they are no maps, or their common size is 1x1.
    """
    student, teacher = _maps(student, teacher)
    return -jnp.sum(student * teacher, axis=-1)


def paper(student: Array, teacher: Array) -> Array:
    """L2 distance `||Q_s - Q_t||_2` of the attention maps, `[b]` in [0, sqrt(2)].

    The paper's weight of this value is beta / 2. Arguments and errors are those of `cosine`.

    Distances within rounding (16 machine epsilons, 2e-6 in float32) count as zero, with zero
    gradient: the norm has a kink at equality, where its gradient would be a unit vector of rounding
    errors.

    References:
        arXiv:1612.03928, equation 2.
    """
    student, teacher = _maps(student, teacher)
    rounding = 16 * jnp.finfo(student.dtype).eps
    distance = optax.safe_norm(student - teacher, rounding, axis=-1)
    return jnp.where(distance <= rounding, 0.0, distance)


def code(student: Array, teacher: Array) -> Array:
    """Mean over positions of the squared difference of the attention maps, `[b]` in [0, 2 / n].

    The paper's published code computes this value, with a weight beta of 1000. Arguments and errors
    are those of `cosine`.

    References:
        github.com/szagoruyko/attention-transfer, `at_loss` in utils.py.
    """
    student, teacher = _maps(student, teacher)
    return jnp.mean(jnp.square(student - teacher), axis=-1)


def _maps(student: Array, teacher: Array) -> tuple[Array, Array]:
    """Both attention maps `[b, n]`, at their common size."""
    height, width = _common_size(student, teacher)

    def at_common_size(feature: Array) -> Array:
        energy = _energy(feature)
        if energy.shape[1:] == (height, width):
            return _normalise(energy)
        shape = (energy.shape[0], height, width)
        return _normalise(jax.image.resize(energy, shape, method="linear", antialias=True))

    return at_common_size(student), at_common_size(teacher)


def _common_size(*features: Array) -> tuple[int, int]:
    """The smallest height and the smallest width."""
    shapes = " and ".join(str(feature.shape) for feature in features)
    if any(feature.ndim != 4 for feature in features):
        raise ValueError(f"attention needs feature maps [b, h, w, c], got {shapes}")
    height, width = (min(feature.shape[axis] for feature in features) for axis in (1, 2))
    if height * width == 1:
        raise ValueError(f"a 1x1 map carries no attention, got {shapes}")
    return height, width


def _energy(feature: Array) -> Array:
    """`mean_c A^2`, `[b, h, w]`, up to a factor for each example that `_normalise` removes.

    Scaling the largest value to 1 keeps fourth powers from overflow and underflow. The normalised
    map does not depend on the scale, so the scale needs no gradient.
    """
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(feature), axis=(1, 2, 3), keepdims=True))
    zero = largest <= jnp.finfo(feature.dtype).tiny ** 0.5
    scaled = jnp.where(zero, 0.0, feature / jnp.where(zero, 1.0, largest))
    return jnp.mean(jnp.square(scaled), axis=-1)


def _normalise(energy: Array) -> Array:
    flat = energy.reshape(energy.shape[0], -1)
    norm = optax.safe_norm(flat, 0.0, axis=-1, keepdims=True)
    return flat / jnp.where(norm == 0.0, 1.0, norm)
