"""Targets without a teacher: a virtual teacher that is right with probability `a`, or uniform.

Reference: Yuan et al., Revisiting Knowledge Distillation via Label Smoothing Regularization,
arXiv:1909.11723, section 4 (virtual teacher) and section 3 (label smoothing as distillation).

The virtual teacher is softened as `softmax(p / T)` of its probabilities, not of their logarithms
(which would be `p^(1/T)`, renormalised). With k = 10, a = 0.99 and T = 20 the label gets 0.1045 and
every other class 0.0995. Direction everywhere: KL(teacher || student).
"""

import jax
import jax.numpy as jnp
import optax
from jax import Array


def virtual_probabilities(labels: Array, classes: int, *, correct: float = 0.99) -> Array:
    """The virtual teacher before softening: `a` on the label, `(1 - a) / (k - 1)` elsewhere.

    For soft labels, it is the mixture of the classes' virtual teachers in the same proportions.

    Args:
        labels: `[b]` class indices, or `[b, k]` class probabilities, floating.
        classes: `k`, at least 2.
        correct: `a`, in (0, 1). With `a = 1 / k` the teacher is uniform.

    Returns:
        `[b, k]`, each row with sum 1.
    """
    one_hot = jax.nn.one_hot(labels, classes) if labels.ndim == 1 else labels
    elsewhere = (1.0 - correct) / (classes - 1)
    return elsewhere + (correct - elsewhere) * one_hot


def virtual_kl(
    student_logits: Array,
    labels: Array,
    *,
    correct: float,
    temperature: Array | float,
    temper_student: bool,
    scale_by_t2: bool = True,
) -> Array:
    """`T^2 KL(softmax(p / T) || softmax(z_s / T))` with the virtual teacher's `p`, per example.

    With `q = softmax(p / T)`, the gradient in the student's logits is `T (softmax(z_s / T) - q)`;
    for an untempered student it is `T^2 (softmax(z_s) - q)`. The authors' code tempers the student
    on ImageNet. On CIFAR it does not, and uses another multiplier instead of T squared.

    Args:
        student_logits: `[b, k]`.
        labels: `[b]` class indices, or `[b, k]` class probabilities.
        correct: `a`, the virtual teacher's probability on the label.
        temperature: T > 0, a scalar.
        temper_student: whether T also divides the student's logits.
        scale_by_t2: whether T squared multiplies the divergence.

    Returns:
        `[b]`, in nats.
    """
    return _softened_kl(
        student_logits,
        virtual_probabilities(labels, student_logits.shape[-1], correct=correct),
        temperature,
        temper_student,
        scale_by_t2,
    )


def uniform_kl(student_logits: Array) -> Array:
    """`KL(u || softmax(z_s))` with uniform `u`, the regulariser of label smoothing.

    Cross-entropy with label smoothing `e` is `(1 - e) CE + e (uniform_kl + log k)`. The gradient is
    `softmax(z_s) - 1 / k`. Maps `[b, k]` to `[b]`, in nats.
    """
    return optax.losses.kl_divergence_with_log_targets(
        jax.nn.log_softmax(student_logits), jax.nn.log_softmax(jnp.zeros_like(student_logits))
    )


def bernoulli_virtual_kl(
    student_logits: Array,
    labels: Array,
    *,
    correct: float,
    temperature: Array | float,
    temper_student: bool,
    scale_by_t2: bool = True,
) -> Array:
    """`virtual_kl` of each attribute as a problem of two classes, the mean over attributes.

    The teacher has probability `a` on an attribute's true value and `1 - a` on the other value,
    softened as `softmax([a, 1 - a] / T)`, which is `sigmoid((2a - 1) / T)` on the true value. The
    student has `sigmoid(z_s / T)`, or `sigmoid(z_s)` if it is not tempered.

    Args:
        student_logits: `[b, k]`, one logit for each attribute.
        labels: `[b, k]` in {0, 1}, or probabilities of 1.
        correct, temperature, temper_student, scale_by_t2: as in `virtual_kl`.

    Returns:
        `[b]`, in nats for each attribute.
    """
    present = labels.astype(student_logits.dtype)
    on = (1.0 - correct) + (2.0 * correct - 1.0) * present
    divergence = _softened_kl(
        _two_classes(student_logits),
        jnp.stack([on, 1.0 - on], axis=-1),
        temperature,
        temper_student,
        scale_by_t2,
    )
    return jnp.mean(divergence, axis=-1)


def bernoulli_uniform_kl(student_logits: Array) -> Array:
    """`KL(1/2 || sigmoid(z_s)) = log cosh(z_s / 2)`, the mean over attributes.

    Maps `[b, k]`, one logit for each attribute, to `[b]`, in nats for each attribute.
    """
    return jnp.mean(uniform_kl(_two_classes(student_logits)), axis=-1)


def _two_classes(logits: Array) -> Array:
    """Logits `[..., 2]` whose softmax is `[sigmoid(z), sigmoid(-z)]`."""
    return jnp.stack([logits, jnp.zeros_like(logits)], axis=-1)


def _softened_kl(
    student_logits: Array,
    probabilities: Array,
    temperature: Array | float,
    temper_student: bool,
    scale_by_t2: bool,
) -> Array:
    temperature = jnp.asarray(temperature, student_logits.dtype)
    student = student_logits / temperature if temper_student else student_logits
    teacher = probabilities.astype(student_logits.dtype) / temperature
    divergence = optax.losses.kl_divergence_with_log_targets(
        jax.nn.log_softmax(student), jax.nn.log_softmax(teacher)
    )
    return temperature**2 * divergence if scale_by_t2 else divergence
