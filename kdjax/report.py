"""Writes a report with tables and figures of one workdir or several.

    python -m kdjax.report --workdir=runs/two
    python -m kdjax.report --workdir=runs/a --workdir=runs/b --output=report --images=8

`index.html` stands alone; `report.md` shows the PNGs in `figures/`, beside which every figure lies
as SVG. The flags are those of `kdjax.evaluate`; what it has computed is read back from
`predictions.npz` and not computed again. Of a sweep tables and figures have a row for each setting.
Reports need matplotlib and Jinja2: `pip install -r requirements/report.txt`.
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
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError:
        needed = "reports need matplotlib and Jinja2: pip install -r requirements/report.txt"
        raise UserError(needed) from None
    from kdjax.evaluation import predictions, run_evaluation, tables
    from kdjax.plots import page, report_runs, sections
    from kdjax.plots.drawing import style
    from kdjax.runs import metrics_log, writers
    from kdjax.system import runtime

    options = evaluate.options()
    runtime.prepare()
    output = Path(flags.FLAGS.output or directories[0] / "report")
    kept = predictions.read(dict.fromkeys([*directories, output]))
    evaluations = [run_evaluation.evaluate(directory, options, kept) for directory in directories]
    records = [evaluation.record for evaluation in evaluations]
    writers.make_folder(output)
    writers.write_json(output / "evaluation.json", {"runs": records})
    run_evaluation.write_predictions(output, evaluations)
    writers.write_csv(output / "evaluation-classes.csv", tables.class_lines(records))
    attention = {"images": flags.FLAGS.images, "layers": flags.FLAGS.layers}
    runs = [
        report_runs.make(evaluation, directory, options.networks, **attention)
        for evaluation, directory in zip(evaluations, directories, strict=True)
    ]
    pictures = sections.write(runs, output / "figures")
    shown = [run.record for run in runs]
    notes = [
        *tables.notes(records),
        *report_runs.notes(runs, options.networks),
        *metrics_log.cut_off(directories),
        *style.without_font(records),
    ]
    shown_tables = [*report_runs.tables(runs), *tables.tables(shown)]
    for line in notes:
        print(line)
    for path in page.write(output, shown, shown_tables, pictures, notes):
        print(path)


if __name__ == "__main__":
    cli.launch(main, define)
