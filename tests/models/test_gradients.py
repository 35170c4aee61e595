"""Compiled gradients are those of the same operations one by one, whatever XLA fuses.

Max pooling once was not: its gradient compared values with their maximum, which XLA had rounded
differently, so that whole windows lost their gradient at some sizes and batches, without a word.
"""

import pytest

from tests.helpers import as_in_runs
from tests.models.gradients import FLIPPED
from tests.models.test_models import COUNTS

WRONG = ("plain.plain8,28,96,1", "six_conv.student,40,32,3", "six_conv.student,32,50,3")
"""Networks, sizes and batches at which gradients were off by 30 to 40 %."""

SMALL = [row[0] for row in COUNTS if row[0].startswith(("mnist", "plain", "six_conv"))]
LARGE = [row[0] for row in COUNTS if row[0] not in SMALL]
SIZES = {
    # Image size and batch; odd and even, powers of two and not.
    "small": ((28, 64), (28, 128), (29, 31), (32, 32), (32, 100), (32, 128), (36, 32), (40, 32)),
    "large": ((32, 16), (32, 25), (33, 7), (40, 10)),
    "patches": ((32, 16), (48, 7)),
}


def assert_close(cases, bound):
    errors = as_in_runs("tests.models.gradients", *cases)
    assert errors.keys() >= {case for case in cases if not case.startswith("--")}
    wrong = {case: error for case, error in errors.items() if not is_right(error, bound)}
    assert not wrong


def is_right(error, bound):
    """Within the bound; or as near to the gradient in double precision as single operations are."""
    whole, leaf, *from_truth = error
    if max(whole, leaf) < bound:
        return True
    return len(from_truth) == 2 and from_truth[0] < min(1.5 * from_truth[1], 5e-2)


@pytest.mark.parametrize(
    "case", [WRONG[0], *(pytest.param(c, marks=pytest.mark.slow) for c in WRONG[1:])]
)
def test_pooled_networks_where_they_were_wrong(case):
    assert_close([case], FLIPPED)


@pytest.mark.slow
def test_in_double_precision_nothing_flips():
    assert_close(["--float64", "plain.plain8,28,6,1", "six_conv.student,20,6,3"], 1e-9)


@pytest.mark.slow
def test_fsp_pools_with_the_right_gradient():
    """With a reshape and `jnp.max` it was off by 17 %."""
    assert_close(["--fsp", "plain.plain10,24,32,1"], FLIPPED)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_every_small_model_at_many_sizes(name):
    channels = 1 if name.startswith("mnist") else 3
    assert_close([f"{name},{size},{batch},{channels}" for size, batch in SIZES["small"]], FLIPPED)


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_every_large_model_at_many_sizes(name):
    sizes = SIZES["large"]
    if name.startswith("vit"):
        sizes = SIZES["patches"]
    elif "imagenet" in name or name.startswith(("mobilenet", "efficientnet")):
        # On maps of 1x1, BatchNorm of a few values magnifies rounding.
        sizes = ((64, 4), (97, 3))
    # More of ReLU6's decisions flip, in a layer's gradient up to 4 %.
    bound = 5e-2 if name.startswith(("mobilenet", "efficientnet")) else FLIPPED
    assert_close([f"{name},{size},{batch},3" for size, batch in sizes], bound)
