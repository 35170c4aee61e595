"""Held-out splits and nested training fractions: stratified, fixed by a seed."""

import numpy as np

from kdjax.data.orders import random_keys
from kdjax.data.types import DataSet, Raw, Split


def ranks(label: np.ndarray, seed: int, purpose: str) -> np.ndarray:
    """For each example its place among its class in a random order, as a share in [0, 1).

    Args:
        label: `[n]` class indices.
        seed: the data seed.
        purpose: separates draws of one seed.

    Returns:
        `[n]` float64. Examples below a share make up a stratified subset, and a smaller share's
        subset lies inside a larger one's.
    """
    keys = random_keys(len(label), seed, purpose)
    place = np.empty(len(label))
    for value in np.unique(label):
        members = np.flatnonzero(label == value)
        place[members[np.argsort(keys[members], kind="stable")]] = np.arange(len(members)) / len(
            members
        )
    return place


def hold_out(split: Split, share: float, seed: int, purpose: str) -> tuple[Split, Split]:
    """`split` without a stratified `share` of it, and that share."""
    held = ranks(split.label, seed, purpose) < share
    return split.rows(np.flatnonzero(~held)), split.rows(np.flatnonzero(held))


def prepare(raw: Raw, *, seed: int, validation: float, fraction: float, refit: bool) -> DataSet:
    """Splits a data set into train, validation and test.

    Args:
        raw: what the source gives; without a `test` part a tenth is held out as one.
        seed: the data seed.
        validation: share of the training part that is held out, where the source has no
            validation part of its own.
        fraction: share of what then is left to train on that is used.
        refit: train on training and validation examples together (of each the fraction);
            nothing is held out.
    """
    train, test = raw.parts["train"], raw.parts.get("test")
    if test is None:
        train, test = hold_out(train, 0.1, seed, "test")
        validation = validation / 0.9
    held = raw.parts.get("validation")
    if held is None:
        train, held = hold_out(train, validation, seed, "validation")
    train = _subset(train, fraction, seed)
    splits = {"train": train, "test": test}
    if refit:
        both = zip(train, _subset(held, fraction, seed), strict=True)
        splits["train"] = Split(*map(np.concatenate, both))
    elif len(held.id):
        splits["validation"] = held
    return DataSet(splits, raw.class_names, raw.source)


def _subset(split: Split, fraction: float, seed: int) -> Split:
    if fraction == 1.0:
        return split
    return split.rows(np.flatnonzero(ranks(split.label, seed, "fraction") < fraction))
