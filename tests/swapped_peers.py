"""Prints the largest difference that swapping the names of two peers makes, by optimiser.

python -m tests.swapped_peers
"""

import json

import jax
import jax.numpy as jnp

from tests import helpers

OPTIMISERS = {"sgd": "sgd(momentum=0.9)", "adamw": "adamw"}


def swapped(kind):
    """States after five updates of two networks, and of the same two under each other's names.

    With dropout, BatchNorm and different widths.
    """
    narrow = helpers.network("narrow", width=3, norm=True, dropout=0.2)
    wide = helpers.network("wide", width=5, norm=True, dropout=0.2)
    states = []
    # Optax's bias correction raises a float to an integer power.
    with jax.numpy_dtype_promotion("standard"):
        for peers in ({"a": narrow, "b": wide}, {"a": wide, "b": narrow}):
            code, weights = helpers.mutual(peers, pad=1, text=OPTIMISERS[kind])
            values = helpers.hyper(weights, learning_rate=1e-2)
            states.append(helpers.run(code, values, updates=5)[0])
    return states


def largest_difference(kind):
    """Over parameters, statistics and optimiser state; 0 where all is equal bit for bit."""
    first, second = swapped(kind)
    differences = jax.tree.map(
        lambda x, y: jnp.max(jnp.abs(x - y)).astype(jnp.float32),
        [(first.networks[x], first.opt[x]) for x in "ab"],
        [(second.networks[y], second.opt[y]) for y in "ba"],
    )
    return max(map(float, jax.tree.leaves(differences)))


if __name__ == "__main__":
    print(json.dumps({kind: largest_difference(kind) for kind in ("sgd", "adamw")}))
