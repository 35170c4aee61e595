"""What a network costs: values, bytes, arithmetic, and time on this device."""

import itertools
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kdjax.models.networks import linen
from kdjax.step.types import Array, NetState, Network
from kdjax.system import runtime
from kdjax.system.progress import Bar

ROUNDS = 3
"""How often it is each network's turn when they are timed."""
UNTIMED = dict.fromkeys(("latency_median", "latency_p90", "throughput", "throughput_batch"))
"""What `timing` would have found."""


def size(state: NetState) -> dict[str, Any]:
    """`parameters`, `parameters_with_statistics` (BatchNorm's), and `megabytes` (10^6) of both."""
    nbytes = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    return {
        "parameters": linen.count(state.params),
        "parameters_with_statistics": linen.count(state),
        "megabytes": nbytes / 1e6,
    }


def flops(network: Network, state: NetState, image_shape: tuple[int, int, int]) -> float | None:
    """Floating-point operations of one image's prediction, as XLA counts them in the program.

    A multiplication and an addition are two. None where this backend does not say.
    """
    found = _lower(network, state, image_shape, 1)[0].cost_analysis()
    return float(found["flops"]) if found and "flops" in found else None


def table(
    networks: Mapping[str, tuple[Network, NetState]],
    image_shape: tuple[int, int, int],
    *,
    teacher: NetState | None,
    batch: int,
    known: Mapping[str, dict[str, Any]],
) -> dict[str, dict[str, Any]]:
    """All that a network costs, by row; what stages and members left of one network costs the same.

    Args:
        networks: by row.
        image_shape: `(h, w, c)`.
        teacher: what sizes are a share of, as `of_teacher`.
        batch: images in a batch for throughput; 0 for no times.
        known: times of an earlier evaluation by row; they count where they are there for all, since
            networks are timed in turns.
    """
    first: dict[Network, str] = {}
    for row, (network, _) in networks.items():
        first.setdefault(network, row)
    distinct = {row: networks[row] for row in first.values()}
    whole = size(teacher)["megabytes"] if teacher else None
    costs: dict[str, dict[str, Any]] = {}
    for row, (network, state) in distinct.items():
        mine = size(state)
        share = mine["megabytes"] / whole if whole else None
        costs[row] = {**mine, "of_teacher": share, "flops": flops(network, state, image_shape)}
    times: Mapping[str, dict[str, Any]] = dict.fromkeys(distinct, UNTIMED)
    if batch and distinct.keys() <= known.keys():
        times = known
    elif batch:
        with Bar("timing", turns(distinct)) as bar:
            times = timing(distinct, image_shape, batch, each=bar.to)
    return {row: costs[first[one]] | times[first[one]] for row, (one, _) in networks.items()}


def text(network: Network, state: NetState, image_shape: tuple[int, int, int]) -> str:
    """The program of one image's prediction, before it is compiled: all that a network computes."""
    return str(_lower(network, state, image_shape, 1)[0].as_text())


def timing(
    networks: Mapping[str, tuple[Network, NetState]],
    image_shape: tuple[int, int, int],
    batch_size: int,
    *,
    seconds: float = 0.3,
    each: Callable[[int], None] = lambda done: None,
) -> dict[str, dict[str, Any]]:
    """Time of compiled predictions of images that are on one device, each waited for.

    Networks take turns, so that what else the machine does falls on all of them.

    Args:
        networks: what is run, without dropout and with running statistics.
        image_shape: `(h, w, c)`.
        batch_size: for throughput.
        seconds: how long each network runs at batch 1, and again at `batch_size`.
        each: called with the number of turns that are done, of `turns(networks)`.

    Returns:
        By name `latency_median` and `latency_p90`, milliseconds at batch 1; `throughput`, images a
        second at `batch_size` (from the median), and `throughput_batch`.
    """
    done = itertools.count(1)
    alone, many = (
        in_turns(
            {name: prediction(*one, image_shape, size) for name, one in networks.items()},
            seconds=seconds,
            each=lambda: each(next(done)),
        )
        for size in (1, batch_size)
    )
    return {
        name: {
            "latency_median": 1e3 * statistics.median(alone[name]),
            "latency_p90": 1e3 * float(np.quantile(alone[name], 0.9)),
            "throughput": batch_size / statistics.median(many[name]),
            "throughput_batch": batch_size,
        }
        for name in networks
    }


def turns(networks: Mapping[str, Any]) -> int:
    """How many turns `timing` takes."""
    return 2 * ROUNDS * len(networks)


def in_turns(
    calls: Mapping[str, Callable[[], Any]], *, seconds: float, each: Callable[[], None]
) -> dict[str, list[float]]:
    """Seconds of each call, by name; the first one of every turn warms up and does not count."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            jax.block_until_ready(call())
            turn: list[float] = []
            while sum(turn) < seconds / ROUNDS:
                begin = time.perf_counter()
                jax.block_until_ready(call())
                turn.append(time.perf_counter() - begin)
            found[name] += turn
            each()
    return found


def prediction(
    network: Network, state: NetState, image_shape: tuple[int, int, int], size: int
) -> Callable[[], Array]:
    """A compiled prediction of `size` images of noise, which are on one device already."""
    lowered, arguments = _lower(network, state, image_shape, size)
    compiled = lowered.compile()
    return lambda: compiled(*arguments)


def _lower(
    network: Network, state: NetState, image_shape: tuple[int, int, int], size: int
) -> tuple[Any, Any]:
    """The program of a prediction, and arguments for it."""

    def predict(state: NetState, image: Array) -> Array:
        return network.apply(state, image, train=False)[0].logits

    noise = np.random.default_rng(0).normal(size=(size, *image_shape))
    arguments = jax.device_put((state, jnp.asarray(noise, jnp.float32)), jax.local_devices()[0])
    options = runtime.compiler_options()
    return jax.jit(predict, compiler_options=options).lower(*arguments), arguments
