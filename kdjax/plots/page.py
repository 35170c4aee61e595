"""A report as one HTML file and as Markdown."""

import base64
from collections.abc import Sequence
from pathlib import Path

import jinja2

from kdjax.evaluation.records import Record, evaluated_images
from kdjax.evaluation.tables import Table
from kdjax.plots.types import Picture
from kdjax.runs.writers import writing


def write(
    folder: Path,
    records: Sequence[Record],
    tables: Sequence[Table],
    pictures: Sequence[Picture],
    notes: Sequence[str],
) -> tuple[Path, Path]:
    """Writes `index.html`, which needs no other file, and `report.md`, which shows the figures.

    Notes stand first. Figures lie below the folder. Returns the paths of both files.
    """
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["base64"] = lambda path: base64.b64encode(path.read_bytes()).decode()
    templates.filters["below"] = lambda path: path.relative_to(folder).as_posix()
    abouts = [
        f"{record['workdir']}: {record['method']} on {record['dataset']}, seed {record['seed']}; "
        f"{record['examples']:,} images ({evaluated_images(record)}); on {record['device']}"
        for record in records
    ]
    title = "Report: " + ", ".join(Path(record["workdir"]).name for record in records)
    content = {"title": title, "notes": [*abouts, *notes], "tables": tables, "pictures": pictures}
    page, text = folder / "index.html", folder / "report.md"
    with writing(folder):
        for path in (page, text):
            path.write_text(templates.get_template(path.name).render(content))
    return page, text
