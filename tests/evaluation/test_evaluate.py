"""Evaluation of restored checkpoints: figures, comparisons, costs, refusals."""

import csv
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from configs import ce, kd
from kdjax.config import build, build_data
from kdjax.data.store import Images
from kdjax.data.types import DataSet, Split
from kdjax.evaluation import run_evaluation, tables
from kdjax.runs import workdir, writers
from kdjax.system.errors import UserError
from kdjax.training import scores, train
from kdjax.training.fit import Interrupted
from tests.helpers import evaluated, small

pytestmark = [pytest.mark.usefixtures("one_device"), pytest.mark.usefixtures("standard")]


def copy(run, tmp_path):
    return shutil.copytree(run[0], tmp_path / "copy")


@pytest.mark.parametrize("split", ["validation", "test"])
def test_figures_are_those_of_training_after_every_stage(two_phases, split):
    directory, result = two_phases
    found = evaluated(directory, split=split)["networks"]
    assert list(found) == [
        "teacher",
        *("peer_0 after peer_0", "peer_0", "peer_1 after peer_1", "peer_1"),
    ]
    for row, figures in found.items():
        name, _, stage = row.partition(" after ")
        recorded = result["stages"][stage]["networks"] if stage else result["networks"]
        assert figures["accuracy"] == recorded[name][split]["accuracy"]
        assert figures["loss"] == pytest.approx(recorded[name][split]["loss"], rel=1e-5)
        assert (figures["stage"], figures["step"]) == (
            recorded[name]["stage"],
            recorded[name]["step"],
        )


def test_the_last_step_and_one_stage(two_phases):
    directory, result = two_phases
    last = max(stage["last_step"] for stage in result["stages"].values())
    found = evaluated(directory, step=last, networks=("peer_1",))
    assert list(found["networks"]) == ["peer_1"]
    recorded = result["networks"]["peer_1"]["last"]["test"]["accuracy"]
    assert found["networks"]["peer_1"]["accuracy"] == recorded
    # The teacher has no checkpoint of that step; it is compared with as its own stage left it.
    assert found["networks"]["peer_1"]["teacher"]["kl"] > 0
    of_stage = evaluated(directory, stage="peer_0")["networks"]
    assert list(of_stage) == ["peer_0"]
    everything = evaluated(directory)["networks"]
    assert of_stage["peer_0"]["teacher"] == everything["peer_0 after peer_0"]["teacher"]


def test_likeness_is_that_of_predictions_and_features(two_phases):
    found = run_evaluation.evaluate(two_phases[0], run_evaluation.Options(timing=False))
    record, outputs = found.record, found.predictions
    assert record["teacher"] == "teacher"
    assert record["networks"]["teacher"]["teacher"] is None
    predicted = {row: one.logits.argmax(-1) for row, one in outputs.items()}
    against = record["networks"]["peer_0"]["teacher"]
    assert against["agreement"] == np.mean(predicted["peer_0"] == predicted["teacher"])
    # The teacher's last features are wider, so that only kernels compare them.
    assert against["cosine"] is None
    assert 0 < against["cka"] <= 1
    same = evaluated(two_phases[0], teacher="peer_0")["networks"]
    assert same["peer_1"]["teacher"]["cosine"] is not None
    names, matrix = record["agreement"]["networks"], np.asarray(record["agreement"]["matrix"])
    np.testing.assert_array_equal(np.diag(matrix), 1.0)
    pair = matrix[names.index("peer_0"), names.index("teacher")]
    assert pair == against["agreement"]


def test_maps_are_compared_by_their_mean_over_positions(two_phases):
    layer, examples = "stage1_last", slice(0, 40)
    found = run_evaluation.evaluate(
        two_phases[0], run_evaluation.Options(layer=layer, timing=False, teacher="peer_1")
    )
    code, split = found.plan.stages[0].code, found.split
    pixels = split.image.read(np.arange(len(split.id))).astype(np.float32) / 255
    image = jnp.asarray((pixels - code.mean) / code.std, jnp.float32)
    maps = {}
    for row in ("peer_0", "peer_1"):
        one = found.networks[row]
        outputs = jax.jit(lambda s, x, f=one.network.apply: f(s, x, train=False)[0])
        maps[row] = np.asarray(outputs(one.state, image).features[layer], np.float64)
        assert maps[row].ndim == 4
        assert maps[row].shape[1] > 1
        kept = found.predictions[row].features[layer]
        np.testing.assert_allclose(
            kept[examples], maps[row].mean(axis=(1, 2))[examples], rtol=1e-4, atol=1e-6
        )

    def cosine(pool):
        x, y = (pool(maps[row]) for row in ("peer_0", "peer_1"))
        return np.mean((x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1))

    like = found.record["networks"]["peer_0"]["teacher"]
    assert like["cosine"] == pytest.approx(cosine(lambda x: x.mean(axis=(1, 2))), rel=1e-4)
    # Other ways of pooling would give something else.
    for other in (lambda x: x.max(axis=(1, 2)), lambda x: x.reshape(len(x), -1)):
        assert like["cosine"] != pytest.approx(cosine(other), rel=1e-3)


def test_what_an_earlier_stage_left_alone_can_be_shown(two_phases, capsys):
    record = evaluated(two_phases[0], networks=("peer_0 after peer_0",))
    tables.show([record])
    assert "peer_0 after peer_0" in capsys.readouterr().out


def test_cost_counts_the_networks(two_phases):
    found = evaluated(two_phases[0])["networks"]
    plan = build.plan(workdir.load_config(two_phases[0]), devices=1)
    for name, stage in (("teacher", 0), ("peer_0", 1)):
        state = jax.eval_shape(plan.stages[stage].code.networks[name].init, jax.random.key(0))
        cost = found[name]["cost"]
        values = sum(leaf.size for leaf in jax.tree.leaves(state.params))
        everything = sum(leaf.size for leaf in jax.tree.leaves(state))
        assert (cost["parameters"], cost["parameters_with_statistics"]) == (values, everything)
        assert cost["megabytes"] == pytest.approx(4e-6 * everything)
    ratio = found["peer_0"]["cost"]["megabytes"] / found["teacher"]["cost"]["megabytes"]
    assert found["peer_0"]["cost"]["of_teacher"] == pytest.approx(ratio)
    assert ratio < 0.7


@pytest.mark.slow
def test_a_teacher_of_another_run_is_compared_with_while_it_is_there(two_phases, tmp_path):
    config = small(kd, "digits,train=0,baseline=0")
    config.epochs = 1
    config.networks.teacher.model = "plain.plain4"
    config.networks.teacher.workdir = str(copy(two_phases, tmp_path))
    train.run(config, tmp_path / "student")
    found = evaluated(tmp_path / "student")
    assert found["networks"]["teacher"]["workdir"] == str(tmp_path / "copy")
    mine = evaluated(two_phases[0])["networks"]["teacher"]
    assert found["networks"]["teacher"]["accuracy"] == mine["accuracy"]
    assert found["networks"]["student"]["teacher"]["kl"] > 0
    (tmp_path / "copy").rename(tmp_path / "moved")
    found = evaluated(tmp_path / "student")
    assert list(found["networks"]) == ["student"]
    assert found["teacher"] is None
    assert "not a workdir" in found["missing"]["teacher"]
    for asked in ({"networks": ("teacher",)}, {"teacher": "teacher"}):
        with pytest.raises(UserError, match="not a workdir"):
            evaluated(tmp_path / "student", **asked)


def test_what_is_not_there_is_refused_with_what_is(two_phases, tmp_path):
    with pytest.raises(
        UserError, match=r"no checkpoint of step 7; there are: 8 \(teacher\), 16 \(peer_0\), 24"
    ):
        evaluated(two_phases[0], step=7)
    with pytest.raises(UserError, match="Did you mean 'peer_0'"):
        evaluated(two_phases[0], networks=("peer0",))
    with pytest.raises(UserError, match="unknown network 'student'"):
        evaluated(two_phases[0], teacher="student")
    with pytest.raises(UserError, match="unknown layer 'stage9'. .*There are: "):
        evaluated(two_phases[0], layer="stage9")
    with pytest.raises(UserError, match="unknown split 'tset'. Did you mean 'test'"):
        evaluated(two_phases[0], split="tset")
    with pytest.raises(UserError, match="not a workdir"):
        evaluated(tmp_path)


def class_folders(root, split, names):
    """The images of a split as PNG files by class."""
    for row, (image, label) in enumerate(zip(split.image.read(), split.label, strict=True)):
        folder = root / names[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / f"{row}.png")
    return str(root)


def test_figures_on_another_set_are_those_of_a_split_with_the_same_images(two_phases, tmp_path):
    config = workdir.load_config(two_phases[0])
    data = build_data.load_data(config)
    path = class_folders(tmp_path / "set", data.splits["test"], data.class_names)
    given = dict(on=path, data_dir=str(tmp_path / "data"))
    here, there = evaluated(two_phases[0]), evaluated(two_phases[0], **given)
    assert (there["split"], there["on"]) == ("folder set", path)
    assert there["examples"] == here["examples"]
    for row, figures in here["networks"].items():
        for key in ("accuracy", "loss", "f1"):
            assert there["networks"][row][key] == pytest.approx(figures[key], rel=1e-5)
        assert there["networks"][row]["confusion"] == figures["confusion"]
    # What is kept for a report is of these images, not of others with the same labels.
    turned = data.splits["test"]._replace(
        image=Images([np.ascontiguousarray(data.splits["test"].image.read()[:, ::-1])])
    )
    given["on"] = class_folders(tmp_path / "turned", turned, data.class_names)
    digests = [
        {row: figures["digest"] for row, figures in record["networks"].items()}
        for record in (there, evaluated(two_phases[0], **given))
    ]
    assert digests[0].keys() == digests[1].keys()
    assert not set(digests[0].values()) & set(digests[1].values())


def test_another_set_may_lack_classes_and_may_not_have_others(two_phases, tmp_path, capsys):
    data = build_data.load_data(workdir.load_config(two_phases[0]))
    some = data.splits["test"].rows(np.flatnonzero(data.splits["test"].label >= 7))
    path = class_folders(tmp_path / "set", some, data.class_names)
    given = dict(on=path, data_dir=str(tmp_path / "data"), networks=("peer_0",))
    record = evaluated(two_phases[0], **given)
    assert record["examples"] == len(some.id)
    assert np.sum(record["networks"]["peer_0"]["confusion"], axis=1)[:7].tolist() == [0] * 7
    tables.show([record])
    shown = " ".join(capsys.readouterr().out.split())
    assert f"all of folder set, {len(some.id)} images" in shown
    assert "has no image of 7 of 10 classes: 0, 1, 2, 3, 4, 5, 6" in shown
    assert tables.lines([record])[0]["split"] == "folder set"
    (tmp_path / "set" / "9").rename(tmp_path / "set" / "nine")
    with pytest.raises(UserError, match="unknown class in folder set 'nine'. .*There are: 0, 1"):
        evaluated(two_phases[0], **given)


def test_other_attributes_are_put_in_the_run_s_order(tmp_path):
    (tmp_path / "set").mkdir()
    for index in range(2):
        Image.new("RGB", (4, 4)).save(tmp_path / "set" / f"{index}.png")
    table = tmp_path / "set" / "list_attr.txt"
    table.write_text("2\nHat Young\n0.png 1 -1\n1.png 1 1\n")
    data = ce.get_config("attributes").data
    data.data_dir = str(tmp_path / "data")
    label = np.zeros((1, 2), np.uint8)
    split = Split(Images([np.zeros((1, 4, 4, 3), np.uint8)]), label, np.arange(1))
    own = DataSet({"train": split}, ("Young", "Hat"), "own")
    other = build_data.other_set(data, str(tmp_path / "set"), own)
    assert other.splits["all"].label.tolist() == [[0, 1], [1, 1]]
    assert (other.attributes, other.image_shape) == (("Young", "Hat"), (32, 32, 3))
    assert other.content
    with pytest.raises(UserError, match="unknown class in attributes set 'Hat'"):
        build_data.other_set(data, str(tmp_path / "set"), own._replace(class_names=("Young",)))
    table.write_text("2\nHat\n0.png 1\n1.png 1\n")
    with pytest.raises(UserError, match="attributes set lacks attributes of the run: Young"):
        build_data.other_set(data, str(tmp_path / "set"), own)


def test_a_run_keeps_the_names_of_its_classes(two_phases, tmp_path):
    directory = copy(two_phases, tmp_path)
    path = directory / "split.json"
    record = json.loads(path.read_text())
    assert record["class_names"] == [str(digit) for digit in range(10)]
    data = build_data.load_data(workdir.load_config(directory))
    path.write_text(json.dumps(record | {"class_names": list("abcdefghij")}))
    with pytest.raises(UserError, match="on other images, other classes or another split"):
        workdir.check_split(directory, data)


def test_a_run_that_is_not_finished_says_how_far_it_is(tmp_path, capsys):
    config = small(kd)
    config.epochs, config.checkpoint_every_epochs = 3, 1
    steps = len(build_data.load_data(config).splits["train"].id) // config.batch_size
    with pytest.raises(Interrupted):
        train.run(config, tmp_path, lambda step: step == 5 * steps)
    record = evaluated(tmp_path)
    assert record["unfinished"] == (
        f"{tmp_path} is not finished: stage 'student' is at epoch 2 of 3, step {2 * steps} of "
        f"{3 * steps}; stage 'baseline' has no checkpoint yet (baseline). Its networks so far: "
        "teacher, student"
    )
    assert record["missing"] == {}
    tables.show([record])
    assert capsys.readouterr().out.startswith(record["unfinished"])
    assert tables.notes([record]) == [record["unfinished"]]


def test_a_finished_run_has_nothing_to_say_first(two_phases):
    record = evaluated(two_phases[0])
    assert (record["unfinished"], record["missing"]) == ("", {})
    assert tables.notes([record]) == []


def test_networks_whose_checkpoint_is_gone_are_named(two_phases, tmp_path):
    directory = copy(two_phases, tmp_path)
    shutil.rmtree(directory / "checkpoints" / "peer_1")
    found = evaluated(directory)
    assert found["missing"] == {"peer_1 after peer_1": "the checkpoint of stage 'peer_1' is gone"}
    assert tables.notes([found]) == [
        f"{directory}: without 'peer_1 after peer_1': the checkpoint of stage 'peer_1' is gone"
    ]
    shutil.rmtree(directory / "checkpoints" / "mutual")
    found = evaluated(directory)
    assert list(found["missing"]) == ["peer_1 after peer_1", "peer_0", "peer_1"]
    with pytest.raises(UserError, match="'peer_1': the checkpoint of stage 'mutual' is gone"):
        evaluated(directory, networks=("peer_1",))
    # Who asks for one stage misses no other.
    assert evaluated(directory, stage="teacher")["missing"] == {}


def test_logits_that_are_no_numbers_are_said_and_written(two_phases, tmp_path, monkeypatch):
    """Of two images of one network; the record is still JSON."""
    predictions = scores.predictions

    def with_nan(*arguments, **keys):
        made = predictions(*arguments, **keys)
        logits = np.array(made["peer_0"].logits)
        logits[:2] = np.nan
        return made | {"peer_0": made["peer_0"]._replace(logits=logits)}

    monkeypatch.setattr(scores, "predictions", with_nan)
    record = evaluated(two_phases[0])
    writers.write_json(tmp_path / "evaluation.json", record)
    (note,) = tables.notes([record])
    assert note == (
        f"{two_phases[0]}: 'peer_0' has NaN logits for 2 of {record['examples']} images: they "
        "count as wrong"
    )
    assert record["networks"]["peer_0"]["loss"] is None
    assert record["networks"]["peer_1"]["loss"] is not None
    (quality, *_) = tables.tables([record])
    row = next(row for row in quality.rows if row[0] == "peer_0")
    assert row[quality.columns.index("cross-entropy")] == "-"


def change(directory, **keys):
    path = directory / "config.json"
    config = ConfigDict(json.loads(path.read_text()))
    with config.unlocked():
        config.update_from_flattened_dict(keys)
    writers.write_json(path, config.to_dict())


def test_networks_of_another_architecture_are_refused(two_phases, tmp_path):
    directory = copy(two_phases, tmp_path)
    change(directory, **{"networks.teacher.model": "plain.plain6"})
    with pytest.raises(UserError, match="of another architecture or number of classes: ") as error:
        evaluated(directory)
    assert "\n" not in str(error.value)
    assert "Checkpoints: 8 (teacher), " in str(error.value)


def test_another_number_of_classes_is_refused(two_phases, tmp_path, monkeypatch):
    load = build_data.load_data

    def fewer(config):
        data = load(config)
        splits = {name: split.rows(split.label < 9) for name, split in data.splits.items()}
        return data._replace(splits=splits, class_names=data.class_names[:9])

    monkeypatch.setattr(build_data, "load_data", fewer)
    directory = copy(two_phases, tmp_path)
    (directory / "split.json").unlink()
    with pytest.raises(UserError, match=r"number of classes: .* is \(10,\) there, \(9,\) here"):
        evaluated(directory)


@pytest.mark.parametrize("damage", ["emptied", "cut", "no manifest", "no metadata", "no record"])
def test_damaged_checkpoints_are_one_line(two_phases, tmp_path, damage):
    directory = copy(two_phases, tmp_path)
    step = max((directory / "checkpoints" / "mutual").iterdir())
    if damage == "no record":
        shutil.rmtree(step / "progress")
    for path in [path for path in step.rglob("*") if path.is_file()]:
        data = path.parent.name == "d"
        if damage == "emptied" and data:
            path.write_bytes(b"")
        elif damage == "cut" and data:
            path.write_bytes(path.read_bytes()[:-100])
        elif (damage == "no manifest" and path.name == "manifest.ocdbt") or (
            damage == "no metadata" and path.name == "_METADATA"
        ):
            path.unlink()
    with pytest.raises(UserError, match="mutual.*it is damaged") as error:
        evaluated(directory)
    assert "\n" not in str(error.value)
    assert "(mutual)" in str(error.value)
    assert "<bound method" not in str(error.value)
    assert "TensorStore details" not in str(error.value)


def test_tables_and_lines_hold_the_figures(two_phases, capsys, tmp_path):
    record = evaluated(two_phases[0])
    other = record | {"workdir": str(two_phases[0].parent / "other")}
    writers.write_csv(tmp_path / "all.csv", tables.lines([record, other]))
    with (tmp_path / "all.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 10
    figures = record["networks"]["peer_0"]
    line = next(line for line in lines if (line["network"], line["stage"]) == ("peer_0", "mutual"))
    assert float(line["accuracy"]) == figures["accuracy"]
    assert float(line["teacher_kl"]) == figures["teacher"]["kl"]
    assert int(line["parameters"]) == figures["cost"]["parameters"]
    by_class = tables.class_lines([record])
    assert len(by_class) == 5 * 10
    assert by_class[0].keys() == {
        *("workdir", "network", "class", "precision", "recall", "f1", "support")
    }
    # What was not measured has no column.
    networks = record["networks"]
    alone = {
        row: one | {"cost": one["cost"] | {"of_teacher": None}} for row, one in networks.items()
    }
    measured = ["network", "parameters", "with statistics", "MB", "of teacher", "MFLOP"]
    for rows, columns in (
        (networks, measured),
        (alone, [name for name in measured if name != "of teacher"]),
    ):
        found = tables.tables([record | {"networks": rows}])
        (table,) = (table for table in found if table.title == "Cost")
        assert table.columns == columns
        assert {len(row) for row in table.rows} == {len(columns)}
    tables.show([record, other])
    printed = capsys.readouterr().out
    assert "two: peer_0 after peer_0" in printed
    assert f"{figures['accuracy']:.2%}" in printed
    assert f"{figures['teacher']['kl']:.4f}" in printed
