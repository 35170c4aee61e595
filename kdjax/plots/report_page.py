"""A report as one HTML file and as Markdown."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kdjax.evaluation.records import evaluated_images
from kdjax.evaluation.tables import Table
from kdjax.plots.report_sections import Section
from kdjax.runs.writers import writing

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #111; background: #fff }
table { border-collapse: collapse; font-size: 0.85rem; display: block; overflow-x: auto }
th, td { padding: 0.2rem 0.6rem; border-bottom: 1px solid #ccc; text-align: right }
th:first-child, td:first-child { text-align: left; white-space: nowrap }
figure { margin: 0 } img { max-width: 100% } .note { color: #444; font-size: 0.9rem }
"""


def write(
    folder: Path,
    records: Sequence[dict[str, Any]],
    tables: Sequence[Table],
    sections: Sequence[Section],
    notes: Sequence[str],
) -> tuple[Path, Path]:
    """Writes `index.html`, which needs no other file, and `report.md`, which shows the figures.

    Args:
        folder: of the report; figures lie below it.
        records: of the runs.
        tables: of their figures.
        sections: in order.
        notes: lines that stand first.

    Returns:
        The paths of both.
    """
    title = "Report: " + ", ".join(Path(record["workdir"]).name for record in records)
    about = [_about(record) for record in records]
    page, text = folder / "index.html", folder / "report.md"
    with writing(folder):
        page.write_text(_html(title, [*about, *notes], tables, sections))
        text.write_text(_markdown(folder, title, [*about, *notes], tables, sections))
    return page, text


def _about(record: dict[str, Any]) -> str:
    return (
        f"{record['workdir']}: {record['method']} on {record['dataset']}, seed {record['seed']}; "
        f"{record['examples']:,} images ({evaluated_images(record)}); on {record['device']}"
    )


def _html(
    title: str, notes: Sequence[str], tables: Sequence[Table], sections: Sequence[Section]
) -> str:
    say = html.escape
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        f"<title>{say(title)}</title><style>{_STYLE}</style><h1>{say(title)}</h1>",
        *(f"<p>{say(note)}</p>" for note in notes),
    ]
    for table in tables:
        head = "".join(f"<th>{say(name)}</th>" for name in table.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{say(cell)}</td>" for cell in row) + "</tr>"
            for row in table.rows
        )
        parts.append(
            f"<h2>{say(table.title)}</h2><table><tr>{head}</tr>{body}</table>"
            f'<p class="note">{say(table.caption)}</p>'
        )
    for section in sections:
        encoded = base64.b64encode(section.path.read_bytes()).decode()
        parts.append(
            f"<h2>{say(section.heading)}</h2><figure>"
            f'<img alt="{say(section.heading)}" src="data:image/png;base64,{encoded}">'
            f'<figcaption class="note">{say(section.caption)}</figcaption></figure>'
        )
    return "\n".join(parts) + "\n"


def _markdown(
    folder: Path,
    title: str,
    notes: Sequence[str],
    tables: Sequence[Table],
    sections: Sequence[Section],
) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    parts = [f"# {title}", *notes]
    for table in tables:
        rule = "| --- |" + " ---: |" * (len(table.columns) - 1)
        rows = [line(table.columns), rule, *map(line, table.rows)]
        parts += [f"## {table.title}", "\n".join(rows), table.caption]
    for section in sections:
        path = section.path.relative_to(folder).as_posix()
        parts += [
            f"## {section.heading}",
            f"![{section.heading}]({path.replace(' ', '%20')})",
            section.caption,
        ]
    return "\n\n".join(part for part in parts if part) + "\n"
