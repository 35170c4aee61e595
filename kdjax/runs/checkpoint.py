"""Saving and restoring; the only importer of Orbax.

A workdir's `checkpoints/<stage>/<step>/` holds `networks` (as they are), `selected` (the best so
far, where there is a validation split), `rest` (what else the training state has) and `progress`
(JSON). Networks lie apart so that evaluating them does not read the optimiser's state.
"""

import contextlib
import logging
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from kdjax.runs.writers import writing
from kdjax.step.members import one_copy
from kdjax.step.types import NetState, PyTree, TrainState
from kdjax.system.errors import UserError


class Saved(NamedTuple):
    """One checkpoint."""

    state: TrainState
    selected: dict[str, NetState]
    progress: dict[str, Any]


class Checkpoints:
    """The checkpoints of one stage; saving does not wait for the disk.

    Functions that write raise a UserError where the disk is full or nothing can be written there;
    so does a later call of them for a save that fails meanwhile. Functions that read raise it
    where a checkpoint is damaged or of another architecture.
    """

    def __init__(self, workdir: Path, stage: str, *, read_only: bool = False):
        """With `read_only` the folder may be missing, and then there are no checkpoints."""
        # Orbax's threads log errors, in many lines, that are raised where the threads are awaited.
        logging.getLogger("absl").addFilter(_is_not_orbax)
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        self.directory = (workdir / "checkpoints" / stage).absolute()
        options = ocp.CheckpointManagerOptions(
            max_to_keep=1, enable_async_checkpointing=True, create=not read_only
        )
        self._manager = ocp.CheckpointManager(self.directory, options=options)

    def save(self, step: int, saved: Saved) -> None:
        """Starts to save at the run's `step`; an earlier save is waited for first."""
        # Copies: the training step reuses the state's memory while this is being written.
        state, selected = jax.tree.map(jnp.copy, (saved.state, saved.selected))
        items = {
            "networks": ocp.args.StandardSave(state.networks),
            "rest": ocp.args.StandardSave(state._replace(networks={})),
            "progress": ocp.args.JsonSave(saved.progress),
        }
        if selected:
            items["selected"] = ocp.args.StandardSave(selected)
        with writing(self.directory):
            self._manager.save(step, args=ocp.args.Composite(**items), force=True)

    def steps(self) -> list[int]:
        """The run's steps at all whole checkpoints, in order."""
        return sorted(self._manager.all_steps())

    def latest(self) -> int | None:
        """The newest of `steps`, or None."""
        return self._manager.latest_step()

    def progress(self, step: int) -> dict[str, Any]:
        """The JSON part of one checkpoint."""
        return self._read(step, "progress", ocp.args.JsonRestore())

    def require_layout(self, step: int, layout: str) -> None:
        """Refuses a checkpoint whose state lay on the devices in another way than this run's."""
        saved = self.progress(step)["layout"]
        if saved != layout:
            raise UserError(
                f"{self.directory / str(step)} was saved under {saved}, and this is {layout}: use "
                "as many devices as then"
            )

    def restore(self, step: int, like: TrainState, selected_like: dict[str, NetState]) -> Saved:
        """A checkpoint in the layout of `like`."""
        progress = self.progress(step)
        networks = self.item(step, "networks", like.networks)
        rest = self.item(step, "rest", like._replace(networks={}))
        selected = self.item(step, "selected", selected_like) if progress["selected"] else {}
        return Saved(rest._replace(networks=networks), selected, progress)

    def item(self, step: int, name: str, like: PyTree) -> Any:
        """The `networks`, `selected` or `rest` of one checkpoint, in the layout of `like`."""
        where = self._where(step, name)
        # Orbax's own words on a difference are many lines.
        _require_shapes(str(where), self._metadata(where), like)
        shapes = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=getattr(x, "sharding", None)),
            like,
        )
        return self._read(step, name, ocp.args.StandardRestore(shapes))

    def networks(self, step: int, item: str, like: dict[str, NetState]) -> dict[str, NetState]:
        """The networks of `like` in a checkpoint's item, in its layout, whatever else is there.

        The item `networks` of pmap has a device axis, from which one copy is taken.
        """
        where = self._where(step, item)
        metadata = self._metadata(where)
        sharding = jax.tree.leaves(like)[0].sharding
        everything = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), metadata
        )
        with _reading(where), ocp.StandardCheckpointer() as reader:
            saved = reader.restore(where, everything)
        has_device_axis = item == "networks" and self.progress(step)["layout"] != "jit"
        networks = {}
        for name in like:
            if name not in saved:
                raise UserError(f"{where} has no network {name!r}; there are: {', '.join(saved)}")
            state = NetState(saved[name]["params"], saved[name]["batch_stats"])
            networks[name] = one_copy(state) if has_device_axis else state
            _require_shapes(f"{name!r} in {where}", networks[name], like[name])
        return networks

    def wait(self) -> None:
        """Waits until everything is on disk."""
        with writing(self.directory):
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits until everything is on disk, and ends."""
        self.wait()
        with writing(self.directory):
            self._manager.close()

    def _where(self, step: int, item: str) -> Path:
        return self.directory / str(step) / item

    def _metadata(self, where: Path) -> dict[str, Any]:
        """The names and shapes of an item."""
        with _reading(where):
            return dict(ocp.StandardCheckpointHandler().metadata(where).tree)

    def _read(self, step: int, item: str, args: Any) -> Any:
        with _reading(self._where(step, item)):
            return self._manager.restore(step, args=ocp.args.Composite(**{item: args}))[item]


def _is_not_orbax(record: logging.LogRecord) -> bool:
    return "orbax" not in Path(record.pathname).parts


@contextlib.contextmanager
def _reading(where: Path) -> Iterator[None]:
    """Turns errors into a UserError: Orbax raises many kinds, and all mean that it cannot read."""
    try:
        yield
    except Exception as error:
        # Below, TensorStore and Orbax list what they tried.
        text = str(error).partition("See full TensorStore details")[0].strip()
        reason = textwrap.shorten(text.partition("\n")[0], 200, placeholder=" ...")
        raise UserError(f"cannot restore {where}, it is damaged: {reason}") from error


def _named_shapes(tree: PyTree) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): tuple(x.shape) for path, x in leaves
    }


def _require_shapes(what: str, saved: PyTree, like: PyTree) -> None:
    there, here = _named_shapes(saved), _named_shapes(like)
    for key in sorted({*there, *here}):
        if there.get(key) != here.get(key):
            raise UserError(
                f"{what} is of another architecture or number of classes: {key} is "
                f"{there.get(key, 'absent')} there, {here.get(key, 'absent')} here"
            )
