"""Writes the pages of runs as a folder that any file host serves."""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kdjax.app import live, web_runtime
from kdjax.app.live import Follower, StageLength
from kdjax.runs import workdir, writers
from kdjax.system.errors import UserError

if TYPE_CHECKING:
    # It imports JAX, which a second start does without.
    from kdjax.evaluation.run_evaluation import Evaluation

STATIC = Path(__file__).parent / "static"
_PACKAGE = Path(__file__).parents[1]
_MARK = ".kdjax-app"
"""A file in every folder that this module has written."""
_TRIES = 3
"""How often the checkpoint of a run in progress is read before its networks are left out."""
_RECORDS = ("config.json", "split.json", "restored.json", "result.json", "evaluation.json")


class Options(NamedTuple):
    """What the pages show: flags of `kdjax app`, which explain each."""

    images: int = 36
    networks: Sequence[str] = ()
    data_dir: str | None = None
    path: str | None = None


Refresh = dict[str, Callable[[], object]]
"""Functions that write a file of the folder anew, by the file's path in the folder."""


def is_current(folder: Path, directories: Sequence[Path], options: Options) -> bool:
    """Whether the folder has the pages of these finished runs already; loads no JAX."""
    try:
        written = json.loads((folder / "app.json").read_text())
        return bool(written["fingerprint"] == fingerprint(directories, options))
    except (OSError, ValueError, LookupError, TypeError):
        return False


def fingerprint(directories: Sequence[Path], options: Options) -> str:
    """A digest of all that the pages of finished runs depend on; empty if a run is not finished."""
    digest = hashlib.sha256(json.dumps([*map(str, directories), *options]).encode())
    for directory in directories:
        result = workdir.load_result(directory)
        if result is None or not result["finished"]:
            return ""
        for name in _RECORDS:
            path = directory / name
            digest.update(path.read_bytes() if path.exists() else b"none")
        for path in sorted((directory / "checkpoints").glob("*/*")):
            digest.update(f"{path.relative_to(directory)} {path.stat().st_mtime_ns}".encode())
    for path in sorted(path for path in _PACKAGE.rglob("*") if path.is_file()):
        if path.suffix != ".pyc":
            digest.update(path.read_bytes())
    return digest.hexdigest()


def write(folder: Path, directories: Sequence[Path], options: Options, *, served: bool) -> Refresh:
    """Evaluates runs and writes their pages.

    Args:
        folder: an empty or new folder, or one with pages.
        directories: the runs' workdirs.
        options: what the pages show.
        served: whether pages ask again for the state of runs in progress.

    Returns:
        Functions that renew what pages show of runs in progress.

    Raises:
        UserError: the folder has other files; or a run cannot be evaluated.
    """
    from kdjax.evaluation import records

    for directory in directories:
        # Before a folder is made there.
        workdir.load_config(directory)
    begin(folder)
    evaluated, entries, refresh = [], [], Refresh()
    for place, directory in enumerate(directories):
        below = f"runs/{place}"
        entry, shown, lengths = _write_run(directory, folder / below, options)
        entries.append(entry | {"folder": below})
        if shown is not None:
            evaluated.append(shown)
        follower = Follower(directory, lengths, folder / below)
        follower.refresh()
        if not entry["finished"]:
            refresh[f"{below}/{live.FILE}"] = follower.refresh
    from kdjax.app import results

    page = results.make(*zip(*evaluated, strict=True)) if evaluated else results.make([], [])
    writers.write_json(folder / "results.json", page, indent=None)
    labels = records.run_labels([{"workdir": str(directory)} for directory in directories])
    described = {
        "runs": [entry | {"label": label} for entry, label in zip(entries, labels, strict=True)],
        "served": served,
        "fingerprint": fingerprint(directories, options),
    }
    writers.write_json(folder / "app.json", described, indent=None)
    return refresh


def begin(folder: Path) -> None:
    """Makes a folder with the static files of all pages and onnxruntime-web, without any run.

    Raises:
        UserError: the folder has files of something else.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).exists():
        raise UserError(f"{folder} has other files: name a new or an empty folder with --out")
    writers.make_folder(folder)
    with writers.writing(folder):
        (folder / _MARK).touch()
        # What is half written must not look whole.
        (folder / "app.json").unlink(missing_ok=True)
        shutil.rmtree(folder / "runs", ignore_errors=True)
        shutil.copytree(STATIC, folder, dirs_exist_ok=True)
    web_runtime.copy(folder / "runtime")


def _evaluate(
    directory: Path, options: Options, *, finished: bool
) -> tuple["Evaluation | None", str]:
    """The evaluation of a run, or None and a reason where the run has no network to show yet.

    Raises:
        UserError: a finished run cannot be evaluated.
    """
    from kdjax.evaluation import predictions, run_evaluation

    chosen = run_evaluation.Options(
        networks=options.networks, data_dir=options.data_dir, path=options.path
    )
    if workdir.load_config(directory).method == workdir.IMPORT:
        if options.path is None:
            raise UserError(
                f"{directory} is an imported network, without images of its own: name a labelled "
                "set of its classes with --path=PATH"
            )
        chosen = chosen._replace(on=options.path)
    reason = "it has no checkpoint yet"
    for _ in range(1 if finished else _TRIES):
        if not (finished or live.checkpoint_times(directory)):
            break
        try:
            return run_evaluation.evaluate(directory, chosen, predictions.read([directory])), ""
        except UserError as error:
            if finished:
                raise
            # The run replaces its checkpoint after every validation, perhaps while it is read.
            reason = str(error)
    print(f"{directory} is shown without its networks: {reason}")
    return None, reason


def _write_run(
    directory: Path, folder: Path, options: Options
) -> tuple[dict[str, Any], tuple[Any, Any] | None, list[StageLength]]:
    """Writes the files of one run.

    Returns:
        Its entry in `app.json`; its record and settings, where it has networks; and its stages.
    """
    from kdjax.app import compare
    from kdjax.config import build
    from kdjax.evaluation import sweep_settings

    writers.make_folder(folder)
    result = workdir.load_result(directory) or {"finished": False, "networks": {}}
    config = workdir.load_config(directory)
    shown = None
    evaluation, note = _evaluate(directory, options, finished=result["finished"])
    if evaluation is not None:
        plan, record = evaluation.plan, evaluation.record
        swept = any("@" in row for row in result["networks"])
        settings = sweep_settings.settings(result) if swept else []
        member, about = sweep_settings.choose_member(settings, options.networks)
        rows = [
            row
            for row in record["networks"]
            # An ensemble is no network of its own.
            if (options.networks or sweep_settings.belongs(row, member)) and "+" not in row
        ]
        compare.write(evaluation, directory, rows, folder, images=options.images)
        shown, note = (record, settings), about.strip()
    else:
        if options.data_dir is not None:
            config.data.data_dir = options.data_dir
        if options.path is not None:
            config.data.path = options.path
        plan = build.plan(config, devices=1)
    entry = {
        "workdir": str(directory),
        "about": f"{config.method} on {config.data.name}, seed {config.seed}",
        "note": note,
        "compare": shown is not None,
        "finished": result["finished"],
    }
    examples = len(plan.data.splits["train"].id)
    lengths = [
        StageLength(stage.name, stage.epochs, stage.epochs * (examples // stage.batch_size))
        for stage in plan.stages
    ]
    return entry, shown, lengths
