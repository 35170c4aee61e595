"""What every term promises, whatever it computes: one test over all files of `kdjax/terms`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kdjax.step import tasks
from kdjax.step.step import check_loss
from kdjax.step.types import Batch, Context, Loss, Outputs
from kdjax.system import discover
from tests import helpers

COUNT, CLASSES = 6, 4
LAYERS = ("stage1_first", "stage1_last")
WIRING: dict[str, list[dict[str, Any]]] = {
    "ce": [dict(network="student", label_smoothing=0.1)],
    "kd": [
        dict(student="student", teacher="teacher"),
        dict(student="student", teacher="teacher", form="cross_entropy", shuffle=True),
        dict(student="student", teacher=("teacher", "other")),
        dict(student="student", teacher=("teacher", "other"), average="probabilities"),
    ],
    "at": [
        dict(student="student", teacher="teacher", layers=LAYERS, variant=variant)
        for variant in ("cosine", "paper", "code")
    ],
    "features": [
        dict(student="student", teacher="teacher", layers=(*LAYERS, "pooled"), direction=direction)
        for direction in ("student_to_teacher", "teacher_to_student")
    ],
    "fitnet": [dict(student="student", teacher="teacher", guided="stage1_first", hint="small")],
    "fsp": [dict(student="student", teacher="teacher", stages=(1,))],
    "nuclear": [dict(network="student", kernel="Conv_0/kernel")],
    "virtual": [
        dict(network="student"),
        dict(network="student", temper_student=False, scale_by_t2=False),
    ],
    "standardised": [
        dict(student="student", teacher="teacher"),
        dict(student="student", teacher="teacher", layers=(*LAYERS, "small:stage1_last")),
    ],
    "uniform": [dict(network="student")],
}
OWN = "tests.terms.bank"
"""A term as a user's own file has it."""
HYPER = {"weight": 1.0, "temperature": 2.0, "correct": 0.9, "margin": 0.01}
CASES = [(kind, wiring) for kind, cases in WIRING.items() for wiring in cases]
CASES.append((OWN, dict(network="student")))


def outputs(seed):
    keys = jax.random.split(jax.random.key(seed), 5)
    shapes = {
        "stage1_first": (4, 4, 3),
        "stage1_last": (4, 4, 5),
        "small": (2, 2, 3),
        "pooled": (7,),
    }
    features = {
        name: jnp.abs(jax.random.normal(key, (COUNT, *shape)))
        for key, (name, shape) in zip(keys, shapes.items(), strict=False)
    }
    return Outputs(2.0 * jax.random.normal(keys[-1], (COUNT, CLASSES)), features)


def labels(task):
    rng = np.random.default_rng(0)
    if task is tasks.MULTI_LABEL:
        return jnp.array(rng.integers(0, 2, (COUNT, CLASSES)), jnp.uint8)
    return jnp.array(rng.integers(0, CLASSES, COUNT), jnp.int32)


def problem(kind, wiring, task):
    """A term's mean value as a function of what may learn, and of the teachers' outputs."""
    term = discover.module("kdjax.terms", kind, "kind of term").make(task=task, **wiring)
    teachers = {"teacher": outputs(1), "other": outputs(2)}
    params = {"Conv_0": {"kernel": jax.random.normal(jax.random.key(3), (3, 3, 2, 5))}}
    student = outputs(0)
    state = term.init(jax.random.key(4), {"student": student, **teachers}, helpers.TRAINING_SET)
    batch = Batch(jnp.zeros((COUNT, 4, 4, 1)), labels(task), jnp.arange(COUNT), jnp.ones(COUNT))
    hyper = {name: jnp.float32(HYPER[name]) for name in ("weight", *term.hyper)}

    def value(learning, teachers):
        student, term_params, network_params = learning
        context = Context(
            batch,
            {"student": student, **teachers},
            {"student": network_params},
            hyper,
            jnp.int32(0),
            jax.random.key(5),
        )
        loss = term.loss(state._replace(params=term_params), context)
        assert isinstance(loss, Loss)
        assert loss.value.shape == ((COUNT,) if loss.over == "examples" else ())
        check_loss(term, loss, state.memory, (COUNT,))
        return jnp.mean(loss.value)

    return term, value, (student, state.params, params), teachers


def test_every_term_is_here():
    assert set(WIRING) == set(discover.names("kdjax.terms"))


@pytest.mark.parametrize("task", [tasks.MULTI_CLASS, tasks.MULTI_LABEL], ids=["class", "label"])
@pytest.mark.parametrize(("kind", "wiring"), CASES, ids=[case[0] for case in CASES])
def test_contract(kind, wiring, task):
    if kind == OWN and task is tasks.MULTI_LABEL:
        pytest.skip("this bank counts classes")
    term, value, learning, teachers = problem(kind, wiring, task)
    assert set(term.reads) <= {"student", "teacher", "other"}
    differentiate = jax.value_and_grad(value, argnums=(0, 1))
    compiled = jax.jit(differentiate)
    loss, (gradient, of_teachers) = compiled(learning, teachers)
    # Finite, and some of it learns.
    leaves = jax.tree.leaves((loss, gradient))
    assert all(jnp.all(jnp.isfinite(leaf)) for leaf in leaves)
    norm = np.sqrt(sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(gradient)))
    assert norm > 1e-6
    # No gradient reaches a teacher.
    assert all(not jnp.any(leaf) for leaf in jax.tree.leaves(of_teachers))
    # A small step against the gradient lowers it.
    step = 1e-2 / norm
    moved = jax.tree.map(lambda x, g: x - step * g, learning, gradient)
    assert compiled(moved, teachers)[0] < loss
    assert helpers.count_programs(compiled) == 1
    # Compiled or not, the same.
    with jax.disable_jit():
        plain = value(learning, teachers)
    np.testing.assert_allclose(plain, loss, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "wiring"), CASES, ids=[case[0] for case in CASES])
def test_finite_at_extreme_logits(kind, wiring):
    _, value, (student, *rest), teachers = problem(kind, wiring, tasks.MULTI_CLASS)
    far = student._replace(logits=jnp.where(student.logits > 0, 1e4, -1e4))
    other = {
        name: made._replace(logits=jnp.where(made.logits > 0, -1e4, 1e4))
        for name, made in teachers.items()
    }
    found = jax.jit(jax.value_and_grad(value))((far, *rest), other)
    assert all(jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(found))
