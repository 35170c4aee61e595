"""Soft targets: divergences and cross-entropies between softened predictions.

Direction everywhere: KL(teacher || student), summed over classes; the cross-entropy is that plus
the teacher's entropy. T squared multiplies the value by default, so that the gradient's size does
not depend on T (Hinton et al., arXiv:1503.02531, section 2).

Divergences are summed in a form without cancellation (`_kl`). The remaining error at large T is the
rounding of the softened logits themselves.
"""

import jax
import jax.numpy as jnp
import optax
from jax import Array


def softmax_kl(
    student_logits: Array,
    teacher_logits: Array,
    *,
    temperature: Array | float,
    scale_by_t2: bool = True,
) -> Array:
    """`T^2 KL(softmax(z_t / T) || softmax(z_s / T))`, per example.

    Its gradient in the student's logits is `T (p_s - p_t)`; for large T the value tends to
    `||centred(z_s - z_t)||^2 / (2 k)`; a constant added to either side's logits changes nothing.

    Args:
        student_logits: `[b, k]`.
        teacher_logits: `[b, k]`.
        temperature: T > 0, a scalar.
        scale_by_t2: whether T squared multiplies the divergence.

    Returns:
        `[b]`, in nats.

    References:
        Hinton et al., Distilling the Knowledge in a Neural Network, arXiv:1503.02531, section 2.
    """
    temperature = jnp.asarray(temperature, student_logits.dtype)
    summands = _kl(
        jax.nn.log_softmax(student_logits / temperature),
        jax.nn.log_softmax(teacher_logits / temperature),
    )
    divergence = jnp.sum(summands, axis=-1)
    return temperature**2 * divergence if scale_by_t2 else divergence


def _kl(log_student: Array, log_teacher: Array) -> Array:
    """Summands of `KL(teacher || student)`, all of them 0 or positive.

    `p_t (log p_t - log p_s)` has summands of both signs, which nearly cancel if the distributions
    are nearly equal, as at large T. Both distributions sum to 1, so `p_s - p_t` may be added to
    each summand:

        p_t (e^d - 1 - d),  d = log p_s - log p_t

    Args:
        log_student: log-probabilities of any shape, whose probabilities sum to 1 over some axis.
        log_teacher: log-probabilities of the same shape.

    Returns:
        An array of the same shape, to be summed over that axis.
    """
    difference = log_student - log_teacher
    teacher = jnp.exp(log_teacher)
    near = difference < 1.0
    # If the teacher's probability underflows, e^d overflows, but p_t e^d is p_s.
    small = jnp.where(near, difference, 0.0)
    far = jnp.exp(log_student) - teacher * (1.0 + jnp.where(near, 0.0, difference))
    return jnp.where(near, teacher * (jnp.expm1(small) - small), far)


def bernoulli_kl(
    student_logits: Array,
    teacher_logits: Array,
    *,
    temperature: Array | float,
    scale_by_t2: bool = True,
) -> Array:
    """`T^2` times the mean over attributes of the Bernoulli KL, per example.

    The logits have one column for each attribute, and each attribute has its own distribution,
    `sigmoid(z / T)`; a softmax over attributes would be wrong. The gradient in the student's logits
    is `T / k (sigmoid(z_s / T) - sigmoid(z_t / T))`; for large T the value tends to
    `mean_k (z_s - z_t)^2 / 8`. Arguments are those of `softmax_kl`.

    Returns:
        `[b]`, in nats for each attribute.
    """
    temperature = jnp.asarray(temperature, student_logits.dtype)
    student, teacher = student_logits / temperature, teacher_logits / temperature

    def side(sign: float) -> Array:
        return _kl(jax.nn.log_sigmoid(sign * student), jax.nn.log_sigmoid(sign * teacher))

    divergence = jnp.mean(side(1.0) + side(-1.0), axis=-1)
    return temperature**2 * divergence if scale_by_t2 else divergence


def soft_cross_entropy(
    student_logits: Array,
    teacher_logits: Array,
    *,
    temperature: Array | float,
    scale_by_t2: bool = True,
) -> Array:
    """`T^2 * -sum_k p_t log p_s` with `p = softmax(z / T)`, per example.

    It is `softmax_kl` plus `T^2` times the teacher's entropy. The gradient in the student's logits
    is the same, `T (p_s - p_t)`; the gradient in the teacher's logits is not. Arguments, result and
    source are those of `softmax_kl`.
    """
    temperature = jnp.asarray(temperature, student_logits.dtype)
    cross_entropy = optax.losses.softmax_cross_entropy(
        student_logits / temperature, jax.nn.softmax(teacher_logits / temperature)
    )
    return temperature**2 * cross_entropy if scale_by_t2 else cross_entropy


def bernoulli_cross_entropy(
    student_logits: Array,
    teacher_logits: Array,
    *,
    temperature: Array | float,
    scale_by_t2: bool = True,
) -> Array:
    """`T^2` times the mean over attributes of the Bernoulli cross-entropy, per example.

    `-(q_t log q_s + (1 - q_t) log(1 - q_s))` with `q = sigmoid(z / T)`. It is `bernoulli_kl` plus
    `T^2` times the teacher's mean entropy, with the same gradient in the student's logits.
    Arguments and result are those of `bernoulli_kl`.
    """
    temperature = jnp.asarray(temperature, student_logits.dtype)
    student, teacher = student_logits / temperature, teacher_logits / temperature

    # sigmoid(-z), because 1 - sigmoid(z) rounds a confident teacher's small probability to 0.
    def side(sign: float) -> Array:
        return -jax.nn.sigmoid(sign * teacher) * jax.nn.log_sigmoid(sign * student)

    cross_entropy = jnp.mean(side(1.0) + side(-1.0), axis=-1)
    return temperature**2 * cross_entropy if scale_by_t2 else cross_entropy


def average_softmax(logits: Array, temperature: Array | float) -> Array:
    """Logits of the mean of several networks' softened probabilities.

    `T log mean_n softmax(z_n / T)`, `[n, b, k]` of n networks to `[b, k]`.
    """
    temperature = jnp.asarray(temperature, logits.dtype)
    softened = jax.nn.log_softmax(logits / temperature)
    return temperature * (jax.nn.logsumexp(softened, axis=0) - jnp.log(1.0 * len(logits)))


def average_bernoulli(logits: Array, temperature: Array | float) -> Array:
    """`average_softmax` for attributes: `T logit(mean_n sigmoid(z_n / T))`."""
    temperature = jnp.asarray(temperature, logits.dtype)
    present = jax.nn.logsumexp(jax.nn.log_sigmoid(logits / temperature), axis=0)
    absent = jax.nn.logsumexp(jax.nn.log_sigmoid(-logits / temperature), axis=0)
    return temperature * (present - absent)
