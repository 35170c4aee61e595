"""What a computation reads of frozen networks, so that nothing else is computed, sent or kept."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax

from kdjax.step.types import Observed, Outputs


def features(use: Callable[..., Any], observed: Observed, *rest: Any) -> set[tuple[str, str]]:
    """Network and name of the features that `use(observed, *rest)` computes with.

    Args:
        use: is traced.
        observed: arrays or their shapes.
        rest: likewise.
    """
    values = {
        (name, key): value
        for name, one in observed.outputs.items()
        for key, value in one.features.items()
    }
    order = sorted(values)
    without = {name: one._replace(features={}) for name, one in observed.outputs.items()}

    def with_features(chosen: list[Any], observed: Observed, rest: tuple[Any, ...]) -> Any:
        given = dict(zip(order, chosen, strict=True))
        outputs = {
            name: one._replace(features={k: v for (n, k), v in given.items() if n == name})
            for name, one in observed.outputs.items()
        }
        return use(observed._replace(outputs=outputs), *rest)

    chosen = [values[key] for key in order]
    traced = jax.make_jaxpr(with_features)(chosen, observed._replace(outputs=without), rest).jaxpr
    used = {id(variable) for equation in traced.eqns for variable in equation.invars}
    # A term may keep a feature as it is, in its memory.
    used |= {id(variable) for variable in traced.outvars}
    return {key for key, one in zip(order, traced.invars, strict=False) if id(one) in used}


def keep(outputs: Mapping[str, Outputs], read: Collection[tuple[str, str]]) -> dict[str, Outputs]:
    """Outputs without the features that are not named in `read`, by network and name."""
    return {
        name: one._replace(features={k: v for k, v in one.features.items() if (name, k) in read})
        for name, one in outputs.items()
    }
