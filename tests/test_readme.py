"""The README's figures are those of the records, and its commands name files that exist."""

import json
import re
from pathlib import Path

import pytest

from experiments import methods_report
from kdjax.evaluation import statistics

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
RECORDS = ["dml-mnist", "dml-mnist-refit", "kd-mnist"]


def row(figures):
    """A network's mean, deviation and difference from the baseline, as the table has them."""
    text = f"{figures['mean']:.2f} ± {figures['deviation']:.2f} %"
    paired = figures.get("against_baseline")
    if not paired:
        return text
    return f"{text} | {statistics.difference_text(paired)}"


@pytest.mark.parametrize("name", RECORDS)
def test_every_figure_is_a_recorded_one(name):
    record = json.loads((ROOT / "experiments" / "results" / f"{name}.json").read_text())
    for network, figures in record["summary"].items():
        assert f"{network}`" in README
        assert row(figures) in README, (network, row(figures))


def test_files_named_in_the_readme_exist():
    for name in re.findall(
        r"(?:configs|requirements|experiments|kdjax)/[\w/]+\.(?:py|txt)", README
    ):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("path", [ROOT / "README.md", *(ROOT / "docs").glob("*.md")], ids=str)
def test_pages_are_finished_and_their_links_lead_somewhere(path):
    text = path.read_text()
    assert "<!--" not in text
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (path.parent / target).exists(), target


def test_every_config_is_in_the_table_of_methods():
    table = (ROOT / "docs" / "methods.md").read_text()
    for path in (ROOT / "configs").glob("*.py"):
        if path.stem not in ("__init__", "base", "datasets", "parts", "recipes"):
            assert f"| `{path.stem}` |" in table, path.stem


def test_the_figures_of_methods_are_the_records():
    record = json.loads((ROOT / "experiments" / "results" / "methods-mnist.json").read_text())
    assert methods_report.markdown(record) in (ROOT / "docs" / "methods.md").read_text()


def test_the_first_job_is_the_recorded_one():
    path = ROOT / "experiments" / "results" / "first-minute.json"
    runs = json.loads(path.read_text())["runs"]
    text = " ".join(README.replace("\n> ", " ").split())
    first, *others = runs.values()
    assert first["sentence"] in text
    for run in others:
        student = next(one for one in run["settings"] if one["network"] == "student")
        assert f"{student['against_baseline']['mean']:.2f}" in text
    # The command is the one that was recorded.
    launched = (ROOT / "launch.sh").read_text()
    for command in json.loads(path.read_text())["commands"].values():
        for flag in command.split(" ")[3:]:
            assert flag in launched, flag
