"""Writes a report with tables and figures of one workdir or several.

    python -m kdjax.report --workdir=runs/two
    python -m kdjax.report --workdir=runs/a --workdir=runs/b --output=report --images=8

`index.html` stands alone; `report.md` shows the PNGs in `figures/`, beside which every figure lies
as SVG. The flags are those of `kdjax.evaluate`; what it has computed is read back from
`predictions.npz` and not computed again. Of a sweep tables and figures have a row for each setting.
Figures need matplotlib: `pip install -r requirements/report.txt`.
"""

from pathlib import Path

from absl import flags

from kdjax import evaluate
from kdjax.system import cli
from kdjax.system.errors import UserError


def define() -> None:
    """The command's flags."""
    cli.define_path("output", None, "Folder of the report. Default: report/ in the workdir.")
    flags.DEFINE_integer("images", 6, "Images with attention maps for each run.", 0)
    flags.DEFINE_list("layers", [], "Layers whose attention is shown. Default: the last two maps.")
    evaluate.define_options()


def main() -> None:
    """Evaluates, draws and writes."""
    directories = evaluate.workdirs()
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UserError("figures need matplotlib: pip install matplotlib") from None
    from kdjax.evaluation import predictions, run_evaluation, sweep_settings
    from kdjax.evaluation import tables as evaluation_tables
    from kdjax.plots import report_page, report_sections, report_sweep
    from kdjax.plots.figures import style
    from kdjax.runs import metrics_log, writers
    from kdjax.system import runtime

    options = evaluate.options()
    runtime.prepare()
    given = flags.FLAGS
    output = Path(given.output or directories[0] / "report")
    kept = predictions.read(dict.fromkeys([*directories, output]))
    examined = [run_evaluation.evaluate(directory, options, kept) for directory in directories]
    records = [one.record for one in examined]
    writers.make_folder(output)
    writers.write_json(output / "evaluation.json", {"runs": records})
    run_evaluation.write_predictions(output, examined)
    writers.write_csv(output / "evaluation-classes.csv", evaluation_tables.class_lines(records))
    # Networks that were named are shown themselves.
    tabled = records if options.networks else [sweep_settings.by_setting(one) for one in records]
    sections = report_sections.make(
        examined,
        tabled,
        directories,
        networks=options.networks,
        images=given.images,
        layers=given.layers,
        folder=output / "figures",
    )
    tables = [*report_sweep.tables(directories), *evaluation_tables.tables(tabled)]
    notes = [
        *evaluation_tables.notes(records),
        *report_sweep.notes(directories, options.networks),
        *metrics_log.cut_off(directories),
        *style.without_font(records),
    ]
    for line in notes:
        print(line)
    for path in report_page.write(output, tabled, tables, sections, notes):
        print(path)


if __name__ == "__main__":
    cli.launch(main, define)
