"""Saving and restoring; the only importer of Orbax.

A workdir's `checkpoints/<stage>/<step>/` holds `state` (the training state), `selected` (the best
networks so far, where there is a validation split) and `progress` (JSON).
"""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from kdjax.errors import UserError
from kdjax.types import NetState, PyTree, TrainState

# Orbax logs every save in several lines; its warnings and errors still show.
logging.getLogger("absl").setLevel(logging.WARNING)


class Saved(NamedTuple):
    """One checkpoint."""

    state: TrainState
    selected: dict[str, NetState]
    progress: dict[str, Any]


class Checkpoints:
    """The checkpoints of one stage; saving does not wait for the disk."""

    def __init__(self, workdir: Path, stage: str):
        self.directory = (workdir / "checkpoints" / stage).absolute()
        options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=True)
        self._manager = ocp.CheckpointManager(self.directory, options=options)

    def save(self, step: int, saved: Saved) -> None:
        """Starts to save at the run's `step`; an earlier save is waited for first."""
        # Copies: the training step reuses the state's memory while this is being written.
        state, selected = jax.tree.map(jnp.copy, (saved.state, saved.selected))
        items = {
            "state": ocp.args.StandardSave(state),
            "progress": ocp.args.JsonSave(saved.progress),
        }
        if selected:
            items["selected"] = ocp.args.StandardSave(selected)
        self._manager.save(step, args=ocp.args.Composite(**items), force=True)

    def latest(self) -> int | None:
        """The run's step of the newest whole checkpoint, or None."""
        return self._manager.latest_step()

    def progress(self, step: int) -> dict[str, Any]:
        """The JSON part of one checkpoint."""
        args = ocp.args.Composite(progress=ocp.args.JsonRestore())
        return self._manager.restore(step, args=args)["progress"]

    def restore(self, step: int, like: TrainState, selected_like: dict[str, NetState]) -> Saved:
        """A checkpoint in the layout of `like`.

        Raises:
            UserError: it is damaged, or of another architecture.
        """
        progress = self.progress(step)
        items = {"state": ocp.args.StandardRestore(_shapes(like))}
        if progress["selected"]:
            items["selected"] = ocp.args.StandardRestore(_shapes(selected_like))
        try:
            restored = self._manager.restore(step, args=ocp.args.Composite(**items))
        except Exception as error:  # Orbax raises many kinds; all mean that it cannot be read.
            reason = str(error).splitlines()[0]
            raise UserError(f"cannot restore {self.directory / str(step)}: {reason}") from error
        _same_shapes(restored["state"], like, self.directory / str(step))
        return Saved(restored["state"], restored.get("selected") or {}, progress)

    def close(self) -> None:
        """Waits until everything is on disk."""
        self._manager.wait_until_finished()
        self._manager.close()


def _shapes(tree: PyTree) -> PyTree:
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=getattr(x, "sharding", None)),
        tree,
    )


def _same_shapes(tree: PyTree, like: PyTree, where: Path) -> None:
    found = jax.tree_util.tree_leaves_with_path(tree)
    for (path, leaf), wanted in zip(found, jax.tree.leaves(like), strict=True):
        if leaf.shape != wanted.shape:
            name = jax.tree_util.keystr(path)
            raise UserError(f"{where}: {name} has shape {leaf.shape}, not {wanted.shape}")
