"""Tables: whatever the width, every number is there, whole."""

import io
import re

import pytest
from rich.console import Console

from kdjax.evaluation import tables as evaluation_tables
from kdjax.system import progress
from tests.plots.figures import data


def evaluation(count, multi_label=False):
    """The record of so many networks, with names as members of a sweep have them."""
    names = [f"student@temperature={place}@alpha=0.25@seed=0" for place in range(count - 1)]
    rows = [
        (name, data.network(name, "student", 12_345 + place, multi_label=multi_label))
        for place, name in enumerate(["teacher", *names])
    ]
    record = data.record(rows, multi_label=multi_label)
    for place, (_, figures) in enumerate(rows):
        shares = ("precision", "recall", "f1", "average_precision", "precision_at_5")
        figures |= dict.fromkeys(shares, 0.5 + 0.01 * place)
        kind = "attributes" if multi_label else "classes"
        figures[kind] = {
            name: {
                "accuracy": 0.9 + place / 1000,
                "f1": 0.8 + place / 1000,
                "support": 1234 + place,
            }
            for name in record["class_names"]
        }
    return record | {"missing": {}, "precision_at": {}}


def printed(table, capsys):
    progress.table(*table)
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("multi_label", [False, True])
def test_every_number_is_whole_at_every_width(width, count, multi_label, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    tables = evaluation_tables.tables([evaluation(count, multi_label)])
    assert len(tables) >= 3
    for table in tables:
        text = printed(table, capsys)
        lines = text.splitlines()
        assert max(map(len, lines)) <= width
        assert "…" not in text
        # Cells by column, read back from all the parts of the table.
        found: dict[int, list[str]] = {}
        for line in lines:
            if line.startswith(("┏", "┡", "└")) or not line.startswith(("┃", "│")):
                continue
            cells = [cell.strip() for cell in re.split("[┃│]", line)[1:-1]]
            found.setdefault(len(found), cells[1:])
        seen = [cell for cells in found.values() for cell in cells]
        for place in range(1, len(table.columns)):
            for row in table.rows:
                assert row[place] in seen, (table.columns[place], row[place])
                seen.remove(row[place])
        # Names may take several lines; nothing of them is lost either.
        together = re.sub(
            r"\s", "", "".join(re.split("[┃│]", line)[1] for line in lines if "│" in line)
        )
        assert all(re.sub(r"\s", "", row[0]) in together for row in table.rows)


def test_a_terminal_that_is_narrower_than_a_number_gets_it_whole(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    assert "123,456,789,012,345" in printed(
        ("t", ["name", "n"], [["a", "123,456,789,012,345"]]), capsys
    )


@pytest.mark.parametrize(("columns", "width"), [(None, 120), ("", 120), ("77", 77), ("x", 120)])
def test_a_pipe_is_as_wide_as_columns_says(columns, width, capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    cells = [f"{place:04d}" for place in range(60)]
    text = printed(("title", ["name", *cells], [["a", *cells]]), capsys)
    longest = max(map(len, text.splitlines()))
    assert width - 7 < longest <= width


def test_text_is_printed_as_it_is(capsys):
    text = printed(
        ("a [b] c", ["[name]", "[red]n"], [["[x]", "[1, 2]"]], "end [/] :smile:"), capsys
    )
    assert all(part in text for part in ("a [b] c", "[name]", "[red]n", "[x]", "[1, 2]", "end [/]"))
    assert ":smile:" in text


def test_a_caption_is_as_wide_as_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    caption = "Precision and recall are in evaluation-classes.csv, F1 is their harmonic mean."
    text = printed(("t" * 70, ["class", "n"], [["a", "1"]], caption), capsys)
    assert text.splitlines()[0] == "t" * 70
    assert text.splitlines()[-1].rstrip() == caption


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_time_left_is_whole_on_a_narrow_terminal(width, monkeypatch):
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    monkeypatch.setattr(progress, "console", console)
    with progress.Bar("generation_1", 100) as bar:
        bar.to(100, "loss 1.234 acc 56.7%")
        bar.note("", short="val 12.3% 45.6% 78.9% 12.3%")
    last = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", out.getvalue()).strip().splitlines()[-1]
    assert "generation_1" in last
    assert "100% 0:00:00 left" in last
    assert len(last) <= width
    assert ("78.9%" in last) == (width == 120)


def test_a_table_without_rows(capsys):
    assert "name" in printed(("t", ["name", "n"], []), capsys)


def test_wide_characters_count_twice(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    text = printed(("t", ["class", "飛行機", "n"], [["船舶" * 4, "12.34%", "5"]]), capsys)
    assert "飛行機" in text
    assert "…" not in text
