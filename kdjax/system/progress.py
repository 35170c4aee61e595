"""What a person sees while a run goes on: bars with the time left, and tables."""

import os
import re
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

T = TypeVar("T")

_PIPED = 120
"""Characters of a line where there is no terminal and `COLUMNS` is not set."""
_NAME = 12
"""The first column of a table has at least so many characters."""
_FRAME = 3
"""Characters that a column takes beside its text."""

console = Console(stderr=True)
"""For progress; results go to standard output."""


class _Figures(ProgressColumn):
    """What stands behind the time left; on a narrow terminal it is cut, and the bar shortened."""

    def render(self, task: Task) -> Text:
        shown = f"{task.fields['figures']} {task.fields['note']}"
        # The text and not the column is kept in one line: such a column would not give way.
        return Text(shown.strip(), no_wrap=True, overflow="ellipsis")


class Bar:
    """A bar with a few figures behind it; where there is no terminal, a line for each note."""

    def __init__(self, description: str, total: int, start: int = 0):
        self._description = description
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            TaskProgressColumn(),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            TextColumn("left"),
            _Figures(),
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
    """Prints a table on standard output; the first column is left-aligned, the others right.

    It is as wide as the terminal or as `COLUMNS` says, else 120 characters. Columns that have no
    room there follow in further tables, which repeat the first column. Nothing is cut: names and
    headings may take several lines, and so may cells of several words. Title and caption may be
    wider than the table.
    """
    printer = Console()
    if not printer.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        printer = Console(width=_PIPED)
    rest = range(1, len(columns))
    # A column is at least as wide as its longest number or part of a heading.
    least = {
        place: max(
            cell_len(part)
            for text in (*_parts(columns[place]), *(row[place] for row in rows))
            for part in text.split() or [""]
        )
        for place in rest
    }
    whole = {place: max(least[place], *(cell_len(row[place]) for row in rows), 1) for place in rest}
    names = max(cell_len(row[0]) for row in [columns, *rows])
    if names + sum(whole.values()) + _FRAME * len(columns) + 1 > printer.width:
        names = min(names, max(_NAME, printer.width * 2 // 5))
    room = printer.width - names - _FRAME - 1
    groups: list[dict[int, int]] = [{}]
    for place in rest:
        width = min(whole[place], max(least[place], room - _FRAME))
        if groups[-1] and sum(groups[-1].values()) + width + _FRAME * (len(groups[-1]) + 1) > room:
            groups.append({})
        groups[-1][place] = width
    line = printer.width
    printer.print(Text(title, "table.title"))
    for group in groups:
        shown = Table()
        shown.add_column(_broken(columns[0], names), width=names, overflow="fold")
        for place, width in group.items():
            head = _broken(columns[place], width)
            shown.add_column(head, justify="right", width=width, overflow="fold")
        for row in rows:
            shown.add_row(_broken(row[0], names), *(Text(row[place]) for place in group))
        # A terminal that is narrower than a number breaks the line, which loses nothing.
        taken = names + sum(group.values()) + _FRAME * (len(group) + 1) + 1
        printer.width = max(printer.width, taken)
        printer.print(shown)
    if caption:
        printer.print(Text(caption, "table.caption"), width=line)


def _parts(text: str) -> list[str]:
    """What a name or a heading may be broken into."""
    return re.findall(r"[^ @+/]+[ @+/]*|[ @+/]+", text)


def _broken(text: str, width: int) -> Text:
    """Lines of so many characters, where parts are not longer."""
    lines = [""]
    for part in _parts(text):
        if lines[-1] and cell_len((lines[-1] + part).rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return Text("\n".join(line.rstrip() for line in lines))
