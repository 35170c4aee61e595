"""Reports: what is drawn of a run, and that the page needs nothing else."""

import html.parser
import os
import re
import subprocess
import sys
import types

import jax
import numpy as np
import pytest
from absl import flags
from PIL import Image

from kdjax import evaluate, report
from kdjax.evaluation import (
    attention_maps,
    cost,
    predictions,
    records,
    run_evaluation,
    sweep_settings,
)
from kdjax.evaluation import tables as evaluation_tables
from kdjax.plots import page, report_runs, sections
from kdjax.plots.figures import agreement, alpha_temperature, attention, sweep_courses, training
from kdjax.plots.types import Picture
from kdjax.runs import workdir, writers
from kdjax.system import runtime
from kdjax.system.errors import UserError
from tests.system.test_cli import ROOT

pytestmark = [pytest.mark.usefixtures("one_device"), pytest.mark.usefixtures("standard")]


@pytest.fixture(scope="module")
def evaluation(two_phases):
    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):
        first = jax.local_devices()[:1]
        patch.setattr(jax, "local_devices", lambda: first)
        return run_evaluation.evaluate(two_phases[0], run_evaluation.Options(timing=False))


class Sources(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href")]


def test_a_report_of_two_phases_has_every_figure(two_phases, evaluation, tmp_path):
    run = report_runs.make(evaluation, two_phases[0], images=3)
    pictures = sections.write([run], tmp_path / "figures")
    assert [picture.path.stem for picture in pictures] == [
        *("accuracy", "size", "compression", "before-and-after-0", "likeness-0", "agreement-0"),
        *("training-0", "confusion-teacher-0", "confusion-peer_0-0", "confusion-peer_1-0"),
        *("calibration-0", "attention-0"),
    ]
    for picture in pictures:
        assert picture.path.with_suffix(".svg").stat().st_size > 1000
        with Image.open(picture.path) as image:
            assert image.width >= 1200
    tables = evaluation_tables.tables([evaluation.record])
    index, text = page.write(tmp_path, [evaluation.record], tables, pictures, ["A <note>"])
    sources = Sources()
    sources.feed(index.read_text())
    assert len(sources.found) == len(pictures)
    assert all(source.startswith("data:image/png;base64,") for source in sources.found)
    assert "A &lt;note&gt;" in index.read_text()
    assert "A <note>" in text.read_text()
    for picture in pictures:
        assert f"](figures/{picture.path.name})" in text.read_text()
    accuracy = evaluation.record["networks"]["peer_1"]["accuracy"]
    assert f"| {accuracy:.2%} |" in text.read_text()
    assert f"<td>{accuracy:.2%}</td>" in index.read_text()


def test_markdown_is_a_table_with_a_rule_and_escaped_bars(evaluation, tmp_path):
    table = evaluation_tables.Table("Title", ["a|b", "c"], [["1", "2"], ["3", "4"]], "Caption.")
    picture = Picture("Heading", "Below.", tmp_path / "figures" / "a b.png")
    picture.path.parent.mkdir()
    picture.path.write_bytes(b"")
    bare = table._replace(caption="")
    _, text = page.write(tmp_path, [evaluation.record], [table, bare], [picture], ["Note."])
    lines = "| a\\|b | c |\n| --- | ---: |\n| 1 | 2 |\n| 3 | 4 |\n"
    _, rest = text.read_text().split("\n\nNote.\n")
    assert rest == (
        f"\n## Title\n\n{lines}\nCaption.\n\n## Title\n\n{lines}\n"
        "## Heading\n\n![Heading](figures/a%20b.png)\n\nBelow.\n"
    )


def test_every_figure_has_a_place_of_its_own():
    files = sections.figure_files()
    assert len(files) == len({file.ORDER for file in files})
    functions = ("draw_records", "draw_record", "of_runs", "of_run")
    assert all(any(hasattr(file, function) for function in functions) for file in files)


def test_a_report_has_the_files_that_it_names_and_says_what_it_leaves_out(
    evaluation, tmp_path, monkeypatch, capsys
):
    (tmp_path / "metrics.jsonl").write_text('{"step')
    monkeypatch.setattr(evaluate, "workdirs", lambda: [tmp_path])
    monkeypatch.setattr(evaluate, "options", run_evaluation.Options)
    monkeypatch.setattr(flags, "FLAGS", types.SimpleNamespace(output=None, images=0, layers=[]))
    monkeypatch.setattr(run_evaluation, "evaluate", lambda *_: evaluation)
    monkeypatch.setattr(runtime, "prepare", lambda: None)
    monkeypatch.setattr(sections, "write", lambda *_: [])
    report.main()
    text = (tmp_path / "report" / "report.md").read_text()
    for name in re.findall(r"[\w-]+\.csv", text):
        assert (tmp_path / "report" / name).stat().st_size > 1000
    assert "evaluation-classes.csv" in text
    said = f"{tmp_path}/metrics.jsonl: its last line is cut off"
    assert said in text
    assert said in capsys.readouterr().out


def test_two_runs_are_compared_on_the_same_images(evaluation, tmp_path):
    other = evaluation._replace(record=evaluation.record | {"workdir": "elsewhere/two"})

    def between(*every):
        return agreement.between_runs([report_runs.make(one, tmp_path) for one in every])

    found = between(evaluation, other)
    names = [
        f"{label}: {row}"
        for label in records.run_labels([evaluation.record, other.record])
        for row in ("teacher", "peer_0", "peer_1")
    ]
    assert found["networks"] == names
    matrix = np.asarray(found["matrix"])
    np.testing.assert_array_equal(matrix[:3, 3:], matrix[:3, :3])
    # Other images are left out.
    moved = other._replace(split=other.split._replace(id=other.split.id + 1))
    assert between(evaluation, moved)["networks"] == names[:3]


def test_a_grid_needs_runs_that_differ_in_alpha_and_temperature(evaluation, tmp_path):
    def run(alpha, temperature, accuracy):
        directory = tmp_path / f"{alpha}-{temperature}"
        directory.mkdir()
        student = {"validation": {"accuracy": accuracy}, "test": {"accuracy": 0.0}}
        result = {"finished": True, "networks": {"student": student}, "stages": {}, "seed": 0}
        writers.write_json(directory / "result.json", result)
        values = {"method": "kd", "dataset": "digits", "alpha": alpha, "temperature": temperature}
        return report_runs.make(evaluation._replace(record=evaluation.record | values), directory)

    runs = [run(0.1, 1.0, 0.7), run(0.9, 1.0, 0.8)]
    assert alpha_temperature.students(runs) == {}
    runs.append(run(0.9, 4.0, 0.9))
    split, accuracies = alpha_temperature.students(runs)["kd on digits"]
    assert split == "validation"
    assert accuracies[0.9, 4.0] == pytest.approx([90.0])
    assert workdir.load_result(tmp_path / "nothing") is None


def sweep(tmp_path, *, validation=True, axes=True):
    """The result of two students and two seeds; by their tests the other one would be chosen."""

    def network(held, test):
        score = {"accuracy": held, "loss": 1.0}
        return {
            "step": 3,
            "validation": score if validation else None,
            "test": {"accuracy": test, "loss": 1.0},
        }

    values = ("alpha=0.1@", "alpha=0.9@") if axes else ("",)
    networks = {"teacher": network(0.99, 0.99)}
    for place, value in enumerate(values):
        for seed in (0, 1):
            score = 0.7 + 0.1 * place + 0.01 * seed
            networks[f"student@{value}seed={seed}"] = network(score, 1 - score)
    for seed in (0, 1):
        networks[f"baseline@seed={seed}"] = network(0.95, 0.95)
    result = {"finished": True, "networks": networks, "stages": {}, "seed": 0}
    writers.write_json(tmp_path / "result.json", result)
    return tmp_path


def test_a_sweeps_report_is_of_the_setting_that_validation_chose(evaluation, tmp_path):
    run = report_runs.make(evaluation, sweep(tmp_path))
    assert run.member == {"alpha": 0.9, "seed": 0}
    assert run.about == " Of the setting that was best on validation: alpha 0.9, seed 0."
    assert report_runs.notes([run], ()) == []
    assert report_runs.tables([run])[0].rows[2][0] == "student *"
    rows = [
        {"step": 1, "stage": "teacher", "train/loss": 3.0},
        {
            **{"step": 2, "stage": "student", "train/loss@alpha=0.1@seed=0": 1.0},
            "train/loss@alpha=0.9@seed=0": 2.0,
            "val/student@alpha=0.9@seed=0/accuracy": 0.8,
        },
        {"step": 3, "stage": "baseline", "train/ce@seed=0": 4.0},
    ]
    assert training.member_rows(rows, run.member) == [
        rows[0],
        {"step": 2, "stage": "student", "train/loss": 2.0, "val/student/accuracy": 0.8},
        {"step": 3, "stage": "baseline", "train/ce": 4.0},
    ]


def test_without_validation_no_setting_is_the_best(evaluation, tmp_path):
    run = report_runs.make(evaluation, sweep(tmp_path, validation=False))
    assert (run.member, run.about) == ({"seed": 0}, " Of seed 0.")
    (table,) = report_runs.tables([run])
    assert not any("*" in cell for row in table.rows for cell in row)
    assert "No setting is named the best: no images were held out" in table.caption
    (note,) = report_runs.notes([run], ())
    assert "--networks=teacher,student@..." in note
    # A member that the user names is shown.
    named = report_runs.make(evaluation, tmp_path, networks=("teacher", "student@alpha=0.1@seed=1"))
    assert named.member == {"alpha": 0.1, "seed": 1}
    assert report_runs.notes([named], ("teacher",)) == []


def test_seeds_alone_are_no_settings_to_choose_from(evaluation, tmp_path):
    run = report_runs.make(evaluation, sweep(tmp_path, axes=False))
    assert (run.member, run.about) == ({"seed": 0}, " Of seed 0.")
    assert report_runs.notes([run], ()) == []
    other = report_runs.make(evaluation, tmp_path / "none")
    assert (other.member, other.about, other.settings) == ({}, "", [])


def test_rows_of_a_member_are_its_own_and_shared_ones():
    member = {"alpha": 0.1, "seed": 0}
    for row, expected in (
        ("teacher", True),
        ("baseline@seed=0", True),
        ("student@alpha=0.1@seed=0 after first", True),
        ("student@alpha=0.1@seed=1", False),
        ("student@alpha=0.9@seed=0", False),
        ("student@alpha=0.9@seed=0+teacher", True),
    ):
        assert sweep_settings.belongs(row, member) is expected
        assert sweep_settings.belongs(row, {})


def test_courses_are_by_setting_and_without_validation_those_of_training():
    train = {
        f"train/student@alpha={a}@seed={s}/accuracy": a + s / 10 for a in (0.1, 0.5) for s in (0, 1)
    }
    val = {"val/teacher/accuracy": 0.5, "val/student@alpha=0.1@seed=0/accuracy": 0.25}
    rows = [{"step": 5, "stage": "student", **train}]
    found, label = sweep_courses.by_setting([*rows, {"step": 6, "stage": "student", **val}])
    assert found == {"student alpha=0.1": [(np.array([6]), np.array([25.0]))]}
    assert "validation" in label
    found, label = sweep_courses.by_setting(rows)
    assert list(found) == ["student alpha=0.1", "student alpha=0.5"]
    assert found["student alpha=0.5"] == [(np.array([5]), np.array([v])) for v in (50.0, 60.0)]
    assert label.startswith("Training accuracy")


def test_a_record_of_a_sweep_has_a_row_for_each_setting(evaluation):
    names = [f"student@alpha={a}@seed={s}" for a in (0.1, 0.9) for s in (0, 1)]
    figures = evaluation.record["networks"]["peer_0"]
    rows = {
        name: figures | {"network": name, "accuracy": 0.5 + place / 10, "step": place}
        for place, name in enumerate(names)
    }
    left = "student@alpha=0.1@seed=0 after first"
    rows = {"teacher": evaluation.record["networks"]["teacher"], **rows}
    rows[left] = rows[names[0]]
    matrix = np.arange(36.0).reshape(6, 6)
    agreement = {"networks": list(rows), "matrix": matrix.tolist()}
    record = evaluation.record | {"networks": rows, "agreement": agreement}
    found = sweep_settings.by_setting(record)
    settings = [
        "teacher",
        "student alpha=0.1",
        "student alpha=0.9",
        "student alpha=0.1 after first",
    ]
    assert list(found["networks"]) == found["agreement"]["networks"] == settings
    first = found["networks"]["student alpha=0.1"]
    assert first["accuracy"] == pytest.approx(0.55)
    assert first["deviation"] == pytest.approx(np.std([0.5, 0.6], ddof=1))
    assert (first["steps"], first["seeds"]) == ([0, 1], 2)
    assert first["teacher"]["kl"] == pytest.approx(figures["teacher"]["kl"])
    assert first["classes"]["3"]["f1"] == pytest.approx(figures["classes"]["3"]["f1"])
    assert found["networks"][settings[3]]["network"] == "student alpha=0.1"
    assert records.final(found) == settings[:3]
    shares = np.asarray(found["agreement"]["matrix"])
    assert shares[0, 1] == matrix[0, 1:3].mean()
    # Of the same seed: the first with the first, the second with the second.
    assert shares[1, 2] == np.mean([matrix[1, 3], matrix[2, 4]])
    tables = evaluation_tables.tables([found])
    assert any("0 to 1" in row for table in tables for row in table.rows)
    assert sweep_settings.by_setting(evaluation.record) is evaluation.record


def test_a_report_computes_nothing_that_an_evaluation_left(
    two_phases, evaluation, tmp_path, monkeypatch
):
    """The same figures, also those of time, without a prediction."""
    choice = run_evaluation.Options(timing=True, throughput_batch=8)
    monkeypatch.setattr(cost, "timing", times)
    once = run_evaluation.evaluate(two_phases[0], choice)
    writers.write_json(tmp_path / "evaluation.json", once.record)
    run_evaluation.write_predictions(tmp_path, [once])
    before = predictions.read([tmp_path, tmp_path / "none"])
    latencies = {row: one["cost"]["latency_median"] for row, one in once.record["networks"].items()}
    assert latencies["peer_0"] != latencies["peer_1"]

    def computed(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr("kdjax.training.scores.predictions", computed)
    monkeypatch.setattr(cost, "timing", computed)
    again = run_evaluation.evaluate(two_phases[0], choice, before)
    assert again.record == once.record
    for row, outputs in once.predictions.items():
        np.testing.assert_array_equal(again.predictions[row].logits, outputs.logits)
    # Other images, layers or sizes of a batch are computed.
    for other in ({"split": "validation"}, {"layer": "stem"}, {"throughput_batch": 4}):
        with pytest.raises(AssertionError, match="computed again"):
            run_evaluation.evaluate(two_phases[0], choice._replace(**other), before)


def times(networks, *_, **__):
    """Others for each network, also of one program."""
    return {
        name: {"latency_median": place, "latency_p90": 2, "throughput": 3, "throughput_batch": 8}
        for place, name in enumerate(networks)
    }


def test_predictions_of_other_variables_or_another_program_are_not_taken(evaluation):
    plan, split = evaluation.plan, evaluation.split
    known = predictions.digests(evaluation.networks, plan, split)
    assert known == evaluation.digests
    assert len(set(known.values())) == len(known)
    peer = evaluation.networks["peer_0"]
    moved = peer._replace(state=jax.tree.map(lambda x: x + 1e-3, peer.state))

    def doubled(state, image, **keys):
        outputs, stats = peer.network.apply(state, image, **keys)
        return outputs._replace(logits=2 * outputs.logits), stats

    other = peer._replace(network=peer.network._replace(apply=doubled))
    changed = plan._replace(appearance=dict(plan.appearance) | {"data.mean": (0.9,)})
    fewer = split.rows(np.arange(10))
    for found, its_plan, images in (
        (moved, plan, split),
        (other, plan, split),
        (peer, changed, split),
        (peer, plan, fewer),
    ):
        digest = predictions.digests({"peer_0": found}, its_plan, images)["peer_0"]
        assert digest != known["peer_0"]


@pytest.mark.parametrize("record", ["{", "[]", "{}", '{"networks": {"a": {}}}', None])
def test_damaged_evaluations_are_not_read_back_and_that_is_said(record, tmp_path, capsys):
    writers.write_arrays(tmp_path / predictions.FILE, {"digest": np.zeros((2, 3))})
    if record is None:
        (tmp_path / predictions.FILE).write_bytes(b"no archive")
    else:
        (tmp_path / "evaluation.json").write_text(record)
    assert predictions.read([tmp_path]) == predictions.NOTHING
    damaged = tmp_path / (predictions.FILE if record is None else "evaluation.json")
    assert capsys.readouterr().out.startswith(f"{damaged} cannot be read back")


def test_attributes_are_neither_right_nor_wrong_as_a_whole():
    logits = np.array([[9.0, -9.0, np.nan]])
    (answer,) = attention.attribute_answers(logits, np.array([[1, 0, 0]]))
    assert answer == ("2 of 3 right: 83\N{NO-BREAK SPACE}%", None)


def test_an_answer_to_an_image_is_right_or_wrong():
    logits = np.array([[3.0, 0.0], [3.0, 0.0], [np.nan, 0.0]])
    found = attention.class_answers(logits, np.array([0, 1, 0]), ["cat", "dog"])
    assert found == [
        ("cat: 95\N{NO-BREAK SPACE}%", True),
        ("cat: 95\N{NO-BREAK SPACE}%", False),
        ("no number", False),
    ]


def test_maps_are_of_the_images_that_are_shown(evaluation):
    rows = np.array([5, 0, 7])
    images, maps = attention_maps.make(evaluation, ["teacher", "peer_0"], ["stage2_last"], rows)
    np.testing.assert_array_equal(images, evaluation.split.image.read(rows) / np.float32(255))
    assert set(maps) == {("teacher", "stage2_last"), ("peer_0", "stage2_last")}
    _, alone = attention_maps.make(evaluation, ["peer_0"], ["stage2_last"], rows[1:2])
    np.testing.assert_allclose(
        alone["peer_0", "stage2_last"][0], maps["peer_0", "stage2_last"][1], rtol=1e-5
    )
    norms = np.linalg.norm(maps["teacher", "stage2_last"].reshape(3, -1), axis=1)
    np.testing.assert_allclose(norms, 1.0, rtol=1e-5)
    with pytest.raises(UserError, match="unknown layer with a map 'pooled'"):
        attention_maps.make(evaluation, ["teacher"], ["pooled"], rows)


def test_layers_that_all_networks_have():
    deep = ["stem_pre", "stem", "stage1_last", "stage2_last_pre", "stage2_last", "stage3_last"]
    assert attention_maps.common([deep, deep]) == ["stage2_last", "stage3_last"]
    assert attention_maps.common([deep, ["stem", "stage2_last"]]) == ["stage2_last"]
    assert attention_maps.common([["stem_pre", "stem"], deep]) == ["stem"]
    assert attention_maps.common([["own"], deep]) == []


def test_half_of_the_images_are_disputed(evaluation):
    rows = attention_maps.telling(evaluation, ["teacher", "peer_0"], 6)
    assert len(set(rows.tolist())) == len(rows) == 6
    predicted = [evaluation.predictions[row].logits.argmax(-1) for row in ("teacher", "peer_0")]
    assert (predicted[0] != predicted[1])[rows[3:]].all()
    assert len(set(evaluation.split.label[rows[:3]].tolist())) == 3


def test_confusion_of_a_report_is_that_of_its_predictions(evaluation):
    predicted, label = evaluation.predictions["peer_0"].logits.argmax(-1), evaluation.split.label
    expected = [
        [np.sum((label == true) & (predicted == other)) for other in range(10)]
        for true in range(10)
    ]
    assert evaluation.record["networks"]["peer_0"]["confusion"] == expected


@pytest.mark.parametrize("library", ["matplotlib", "jinja2"])
def test_without_a_library_one_line_says_what_to_install(library, tmp_path):
    (tmp_path / f"{library}.py").write_text("raise ImportError('no such library')")
    done = subprocess.run(
        [sys.executable, "-m", "kdjax.report", f"--workdir={tmp_path}"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "kdjax: reports need matplotlib and Jinja2: pip install -r requirements/report.txt\n"
    )
