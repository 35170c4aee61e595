"""Held-out splits and nested training fractions: stratified, fixed by a seed."""

import numpy as np

from kdjax.data.orders import random_keys
from kdjax.data.types import DataSet, Raw, Split


def strata(label: np.ndarray) -> np.ndarray:
    """The group of each example, `[n]`, within which it is drawn.

    Its class; for attributes the rarest of those that it has, so that rare ones are spread as
    evenly as chance allows (the first step of iterative stratification, Sechidis et al., 2011).

    Args:
        label: `[n]` class indices, or `[n, k]` attributes in {0, 1}.
    """
    if label.ndim == 1:
        return label
    order = np.argsort(label.sum(axis=0), kind="stable")
    ranked = label[:, order] > 0
    return np.where(ranked.any(axis=1), ranked.argmax(axis=1), -1)


def ranks(label: np.ndarray, seed: int, purpose: str) -> np.ndarray:
    """For each example its place in its stratum in a random order, as a share in (0, 1).

    Args:
        label: `[n]` class indices, or `[n, k]` attributes.
        seed: the data seed.
        purpose: separates draws of one seed.

    Returns:
        `[n]` float64. Examples below a share make up a stratified subset, rounded to the nearest
        number in every stratum, and a smaller share's subset lies inside a larger one's.
    """
    keys = random_keys(len(label), seed, purpose)
    place = np.empty(len(label))
    group = strata(label)
    for value in np.unique(group):
        members = np.flatnonzero(group == value)
        order = members[np.argsort(keys[members], kind="stable")]
        place[order] = (np.arange(len(members)) + 0.5) / len(members)
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
    parts = _numbered(raw.parts)
    train, test = parts["train"], parts.get("test")
    if test is None:
        train, test = hold_out(train, 0.1, seed, "test")
        validation = validation / 0.9
    held = parts.get("validation")
    if held is None:
        train, held = hold_out(train, validation, seed, "validation")
    train = _subset(train, fraction, seed)
    splits = {"train": train, "test": test}
    if refit:
        splits["train"] = train.join(_subset(held, fraction, seed))
    elif len(held.id):
        splits["validation"] = held
    return DataSet(splits, raw.class_names, raw.source, raw.content)


def _numbered(parts: dict[str, Split]) -> dict[str, Split]:
    """The parts with ids that go on from one to the next, so that each id is one example's."""
    first = 0
    numbered: dict[str, Split] = {}
    for name in ("train", "validation", "test"):
        if name in parts:
            numbered[name] = parts[name]._replace(id=parts[name].id + np.int32(first))
            first += len(parts[name].id)
    return numbered


def _subset(split: Split, fraction: float, seed: int) -> Split:
    if fraction == 1.0:
        return split
    place, group = ranks(split.label, seed, "fraction"), strata(split.label)
    kept = place < fraction
    for value in np.unique(group):
        members = np.flatnonzero(group == value)
        # However small the share, every class keeps one.
        kept[members[np.argmin(place[members])]] = True
    return split.rows(np.flatnonzero(kept))
