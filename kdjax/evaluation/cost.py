"""The cost of a network: parameters, bytes, arithmetic, and time on this device."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kdjax.models.networks import linen
from kdjax.step.types import Array, NetState, Network
from kdjax.system import runtime
from kdjax.system.progress import Bar

ROUNDS = 3
"""The number of turns that each network takes when times are measured."""
UNTIMED = dict.fromkeys(("latency_median", "latency_p90", "throughput", "throughput_batch"))
"""The values of `timing` where times are not measured."""

Networks = Mapping[str, tuple[Network, NetState]]


def size(state: NetState) -> dict[str, Any]:
    """`parameters`, `parameters_with_statistics` (BatchNorm's), and `megabytes` (10^6) of both."""
    nbytes = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    return {
        "parameters": linen.count(state.params),
        "parameters_with_statistics": linen.count(state),
        "megabytes": nbytes / 1e6,
    }


def flops(network: Network, state: NetState) -> float | None:
    """Floating-point operations of one image's prediction, as XLA counts them in the program.

    A multiplication and an addition are two. None where this backend does not say.
    """
    analysis = _lower(network, state, 1)[0].cost_analysis()
    return float(analysis["flops"]) if analysis and "flops" in analysis else None


def program_text(network: Network, state: NetState) -> str:
    """The program of one image's prediction, before it is compiled: all that a network computes."""
    return str(_lower(network, state, 1)[0].as_text())


def costs(
    networks: Networks,
    *,
    teacher: NetState | None,
    batch_size: int,
    known: Mapping[str, dict[str, Any] | None],
) -> dict[str, dict[str, Any]]:
    """Every network's size, arithmetic and times; the states of one network cost the same.

    Args:
        networks: by name.
        teacher: `of_teacher` is the share of its size.
        batch_size: images in a batch for throughput; 0 measures no times.
        known: times of an earlier evaluation by name; they count where they are there for all,
            since networks are timed in turns.
    """
    first: dict[Network, str] = {}
    for name, (network, _) in networks.items():
        first.setdefault(network, name)
    distinct = {name: networks[name] for name in first.values()}
    times: Mapping[str, Any] = dict.fromkeys(distinct, UNTIMED)
    if batch_size:
        are_known = all(known.get(name) for name in distinct)
        times = known if are_known else timing(distinct, batch_size)
    cost_of = {}
    for name, (network, state) in distinct.items():
        own = size(state)
        own["of_teacher"] = own["megabytes"] / size(teacher)["megabytes"] if teacher else None
        own["flops"] = flops(network, state)
        cost_of[network] = own | times[name]
    return {name: cost_of[network] for name, (network, _) in networks.items()}


def timing(
    networks: Networks, batch_size: int, *, seconds: float = 0.3
) -> dict[str, dict[str, Any]]:
    """Time of compiled predictions of images that are on one device, each waited for.

    Each network runs for `seconds` at batch 1, and again at `batch_size`. By name: `latency_median`
    and `latency_p90`, milliseconds at batch 1; `throughput`, images a second at `batch_size` (from
    the median), and `throughput_batch`.
    """
    single, batch = (
        in_turns(
            {name: prediction(*pair, images) for name, pair in networks.items()},
            seconds=seconds,
        )
        for images in (1, batch_size)
    )
    return summaries(single, batch, batch_size)


def summaries(
    single: Mapping[str, Sequence[float]], batch: Mapping[str, Sequence[float]], batch_size: int
) -> dict[str, dict[str, Any]]:
    """The values of `timing` by name, from the seconds of calls of one image and of a batch."""
    return {
        name: {
            "latency_median": 1e3 * statistics.median(single[name]),
            "latency_p90": 1e3 * float(np.quantile(single[name], 0.9)),
            "throughput": batch_size / statistics.median(batch[name]),
            "throughput_batch": batch_size,
        }
        for name in single
    }


def in_turns(calls: Mapping[str, Callable[[], Any]], *, seconds: float) -> dict[str, list[float]]:
    """Seconds of each call, by name; the first call of every turn warms up and does not count.

    Names take `ROUNDS` turns, so that the machine's other work falls on all of them; a name's turns
    take `seconds` together.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    with Bar("timing", ROUNDS * len(calls)) as bar:
        for turn, name in enumerate(list(calls) * ROUNDS, start=1):
            jax.block_until_ready(calls[name]())
            spent = 0.0
            while spent < seconds / ROUNDS:
                begin = time.perf_counter()
                jax.block_until_ready(calls[name]())
                times[name].append(time.perf_counter() - begin)
                spent += times[name][-1]
            bar.to(turn)
    return times


def prediction(network: Network, state: NetState, images: int) -> Callable[[], Array]:
    """A compiled prediction of so many images of noise, which are on one device already."""
    lowered, arguments = _lower(network, state, images)
    compiled = lowered.compile()
    return lambda: compiled(*arguments)


def _lower(
    network: Network, state: NetState, images: int
) -> tuple[jax.stages.Lowered, tuple[NetState, Array]]:
    """The program of a prediction, and arguments for it."""

    def predict(state: NetState, image: Array) -> Array:
        return network.apply(state, image, train=False)[0].logits

    noise = np.random.default_rng(0).normal(size=(images, *network.image_shape))
    arguments = jax.device_put((state, jnp.asarray(noise, jnp.float32)), jax.local_devices()[0])
    options = runtime.compiler_options()
    return jax.jit(predict, compiler_options=options).lower(*arguments), arguments
