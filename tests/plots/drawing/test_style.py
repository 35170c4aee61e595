"""Files, settings and fonts that all figures share; and the measure of overlaps."""

import matplotlib
import pytest
from matplotlib.figure import Figure
from PIL import Image

from kdjax.evaluation.records import run_labels
from kdjax.plots.drawing import style
from kdjax.plots.figures import accuracy, confusion
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable


def save(records, folder, name):
    with style.styled():
        return style.save(accuracy.draw_records(records), folder, name)


def test_svg_is_the_same_on_every_call_and_png_is_as_wide_as_a_page(tmp_path):
    records = [data.two_phase(), data.two_phase(workdir="other")]
    one, two = (save(records, tmp_path / folder, "bars") for folder in ("a", "b"))
    assert one == tmp_path / "a" / "bars.png"
    assert one.with_suffix(".svg").read_bytes() == two.with_suffix(".svg").read_bytes()
    assert b"<dc:date>" not in one.with_suffix(".svg").read_bytes()
    assert one.read_bytes() == two.read_bytes()
    with Image.open(one) as image:
        assert image.width == 6.5 * 200


def test_settings_of_the_reader_change_nothing_and_stay(tmp_path):
    plain = save([data.one()], tmp_path, "plain").read_bytes()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": "x"}):
        changed = save([data.one()], tmp_path, "changed").read_bytes()
        assert matplotlib.rcParams["font.size"] == 30
    assert changed == plain


def test_looks_differ_for_sixty_networks():
    looks = [style.look(place) for place in range(60)]
    assert len({(look.colour, look.marker) for look in looks}) == 60


@pytest.mark.parametrize(
    ("workdirs", "expected"),
    [
        (["runs/a"], ["a"]),
        (["runs/a", "runs/b/"], ["a", "b"]),
        (["x/kd/0", "x/dml/0"], ["kd/0", "dml/0"]),
        (["a", "a"], ["a (1)", "a (2)"]),
        (["0", "runs/0"], ["0", "runs/0"]),
        (["x/a", "x/a", "y/a"], ["x/a (1)", "x/a (2)", "y/a"]),
        (["."], ["."]),
        ([], []),
    ],
)
def test_run_labels(workdirs, expected):
    assert run_labels([{"workdir": workdir} for workdir in workdirs]) == expected


def test_a_character_that_no_font_has_is_said_once_and_does_not_warn(tmp_path):
    record = data.two_phase()
    record["class_names"] = ["\U000f0000cat", *record["class_names"][1:]]
    with style.styled():
        style.save(confusion.draw(record, "peer_0"), tmp_path, "confusion")
    (line,) = style.without_font([record])
    assert "no font here has \U000f0000, so" in line
    assert style.without_font([data.two_phase()]) == []


def test_dollars_are_not_mathematics():
    record = data.record([("a$b$c", data.network("a$b$c", "s", 1))])
    with style.styled():
        figure = accuracy.draw_records([record])
        assert_readable(figure)
    assert figure.axes[0].get_yticklabels()[0].get_parse_math() is False


def test_the_measure_of_overlaps_sees_them():
    figure = Figure(figsize=(style.WIDTH, 1))
    figure.text(0.5, 0.5, "one", fontsize=9)
    figure.text(0.51, 0.5, "other", fontsize=9)
    with pytest.raises(AssertionError, match="other"):
        assert_readable(figure)
    outside = Figure(figsize=(style.WIDTH, 1))
    outside.text(0.99, 0.5, "outside", fontsize=9)
    with pytest.raises(AssertionError, match="outside"):
        assert_readable(outside)
