"""The parts of a report: its runs, and the figures drawn of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure

from kdjax.evaluation.records import Record
from kdjax.evaluation.sweep_settings import Setting

if TYPE_CHECKING:
    # It imports JAX, which drawing does without.
    from kdjax.evaluation.run_evaluation import Evaluation


class Run(NamedTuple):
    """One run of a report."""

    directory: Path
    """The workdir."""
    evaluation: "Evaluation"
    record: Record
    """The evaluation's record; of a sweep with a row for each setting."""
    settings: list[Setting]
    """A sweep's settings; none for any other run."""
    member: Mapping[str, float]
    """The axes' values of the member of a sweep whose own figures are shown."""
    rows: list[str]
    """The rows of `evaluation.record` whose own figures are shown, of earlier stages too."""
    about: str
    """What a caption says of the member."""
    images: int
    """The number of images with attention maps."""
    layers: list[str]
    """Layers whose attention is shown; none for the last maps that all networks have."""


class Section(NamedTuple):
    """A figure in a report."""

    heading: str
    name: str
    """Of its files."""
    caption: str
    figure: Figure | None
    """None where there is nothing to draw: a report leaves such a section out."""


class Picture(NamedTuple):
    """A section whose figure has been written."""

    heading: str
    caption: str
    path: Path
    """Of the PNG; the SVG is beside it."""
