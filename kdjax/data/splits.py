"""Held-out splits and nested training fractions: stratified, fixed by a seed."""

import numpy as np

from kdjax.data.orders import random_keys
from kdjax.data.types import DataSet, Split
from kdjax.system import errors
from kdjax.system.errors import UserError


def prepare(raw: DataSet, *, seed: int, validation: float, fraction: float, refit: bool) -> DataSet:
    """Splits a data set into train, validation and test.

    Args:
        raw: the source's data set; without a `test` split a tenth is held out as test split. A set
            without classes, of unlabelled images, has a training split alone.
        seed: the data seed.
        validation: the share of the training part that is held out, where the source has no
            validation part; 0 holds out nothing.
        fraction: the share of the remaining training examples that is used.
        refit: trains on training and validation examples together (on the fraction of each), and
            holds out no validation split.

    Raises:
        UserError: there is a single class, or a class has too few images for the splits.
    """
    parts = _numbered(raw.splits)
    if not raw.class_names:
        # Without labels there is nothing to validate or to test.
        return raw._replace(splits={"train": _subset(parts["train"], fraction, seed)})
    train, test, held = parts["train"], parts.get("test"), parts.get("validation")
    drawn = ["test"] if test is None else []
    if held is None and validation and not refit:
        drawn.append("validation")
    _check_counts(raw, drawn)
    if test is None:
        train, test = hold_out(train, 0.1, seed, "test")
        validation = validation / 0.9
    if held is None and validation:
        train, held = hold_out(train, validation, seed, "validation")
    splits = {"train": _subset(train, fraction, seed), "test": test}
    if held is not None and refit:
        splits["train"] = splits["train"].join(_subset(held, fraction, seed))
    elif held is not None:
        splits["validation"] = held
    for name, split in splits.items():
        if not len(split.id):
            raise UserError(f"{raw.source} has no {name} images")
    return raw._replace(splits=splits)


def strata(label: np.ndarray) -> np.ndarray:
    """The group of each example, `[n]`, for stratified draws.

    The group is the class, or the rarest attribute that the image has, which spreads rare
    attributes as evenly as chance allows (the first step of iterative stratification, Sechidis et
    al., 2011).

    Args:
        label: `[n]` class indices, or `[n, k]` attributes in {0, 1}.
    """
    if label.ndim == 1:
        return label
    order = np.argsort(label.sum(axis=0), kind="stable")
    ranked = label[:, order] > 0
    return np.where(ranked.any(axis=1), ranked.argmax(axis=1), -1)


def ranks(group: np.ndarray, seed: int, purpose: str) -> np.ndarray:
    """The rank of each example in a random order of its group, as a share in (0, 1).

    Args:
        group: `[n]`, from `strata`.
        seed: the data seed.
        purpose: separates draws of one seed.

    Returns:
        `[n]` float64. The examples whose rank is below a share are a stratified subset, rounded to
        the nearest number in every group. The subset of a smaller share lies inside that of a
        larger share.
    """
    keys = random_keys(len(group), seed, purpose)
    order = np.lexsort((keys, group))
    _, first, counts = np.unique(group[order], return_index=True, return_counts=True)
    rank = np.empty(len(group))
    rank[order] = (np.arange(len(group)) - np.repeat(first, counts) + 0.5) / counts.repeat(counts)
    return rank


def hold_out(split: Split, share: float, seed: int, purpose: str) -> tuple[Split, Split]:
    """`split` without a stratified `share`, and that share.

    Whatever the share, every class of two images or more has an image on both sides; with
    attributes, only the whole split has.

    `share` is in (0, 1), and `purpose` separates draws of one seed.
    """
    if split.label.ndim == 1:
        group = divided = split.label
    else:
        group, divided = _joined(strata(split.label), share), np.zeros(len(split.label))
    rank = ranks(group, seed, purpose)
    held = rank < share
    held[_lowest(rank, divided)] = True
    held[_lowest(-rank, divided)] = False
    return split.rows(np.flatnonzero(~held)), split.rows(np.flatnonzero(held))


def _lowest(rank: np.ndarray, group: np.ndarray) -> np.ndarray:
    """The row with the lowest rank in each group."""
    order = np.lexsort((rank, group))
    return order[np.unique(group[order], return_index=True)[1]]


def _joined(group: np.ndarray, share: float) -> np.ndarray:
    """The groups, with those joined that are too small to give an image to `share`."""
    _, inverse, counts = np.unique(group, return_inverse=True, return_counts=True)
    return np.where(counts[inverse] * share <= 0.5, group.min() - 1, group)


def _subset(split: Split, fraction: float, seed: int) -> Split:
    """A stratified fraction; however small it is, every group keeps an example."""
    if fraction == 1.0:
        return split
    group = strata(split.label)
    rank = ranks(group, seed, "fraction")
    kept = rank < fraction
    kept[_lowest(rank, group)] = True
    return split.rows(np.flatnonzero(kept))


def _numbered(parts: dict[str, Split]) -> dict[str, Split]:
    """The parts with ids that count on from part to part, so that every example has its own id."""
    first = 0
    numbered: dict[str, Split] = {}
    for name in ("train", "validation", "test"):
        if name in parts:
            numbered[name] = parts[name]._replace(id=parts[name].id + np.int32(first))
            first += len(parts[name].id)
    return numbered


def _check_counts(raw: DataSet, drawn: list[str]) -> None:
    """Requires two classes, and images of each class for training and for every split in `drawn`.

    With attributes, the whole training part needs an image for each split.
    """
    label, splits = raw.splits["train"].label, ["training", *drawn]
    needed = f"{len(splits)} (one each for {', '.join(splits)})" if drawn else "1 for training"
    if label.ndim == 2:
        if len(label) < len(splits):
            raise UserError(f"{raw.source} has {len(label)} training images; it needs {needed}")
        return
    present, counts = np.unique(label, return_counts=True)
    if len(present) < 2:
        only = ", ".join(repr(raw.class_names[index]) for index in present)
        raise UserError(
            f"{raw.source} has a single class, {only}, so that every answer would be right; it "
            "takes two or more"
        )
    few = [
        f"{raw.class_names[index]!r} ({count})"
        for index, count in zip(present, counts, strict=True)
        if count < len(splits)
    ]
    if few:
        raise UserError(
            f"{raw.source} has classes with too few training images: {errors.listed(few, 5)}. "
            f"A class needs {needed}: add images, or leave the class out"
        )
