"""Held-out splits and nested training fractions: stratified, fixed by a seed."""

import numpy as np

from kdjax.data.orders import random_keys
from kdjax.data.types import DataSet, Raw, Split
from kdjax.system.errors import UserError


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


def ranks(group: np.ndarray, seed: int, purpose: str) -> np.ndarray:
    """For each example its place in its group in a random order, as a share in (0, 1).

    Args:
        group: `[n]`, as `strata` gives it.
        seed: the data seed.
        purpose: separates draws of one seed.

    Returns:
        `[n]` float64. Examples below a share make up a stratified subset, rounded to the nearest
        number in every group, and a smaller share's subset lies inside a larger one's.
    """
    keys = random_keys(len(group), seed, purpose)
    place = np.empty(len(group))
    for value in np.unique(group):
        members = np.flatnonzero(group == value)
        order = members[np.argsort(keys[members], kind="stable")]
        place[order] = (np.arange(len(members)) + 0.5) / len(members)
    return place


def hold_out(split: Split, share: float, seed: int, purpose: str) -> tuple[Split, Split]:
    """`split` without a stratified `share` of it, and that share.

    However small or large the share, every class of two images or more keeps one and gives one; of
    attributes, the whole split does.

    Args:
        split: what to divide.
        share: in (0, 1).
        seed: the data seed.
        purpose: separates draws of one seed.
    """
    if split.label.ndim == 1:
        group = whole = split.label
    else:
        group, whole = _joined(strata(split.label), share), np.zeros(len(split.label))
    place = ranks(group, seed, purpose)
    held = place < share
    for value in np.unique(whole):
        members = np.flatnonzero(whole == value)
        held[members[np.argmin(place[members])]] = True
        held[members[np.argmax(place[members])]] = False
    return split.rows(np.flatnonzero(~held)), split.rows(np.flatnonzero(held))


def _joined(group: np.ndarray, share: float) -> np.ndarray:
    """Groups with those joined that are so small that none would give an image of its own."""
    _, inverse, counts = np.unique(group, return_inverse=True, return_counts=True)
    return np.where(counts[inverse] * share <= 0.5, group.min() - 1, group)


def prepare(raw: Raw, *, seed: int, validation: float, fraction: float, refit: bool) -> DataSet:
    """Splits a data set into train, validation and test.

    Args:
        raw: what the source gives; without a `test` part a tenth is held out as one.
        seed: the data seed.
        validation: share of the training part that is held out, where the source has no
            validation part of its own; 0: none.
        fraction: share of what then is left to train on that is used.
        refit: train on training and validation examples together (of each the fraction);
            nothing is held out.

    Raises:
        UserError: there is a single class, or a class has too few images for the splits.
    """
    parts = _numbered(raw.parts)
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
    return DataSet(splits, raw.class_names, raw.source, raw.content)


_NAMED = 5
"""So many classes are named in a message."""


def _check_counts(raw: Raw, drawn: list[str]) -> None:
    """That there are two classes or more, each with an image for training and for every split that
    is `drawn` from the training part; attributes need so many images together."""
    label, splits = raw.parts["train"].label, ["training", *drawn]
    each = f"{len(splits)} (one each for {', '.join(splits)})" if drawn else "1 for training"
    if label.ndim == 2:
        if len(label) < len(splits):
            raise UserError(f"{raw.source} has {len(label)} training images; it needs {each}")
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
        more = f" and {len(few) - _NAMED} more" if len(few) > _NAMED else ""
        raise UserError(
            f"{raw.source} has classes with too few training images: {', '.join(few[:_NAMED])}"
            f"{more}. A class needs {each}: add images, or leave the class out"
        )


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
    group = strata(split.label)
    place = ranks(group, seed, "fraction")
    kept = place < fraction
    for value in np.unique(group):
        members = np.flatnonzero(group == value)
        # However small the share, every class keeps one.
        kept[members[np.argmin(place[members])]] = True
    return split.rows(np.flatnonzero(kept))
