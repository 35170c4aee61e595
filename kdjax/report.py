"""Writes a report with tables and figures of one workdir or several.

    python -m kdjax.report --workdir=runs/two
    python -m kdjax.report --workdir=runs/a --workdir=runs/b --output=report --images=8

`index.html` stands alone; `report.md` shows the PNGs in `figures/`, beside which every figure lies
as SVG. The networks are evaluated anew, with the flags of `kdjax.evaluate`. Figures need
matplotlib: `pip install -r requirements/report.txt`.
"""

from pathlib import Path

from absl import flags

from kdjax import cli, evaluate
from kdjax.errors import UserError


def define() -> None:
    """The command's flags."""
    evaluate.define_workdirs()
    cli.define_path("output", None, "Folder of the report. Default: report/ in the workdir.")
    flags.DEFINE_integer("images", 6, "Images with attention maps for each run.", 0)
    flags.DEFINE_list("layers", [], "Layers whose attention is shown. Default: the last two maps.")
    evaluate.define_choice()


def main() -> None:
    """Evaluates, draws and writes."""
    directories = evaluate.workdirs()
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UserError("figures need matplotlib: pip install matplotlib") from None
    from kdjax import evaluation_tables, examine, report_page, report_sections, runtime, writers

    choice = evaluate.chosen()
    runtime.prepare()
    given = flags.FLAGS
    output = Path(given.output or directories[0] / "report")
    examined = [examine.run(directory, choice) for directory in directories]
    records = [one.record for one in examined]
    writers.make_folder(output)
    writers.write_json(output / "evaluation.json", {"runs": records})
    sections = report_sections.make(
        examined, directories, images=given.images, layers=given.layers, folder=output / "figures"
    )
    tables = evaluation_tables.tables(records)
    notes = evaluation_tables.missing(records)
    for path in report_page.write(output, records, tables, sections, notes):
        print(path)


if __name__ == "__main__":
    cli.launch(main, define)
