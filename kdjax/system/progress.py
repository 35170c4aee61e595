"""Progress bars with the time left, and tables, on the console."""

import os
import re
from collections.abc import Iterable, Iterator
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

_PIPED_WIDTH = 120
"""Characters per line where there is no terminal and `COLUMNS` is not set."""
_NAME_WIDTH = 12
"""The least width of a table's first column."""
_FRAME = 3
"""Characters of a column's frame and padding."""

console = Console(stderr=True, highlight=False, markup=False)
"""For progress; results go to standard output."""


class _Figures(ProgressColumn):
    """The numbers behind the time left. A narrow terminal cuts them off, and shortens the bar."""

    def render(self, task: Task) -> Text:
        shown = f"{task.fields['figures']} {task.fields['note']}"
        # `no_wrap` is set on the text: on the column, it would keep the column at full width.
        return Text(shown.strip(), no_wrap=True, overflow="ellipsis")


class Bar:
    """A progress bar followed by some numbers; without a terminal, a line for each note."""

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

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def to(self, completed: int, figures: str | None = None) -> None:
        """Moves the bar; `figures` replaces the numbers behind it."""
        self._progress.update(self._task, completed=completed)
        if figures is not None:
            self._progress.update(self._task, figures=figures)

    def finish_at(self, total: int) -> None:
        """Shortens the bar, for a stage that stops early."""
        self._progress.update(self._task, total=total)

    def note(self, line: str, *, short: str) -> None:
        """Prints a line in a log; on a terminal, shows its `short` form behind the bar instead."""
        if console.is_terminal:
            self._progress.update(self._task, note=short)
        else:
            console.print(f"{self._description}: {line}", highlight=False, markup=False)


def duration(seconds: float) -> str:
    """A duration in seconds, minutes or hours, with two digits."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.{0 if seconds >= 10 * size else 1}f} {unit}"
    return f"{seconds:.{0 if seconds >= 10 else 1}f} s"


def track(items: Iterable[T], total: int, description: str) -> Iterator[T]:
    """Yields the `total` items and shows a bar."""
    with Bar(description, total) as bar:
        for done, item in enumerate(items, start=1):
            yield item
            if done % 256 == 0 or done == total:
                bar.to(done)


def table(title: str, columns: list[str], rows: list[list[str]], caption: str = "") -> None:
    """Prints a table on standard output; the first column is left-aligned, the others right.

    It is as wide as the terminal or as `COLUMNS` says, else 120 characters. Columns that do not fit
    follow in further tables, which repeat the first column. Nothing is cut off: names, headings and
    cells of several words may take several lines. Title and caption may be wider than the table.
    """
    printer = Console()
    if not printer.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        printer = Console(width=_PIPED_WIDTH)
    line_width = printer.width
    names, *others = zip(columns, *rows, strict=True)
    # For each column but the first: the width of its longest word, and of its longest cell.
    words = [_longest(" ".join([*_parts(head), *cells]).split()) for head, *cells in others]
    whole = [max(word, _longest(cells)) for word, (_, *cells) in zip(words, others, strict=True)]
    name_width = _longest(names)
    if name_width + sum(whole) + _FRAME * len(columns) + 1 > line_width:
        name_width = min(name_width, max(_NAME_WIDTH, line_width * 2 // 5))
    room = line_width - name_width - _FRAME - 1
    # For each printed table: the places and widths of its columns.
    groups: list[dict[int, int]] = [{}]
    for place, word in enumerate(words):
        width = min(whole[place], max(word, room - _FRAME))
        if groups[-1] and sum(groups[-1].values()) + width + _FRAME * (len(groups[-1]) + 1) > room:
            groups.append({})
        groups[-1][place] = width
    printer.print(Text(title, "table.title"))
    for group in groups:
        shown = Table(Column(_broken(columns[0], name_width), width=name_width, overflow="fold"))
        for place, width in group.items():
            heading = _broken(others[place][0], width)
            shown.add_column(heading, justify="right", width=width, overflow="fold")
        for name, *cells in rows:
            shown.add_row(_broken(name, name_width), *(Text(cells[place]) for place in group))
        # A terminal that is narrower than a number breaks the line, which loses nothing.
        needed = name_width + sum(group.values()) + _FRAME * (len(group) + 1) + 1
        printer.width = max(printer.width, needed)
        printer.print(shown)
    if caption:
        printer.print(Text(caption, "table.caption"), width=line_width)


def _longest(texts: Iterable[str]) -> int:
    return max(map(cell_len, texts), default=1)


def _parts(text: str) -> list[str]:
    """The parts that a name or a heading may be broken into."""
    return re.findall(r"[^ @+/]+[ @+/]*|[ @+/]+", text)


def _broken(text: str, width: int) -> Text:
    """The text in lines of at most `width` characters, unless a part is longer."""
    lines = [""]
    for part in _parts(text):
        if lines[-1] and cell_len((lines[-1] + part).rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return Text("\n".join(line.rstrip() for line in lines))
