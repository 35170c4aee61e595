"""A network of a finished run or of an import, without the run's data."""

from pathlib import Path

from kdjax.config import build, build_data
from kdjax.runs import restore, workdir
from kdjax.step.members import base_name
from kdjax.step.types import LoadedNetwork
from kdjax.system import discover
from kdjax.system.errors import UserError


def load_network(directory: Path, name: str = "") -> LoadedNetwork:
    """The network as its run chose it: selected on validation, or as it was after the last step.

    Args:
        directory: the workdir of a finished run or of an import.
        name: the network's name in the result; empty where the result has only one, or where it is
            `student`.

    Raises:
        UserError: there is no such run or network, or it has not finished.
    """
    directory = directory.expanduser()
    config = workdir.load_config(directory)
    result = workdir.load_result(directory)
    if result is None or not result["finished"]:
        raise UserError(f"{directory} has not finished: run the same command again to go on")
    names = result["networks"]
    if not name:
        name = next(iter(names)) if len(names) == 1 else "student"
        if name not in names:
            raise UserError(f"{directory}: choose one with --network: {', '.join(names)}")
    entry_name = base_name(name)
    if name not in names:
        if entry_name in config.networks and config.networks[entry_name].workdir:
            entry = config.networks[entry_name]
            return load_network(Path(entry.workdir), entry.source or entry_name)
        raise discover.unknown(f"network in {directory}", name, names)
    record = names[name]
    entry = config.networks[entry_name]
    classes = len(workdir.class_names(directory))
    size, channels = config.data.size, len(build_data.normalisation(config.data)[0])
    image_shape = size, size, channels
    network = build.network(config, entry_name, classes, image_shape)
    own = build.own_preprocessing(config, entry_name)
    return LoadedNetwork(
        name=name,
        network=network,
        state=restore.saved_state(directory, name, record, network, lambda tree: tree),
        preprocessing=own or build.run_preprocessing(config.data),
        image_shape=image_shape,
        crop=config.data.crop,
        class_names=restore.class_names(directory, config, name),
        multi_label=workdir.is_multi_label(directory),
        origin={
            "workdir": str(directory),
            "network": name,
            "model": entry.model,
            "precision": config.precision,
            **{key: record[key] for key in ("stage", "step", "parameters", "validation", "test")},
            **{key: result[key] for key in ("method", "data", "versions", "git_commit")},
        },
    )
