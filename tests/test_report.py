"""Reports: what is drawn of a run, and that the page needs nothing else."""

import html.parser
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from kdjax import (
    evaluation_tables,
    examine,
    maps,
    report_page,
    report_sections,
    workdir,
    writers,
)
from kdjax.charts import records
from kdjax.errors import UserError
from kdjax.figures import classes
from tests.test_cli import ROOT

pytestmark = [pytest.mark.usefixtures("one_device"), pytest.mark.usefixtures("standard")]


@pytest.fixture(scope="module")
def examined(two_phases):
    import jax

    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):
        first = jax.local_devices()[:1]
        patch.setattr(jax, "local_devices", lambda: first)
        return examine.run(two_phases[0], examine.Choice(timing=False))


class Sources(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href")]


def test_a_report_of_two_phases_has_every_figure(two_phases, examined, tmp_path):
    directory = two_phases[0]
    sections = report_sections.make(
        [examined], [directory], images=3, layers=[], folder=tmp_path / "figures"
    )
    assert [section.path.stem for section in sections] == [
        *("accuracy", "size", "compression", "before-and-after-0", "likeness-0", "agreement-0"),
        *("training-0", "confusion-teacher-0", "confusion-peer_0-0", "confusion-peer_1-0"),
        *("calibration-0", "attention-0"),
    ]
    for section in sections:
        assert section.path.with_suffix(".svg").stat().st_size > 1000
        with Image.open(section.path) as image:
            assert image.width >= 1200
    tables = evaluation_tables.tables([examined.record])
    page, text = report_page.write(tmp_path, [examined.record], tables, sections, ["A <note>"])
    sources = Sources()
    sources.feed(page.read_text())
    assert len(sources.found) == len(sections)
    assert all(source.startswith("data:image/png;base64,") for source in sources.found)
    assert "A &lt;note&gt;" in page.read_text()
    for section in sections:
        assert f"](figures/{section.path.name})" in text.read_text()
    accuracy = examined.record["networks"]["peer_1"]["accuracy"]
    assert f"| {accuracy:.2%} |" in text.read_text()
    assert f"<td>{accuracy:.2%}</td>" in page.read_text()


def test_two_runs_are_compared_on_the_same_images(examined):
    other = examined._replace(record=examined.record | {"workdir": "elsewhere/two"})
    found = report_sections._together([examined, other])["agreement"]
    names = [
        f"{label}: {row}"
        for label in records.run_labels([examined.record, other.record])
        for row in ("teacher", "peer_0", "peer_1")
    ]
    assert found["networks"] == names
    matrix = np.asarray(found["matrix"])
    np.testing.assert_array_equal(matrix[:3, 3:], matrix[:3, :3])
    # Other images are left out.
    moved = other._replace(split=other.split._replace(id=other.split.id + 1))
    assert report_sections._together([examined, moved])["agreement"]["networks"] == names[:3]


def test_a_grid_needs_runs_that_differ_in_alpha_and_temperature(tmp_path):
    def run(alpha, temperature, accuracy):
        directory = tmp_path / f"{alpha}-{temperature}"
        directory.mkdir()
        student = {"validation": {"accuracy": accuracy}, "test": {"accuracy": 0.0}}
        writers.write_json(directory / "result.json", {"networks": {"student": student}})
        record = {"method": "kd", "dataset": "digits", "alpha": alpha, "temperature": temperature}
        return record, directory

    runs = [run(0.1, 1.0, 0.7), run(0.9, 1.0, 0.8)]
    assert report_sweep.grids(*zip(*runs, strict=True)) == {}
    runs.append(run(0.9, 4.0, 0.9))
    split, cells = report_sweep.grids(*zip(*runs, strict=True))["kd on digits"]
    assert split == "validation"
    assert cells[2] == {"alpha": 0.9, "temperature": 4.0, "accuracy": 0.9}
    assert workdir.load_result(tmp_path / "nothing") is None


def test_a_sweeps_report_is_of_its_best_member(tmp_path):
    def network(accuracy):
        return {"validation": {"accuracy": accuracy}, "test": {"accuracy": 0.0}}

    names = ("student@alpha=0.1@seed=0", "student@alpha=0.9@seed=0")
    networks = {"teacher": network(0.99), names[0]: network(0.7), names[1]: network(0.8)}
    networks["baseline@seed=0"] = network(0.95)
    writers.write_json(tmp_path / "result.json", {"networks": networks})
    axes = report_sections._best_member(tmp_path)
    assert axes == {"alpha": 0.9, "seed": 0}
    rows = [
        {"step": 1, "stage": "teacher", "train/loss": 3.0},
        {
            **{"step": 2, "stage": "student", "train/loss@alpha=0.1@seed=0": 1.0},
            "train/loss@alpha=0.9@seed=0": 2.0,
            "val/student@alpha=0.9@seed=0/accuracy": 0.8,
        },
        {"step": 3, "stage": "baseline", "train/ce@seed=0": 4.0},
    ]
    assert report_sections._of_member(rows, axes) == [
        rows[0],
        {"step": 2, "stage": "student", "train/loss": 2.0, "val/student/accuracy": 0.8},
        {"step": 3, "stage": "baseline", "train/ce": 4.0},
    ]


def test_maps_are_of_the_images_that_are_shown(examined):
    rows = np.array([5, 0, 7])
    made = maps.make(examined, ["teacher", "peer_0"], ["stage2_last"], rows)
    np.testing.assert_array_equal(made.images, examined.split.image.read(rows) / np.float32(255))
    assert set(made.of) == {("teacher", "stage2_last"), ("peer_0", "stage2_last")}
    alone = maps.make(examined, ["peer_0"], ["stage2_last"], rows[1:2])
    np.testing.assert_allclose(
        alone.of["peer_0", "stage2_last"][0], made.of["peer_0", "stage2_last"][1], rtol=1e-5
    )
    norms = np.linalg.norm(made.of["teacher", "stage2_last"].reshape(3, -1), axis=1)
    np.testing.assert_allclose(norms, 1.0, rtol=1e-5)
    with pytest.raises(UserError, match="unknown layer with a map 'pooled'"):
        maps.make(examined, ["teacher"], ["pooled"], rows)


def test_layers_that_all_networks_have():
    deep = ["stem_pre", "stem", "stage1_last", "stage2_last_pre", "stage2_last", "stage3_last"]
    assert maps.common([deep, deep]) == ["stage2_last", "stage3_last"]
    assert maps.common([deep, ["stem", "stage2_last"]]) == ["stage2_last"]
    assert maps.common([["stem_pre", "stem"], deep]) == ["stem"]
    assert maps.common([["own"], deep]) == []


def test_half_of_the_images_are_disputed(examined):
    rows = maps.telling(examined, ["teacher", "peer_0"], 6)
    assert len(set(rows.tolist())) == len(rows) == 6
    predicted = [examined.outputs[row].logits.argmax(-1) for row in ("teacher", "peer_0")]
    assert (predicted[0] != predicted[1])[rows[3:]].all()
    assert len(set(examined.split.label[rows[:3]].tolist())) == 3


def test_confusion_of_a_report_is_that_of_its_predictions(examined):
    logits = examined.outputs["peer_0"].logits
    expected = classes.confusion(logits.argmax(-1), examined.split.label, 10)
    found = examined.record["networks"]["peer_0"]["confusion"]
    np.testing.assert_array_equal(found, expected)


def test_without_matplotlib_one_line_says_what_to_install(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError('no such library')")
    done = subprocess.run(
        [sys.executable, "-m", "kdjax.report", f"--workdir={tmp_path}"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "kdjax: figures need matplotlib: pip install -r requirements/report.txt\n"
    )
