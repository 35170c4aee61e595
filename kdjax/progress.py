"""What a person sees while a run goes on: bars with the time left, and tables."""

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

T = TypeVar("T")

console = Console(stderr=True)
"""For progress; results go to standard output."""


class Bar:
    """A bar with a few figures behind it; where there is no terminal, a line for each note."""

    def __init__(self, description: str, total: int, start: int = 0):
        self._description = description
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("left {task.fields[figures]} {task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(
            description, total=total, completed=start, figures="", note=""
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def to(self, completed: int, figures: str | None = None) -> None:
        """Moves the bar; `figures` replaces those behind it."""
        self._progress.update(self._task, completed=completed)
        if figures is not None:
            self._progress.update(self._task, figures=figures)

    def finish_at(self, total: int) -> None:
        """Shortens the bar, for a stage that stops early."""
        self._progress.update(self._task, total=total)

    def note(self, line: str, *, short: str) -> None:
        """A line in a log; on a terminal its `short` form stands behind the bar instead."""
        if console.is_terminal:
            self._progress.update(self._task, note=short)
        else:
            console.print(f"{self._description}: {line}", highlight=False, markup=False)


def duration(seconds: float) -> str:
    """In seconds, minutes or hours, to two digits."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.{0 if seconds >= 10 * size else 1}f} {unit}"
    return f"{seconds:.{0 if seconds >= 10 else 1}f} s"


def track(items: Iterable[T], total: int, description: str) -> Iterator[T]:
    """Passes `items`, `total` of them, on under a bar."""
    with Bar(description, total) as bar:
        for done, item in enumerate(items, start=1):
            yield item
            if done % 256 == 0 or done == total:
                bar.to(done)


def table(title: str, columns: list[str], rows: list[list[str]], caption: str = "") -> None:
    """Prints a table on standard output; the first column is left-aligned, the others right."""
    shown = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    for index, column in enumerate(columns):
        name = index == 0
        shown.add_column(Text(column), justify="left" if name else "right", no_wrap=name)
    for row in rows:
        shown.add_row(*map(Text, row))
    Console(width=None if console.is_terminal else 120).print(shown)
