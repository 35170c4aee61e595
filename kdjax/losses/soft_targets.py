"""Soft targets: divergences and cross-entropies between softened predictions.

Direction everywhere: KL(teacher || student), summed over classes; the cross-entropy is that plus
the teacher's entropy. T squared multiplies the value by default, so that the gradient's size does
not depend on T (Hinton et al., arXiv:1503.02531, section 2).

At large T the divergence is a small difference of large terms. In float32 one example's value has a
relative error of up to 2e-3 at T = 100 (1e-5 in the mean over a batch); the gradient, which is
computed from the probabilities, keeps 4e-6.
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
        teacher_logits: `[b, k]`; the caller stops its gradient, or does not.
        temperature: T > 0, a scalar.
        scale_by_t2: whether T squared multiplies the divergence.

    Returns:
        `[b]`, in nats.

    References:
        Hinton et al., Distilling the Knowledge in a Neural Network, arXiv:1503.02531, section 2.
    """
    temperature = jnp.asarray(temperature, student_logits.dtype)
    divergence = optax.losses.kl_divergence_with_log_targets(
        jax.nn.log_softmax(student_logits / temperature),
        jax.nn.log_softmax(teacher_logits / temperature),
    )
    return temperature**2 * divergence if scale_by_t2 else divergence


def bernoulli_kl(
    student_logits: Array,
    teacher_logits: Array,
    *,
    temperature: Array | float,
    scale_by_t2: bool = True,
) -> Array:
    """`T^2` times the mean over attributes of the Bernoulli KL, per example.

    Each attribute is a distribution of its own, `sigmoid(z / T)`; a softmax over attributes would
    be wrong. The gradient is `T / k (sigmoid(z_s / T) - sigmoid(z_t / T))`; for large T the value
    tends to `mean_k (z_s - z_t)^2 / 8`.

    Args:
        student_logits: `[b, k]`, one logit for each attribute.
        teacher_logits: `[b, k]`.
        temperature: T > 0, a scalar.
        scale_by_t2: whether T squared multiplies the divergence.

    Returns:
        `[b]`, in nats for each attribute.
    """
    temperature = jnp.asarray(temperature, student_logits.dtype)
    student, teacher = student_logits / temperature, teacher_logits / temperature

    def side(sign: float) -> Array:
        return optax.losses.kl_divergence_with_log_targets(
            jax.nn.log_sigmoid(sign * student), jax.nn.log_sigmoid(sign * teacher), axis=()
        )

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

    It is `softmax_kl` plus `T^2` times the teacher's entropy: the same gradient in the student's
    logits, `T (p_s - p_t)`, but not in the teacher's.

    Args:
        student_logits: `[b, k]`.
        teacher_logits: `[b, k]`; the caller stops its gradient, or does not.
        temperature: T > 0, a scalar.
        scale_by_t2: whether T squared multiplies the cross-entropy.

    Returns:
        `[b]`, in nats.

    References:
        Hinton et al., Distilling the Knowledge in a Neural Network, arXiv:1503.02531, section 2.
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

    `-(q_t log q_s + (1 - q_t) log(1 - q_s))` with `q = sigmoid(z / T)`: `bernoulli_kl` plus `T^2`
    times the teacher's mean entropy, with the same gradient in the student's logits.

    Args:
        student_logits: `[b, k]`, one logit for each attribute.
        teacher_logits: `[b, k]`; the caller stops its gradient, or does not.
        temperature: T > 0, a scalar.
        scale_by_t2: whether T squared multiplies the cross-entropy.

    Returns:
        `[b]`, in nats for each attribute.
    """
    temperature = jnp.asarray(temperature, student_logits.dtype)
    student, teacher = student_logits / temperature, teacher_logits / temperature

    # Not 1 - sigmoid(z): that loses a confident teacher's small probability to rounding.
    def side(sign: float) -> Array:
        return -jax.nn.sigmoid(sign * teacher) * jax.nn.log_sigmoid(sign * student)

    cross_entropy = jnp.mean(side(1.0) + side(-1.0), axis=-1)
    return temperature**2 * cross_entropy if scale_by_t2 else cross_entropy


def average_softmax(logits: Array, temperature: Array | float) -> Array:
    """Logits whose softened probabilities are the mean of several networks'.

    `T log mean_n softmax(z_n / T)`.

    Args:
        logits: `[n, b, k]`, of n networks.
        temperature: T > 0, a scalar.

    Returns:
        `[b, k]`.
    """
    temperature = jnp.asarray(temperature, logits.dtype)
    softened = jax.nn.log_softmax(logits / temperature)
    return temperature * (jax.nn.logsumexp(softened, axis=0) - jnp.log(1.0 * len(logits)))


def average_bernoulli(logits: Array, temperature: Array | float) -> Array:
    """The same for attributes: `T logit(mean_n sigmoid(z_n / T))`, `[n, b, k]` to `[b, k]`."""
    temperature = jnp.asarray(temperature, logits.dtype)
    present = jax.nn.logsumexp(jax.nn.log_sigmoid(logits / temperature), axis=0)
    absent = jax.nn.logsumexp(jax.nn.log_sigmoid(-logits / temperature), axis=0)
    return temperature * (present - absent)
