"""The numbers in the pages are recorded ones, and the pages name files that exist."""

import json
import re
from pathlib import Path

import pytest

from experiments import methods_report
from kdjax.evaluation import statistics
from kdjax.system import config_file

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
RECORDS = ["dml-mnist", "dml-mnist-refit", "kd-mnist"]


def load(name):
    return json.loads((ROOT / "experiments" / "results" / f"{name}.json").read_text())


def row(network, summary):
    """A network's cells in the README's table: mean, deviation, difference from the baseline."""
    accuracy = f"{summary['mean']:.2f} ± {summary['deviation']:.2f} %"
    difference = statistics.difference_text(summary.get("against_baseline"))
    return f"| `{network}` | {accuracy} | {difference} |"


def test_the_rows_of_the_readmes_table_are_the_records():
    recorded = [
        row(network, summary)
        for name in RECORDS
        for network, summary in load(name)["summary"].items()
    ]
    shown = re.findall(r"^\|[^|]*(\| `\w+` \| [\d.]+ ± .*\|)$", README, re.MULTILINE)
    assert shown == recorded


def test_files_named_in_the_readme_exist():
    names = re.findall(r"(?:configs|requirements|experiments|kdjax)/[\w/]+\.(?:py|txt)", README)
    assert "configs/dml.py" in names
    for name in names:
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_are_finished_and_their_links_lead_somewhere(path):
    text = path.read_text()
    assert "<!--" not in text
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (path.parent / target).exists(), target


def test_every_config_is_in_the_table_of_methods():
    table = (ROOT / "docs" / "methods.md").read_text()
    for name in config_file.names():
        assert f"| `{name}` |" in table, name


def test_the_table_of_the_study_of_methods_is_the_record():
    assert methods_report.markdown(load("methods-mnist")) in (ROOT / "docs/methods.md").read_text()


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
