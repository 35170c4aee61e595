"""Flow of the solution procedure: how a stage maps its first feature map to its last.

Reference: Yim et al., A Gift from Knowledge Distillation: Fast Optimization, Network Minimization
and Transfer Learning, CVPR 2017.
"""

import jax
import jax.numpy as jnp
from jax import Array


def gram(first: Array, last: Array) -> Array:
    """The FSP matrix `G = F1^T F2 / (h w)`, with maps as matrices `[h w, c]`, per example.

    If the sizes differ, the larger height and width are max-pooled to the smaller, without overlap,
    as in the paper (other implementations average).

    Args:
        first: a stage's first map, `[b, h, w, c1]`.
        last: the stage's last map, `[b, h', w', c2]`.

    Returns:
        `[b, c1, c2]`.

    Raises:
        ValueError: the larger size is no integer multiple of the smaller size.

    References:
        Yim et al., CVPR 2017, equation 1.
    """
    height, width = (min(first.shape[axis], last.shape[axis]) for axis in (1, 2))
    for axis, smaller in ((1, height), (2, width)):
        if first.shape[axis] % smaller or last.shape[axis] % smaller:
            raise ValueError(
                "FSP needs spatial sizes of which one is an integer multiple of the other, got "
                f"{first.shape[1:3]} for the first map and {last.shape[1:3]} for the last"
            )
    first, last = _max_pool(first, height, width), _max_pool(last, height, width)
    return jnp.einsum("bhwi,bhwj->bij", first, last) / (height * width)


def fsp(
    student_first: Array, student_last: Array, teacher_first: Array, teacher_last: Array
) -> Array:
    """Mean over the FSP matrix of the squared difference between student and teacher, per example.

    The paper's loss is the sum over the matrix, `c1 c2` times this mean. Student and teacher may
    differ in spatial size, because the size of the matrices does not depend on it.

    Args:
        student_first: `[b, h, w, c1]`.
        student_last: `[b, h', w', c2]`.
        teacher_first: `[b, ., ., c1]`.
        teacher_last: `[b, ., ., c2]`.

    Returns:
        `[b]`.

    Raises:
        ValueError: the channel counts of student and teacher differ, or `gram` refuses the sizes.

    References:
        Yim et al., CVPR 2017, equation 2, with lambda = 1 for each pair.
    """
    student_channels = (student_first.shape[-1], student_last.shape[-1])
    teacher_channels = (teacher_first.shape[-1], teacher_last.shape[-1])
    if student_channels != teacher_channels:
        raise ValueError(
            "FSP needs the same channel counts (first, last) on both sides, got "
            f"{student_channels} for the student and {teacher_channels} for the teacher"
        )
    difference = gram(student_first, student_last) - gram(teacher_first, teacher_last)
    return jnp.mean(jnp.square(difference), axis=(1, 2))


def _max_pool(feature: Array, height: int, width: int) -> Array:
    """Max over non-overlapping windows, `[b, h, w, c]` to `[b, height, width, c]`.

    A reshape and `jnp.max` would be wrong: its gradient compares values with their maximum, which a
    compiler may round differently, and then no value gets the gradient.
    """
    if feature.shape[1:3] == (height, width):
        return feature
    window = (1, feature.shape[1] // height, feature.shape[2] // width, 1)
    return jax.lax.reduce_window(feature, -jnp.inf, jax.lax.max, window, window, "VALID")
