"""Networks of other runs bring their own images and classes; they are measured and fine-tuned."""

import json
import shutil

import jax
import numpy as np
import pytest

from configs import ce, finetune, kd, label_free, parts
from kdjax.config import build, grid
from kdjax.runs import loaded, restore
from kdjax.system.errors import UserError
from kdjax.training import teachers, train
from tests.helpers import differ, small

pytestmark = pytest.mark.usefixtures("standard", "one_device")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """The workdir of a network that was trained on images of another normalisation."""
    directory = tmp_path_factory.mktemp("other") / "run"
    config = small(ce)
    config.data.normalisation, config.networks.student.model = "unit", "plain.plain4"
    config.epochs = 4
    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):
        first = jax.local_devices()[:1]
        patch.setattr(jax, "local_devices", lambda: first)
        train.run(config, directory)
    return directory


def taught(other):
    config = small(kd, "digits,train=0,baseline=0")
    config.networks.teacher.workdir = str(other)
    return config


def with_classes(other, tmp_path, names):
    """A copy of the run, whose classes have other names."""
    copy = tmp_path / "renamed"
    shutil.copytree(other, copy)
    split = json.loads((copy / "split.json").read_text())
    (copy / "split.json").write_text(json.dumps(split | {"class_names": names}))
    return copy


def test_a_teacher_brings_model_and_normalisation_and_is_measured_first(other, tmp_path, capsys):
    """Its accuracy here is what its own run measured on the same validation images."""
    result = train.run(taught(other), tmp_path / "run")
    own = json.loads((other / "result.json").read_text())["networks"]["student"]["validation"]
    assert result["teachers"]["student"]["teacher"] == pytest.approx(own["accuracy"], abs=1e-9)
    printed = capsys.readouterr()
    text = printed.out + printed.err
    line = f"teacher has {own['accuracy']:.2%} on validation"
    assert line in text
    assert text.index(line) < text.index("epoch 1/")
    saved = json.loads((tmp_path / "run" / "config.json").read_text())["networks"]["teacher"]
    assert saved["model"] == "plain.plain4"
    assert saved["source"] == "student"
    assert saved["preprocessing"]["mean"] == [0.0]
    # The finished run needs the other one no longer.
    config = taught(other)
    config.networks.teacher.workdir = str(other)
    assert train.run(config, tmp_path / "run") == result


def test_a_cached_teacher_reads_its_own_images_too(other, tmp_path):
    results = []
    for name, cached in (("live", False), ("cached", True)):
        config = taught(other)
        config.teacher_cache, config.data.augment.pad = cached, 0
        config.data.data_dir = str(tmp_path)
        results.append(train.run(config, tmp_path / name)["networks"]["student"]["validation"])
    assert results[0]["loss"] == pytest.approx(results[1]["loss"], rel=1e-3)


def test_a_teacher_no_better_than_one_answer_is_warned_of(other, tmp_path, capsys):
    """Its last layer's columns are turned, so that every answer is another class."""
    plain = loaded.load_network(other)
    layer = "Dense_0" if "Dense_0" in plain.state.params else list(plain.state.params)[-1]

    def turned(directory, name, record, network, replicate):
        state = original(directory, name, record, network, replicate)
        head = jax.tree.map(lambda x: np.roll(np.asarray(x), 1, axis=-1), state.params[layer])
        return replicate(state._replace(params={**state.params, layer: head}))

    original = restore.saved_state
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restore, "saved_state", turned)
        result = train.run(taught(other), tmp_path / "run")
    assert result["teachers"]["student"]["teacher"] < 0.1
    text = "".join(capsys.readouterr())
    assert "warning: student: teacher has" in text
    assert "the same answer for every image reaches" in " ".join(text.split())


def test_the_best_constant_answer():
    label = np.array([0, 0, 0, 1, 2], np.int32)
    split = loaded_split(label)
    assert teachers.constant_accuracy(split, 3) == pytest.approx(3 / 5)
    # A class that has no image in the split still has its chance.
    assert teachers.constant_accuracy(loaded_split(np.arange(4)), 4) == pytest.approx(1 / 4)
    attributes = np.array([[1, 0], [1, 0], [1, 1], [0, 0]], np.uint8)
    assert teachers.constant_accuracy(loaded_split(attributes), 2) == pytest.approx(3 / 4)


def loaded_split(label):
    from kdjax.data.store import Images
    from kdjax.data.types import Split

    count = len(label)
    images = Images([np.zeros((count, 2, 2, 1), np.uint8)])
    return Split(images, label, np.arange(count, dtype=np.int32))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([str(i) for i in (1, 0, *range(2, 10))], "its class 0 is '1', and here '0'"),
        ([str(i) for i in range(9)], "has 9 classes where this run has 10"),
        ([], "has no last layer"),
    ],
)
def test_other_classes_are_refused_with_what_to_do(names, message, other, tmp_path):
    config = taught(with_classes(other, tmp_path, names))
    with pytest.raises(UserError) as error:
        train.run(config, tmp_path / "run")
    assert message in str(error.value)
    assert "head=new" in str(error.value)


def test_fine_tuning_begins_with_a_fresh_head_on_a_trunk_that_stays(other, tmp_path):
    config = small(finetune, "digits,head_epochs=1")
    config.networks.teacher.workdir = str(other)
    config.epochs = 1
    result = train.run(config, tmp_path / "run")
    assert set(result["stages"]) == {"head", "all"}
    before = loaded.load_network(other).state
    from tests.training.test_stages import values

    trees = values(tmp_path / "run")
    after_head = next(t for p, t in trees.items() if p.startswith("head") and "networks" in p)
    trained = after_head["teacher"]
    head = next(n for n in trained["params"] if differ(trained["params"][n], before.params[n]))
    for layer in trained["params"]:
        changed = differ(trained["params"][layer], before.params[layer])
        assert changed == (layer == head), layer
    assert not differ(trained["batch_stats"], before.batch_stats)
    whole = loaded.load_network(tmp_path / "run", "teacher").state
    assert all(differ(whole.params[n], before.params[n]) for n in whole.params)
    assert differ(whole.batch_stats, before.batch_stats)


def test_a_member_of_a_sweep_teaches(tmp_path):
    swept = grid.make(small(ce), [("learning_rate", [1e-3, 2e-3])], 1)
    result = train.run(swept, tmp_path / "sweep")
    name = next(iter(result["networks"]))
    assert name.startswith("student@")
    config = taught(tmp_path / "sweep")
    config.networks.teacher.source = name
    taught_result = train.run(config, tmp_path / "run")
    accuracy = result["networks"][name]["validation"]["accuracy"]
    assert taught_result["teachers"]["student"]["teacher"] == pytest.approx(accuracy, abs=1e-9)


def test_the_workdir_must_be_named(tmp_path):
    for method in (finetune, label_free):
        with pytest.raises(UserError, match="networks.teacher.workdir=DIR"):
            train.run(small(method), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_network_is_loaded_without_data(other, tmp_path):
    network = loaded.load_network(other)
    assert network.name == "student"
    assert network.class_names == tuple(map(str, range(10)))
    assert network.preprocessing.mean == (0.0,)
    assert not network.multi_label
    record = json.loads((other / "result.json").read_text())
    assert network.origin["validation"] == record["networks"]["student"]["validation"]
    run = tmp_path / "run"
    train.run(taught(other), run)
    # A teacher of another run is loaded from there.
    assert not differ(loaded.load_network(run, "teacher").state, network.state)
    with pytest.raises(UserError, match="Did you mean 'student'"):
        loaded.load_network(run, "studnt")


def test_a_student_without_a_last_layer_has_no_classes(other, tmp_path):
    """Also where the run's data set has classes; and later stages can read its features."""
    config = small(label_free, "digits")
    config.networks.teacher.workdir, config.networks.teacher.source = str(other), "student"
    config.unlock()
    config.networks.reader = parts.network(model="plain.plain2", head="none")
    term = parts.term(
        "standardised", student="reader", teacher="student", layers=("pooled",), weight=1.0
    )
    parts.add_stage(config, "reader", parts.stage(config, train=("reader",), terms={"read": term}))
    config.stages.reader.epochs = config.stages.student.epochs = 1
    result = train.run(config.lock(), tmp_path / "run")
    assert result["teachers"] == {"student": {}, "reader": {}}
    student = loaded.load_network(tmp_path / "run", "student")
    assert student.class_names == ()
    # It is fine-tuned with a fresh last layer, and is no teacher without one.
    config = small(finetune, "digits,head_epochs=1,all=0")
    config.networks.teacher.workdir = str(tmp_path / "run")
    config.networks.teacher.source = "student"
    train.run(config, tmp_path / "tuned")
    tuned = loaded.load_network(tmp_path / "tuned", "teacher")
    assert len(tuned.class_names) == 10
    trunk = {layer: tuned.state.params[layer] for layer in student.state.params}
    assert not differ(trunk, student.state.params)
    config = taught(tmp_path / "run")
    config.networks.teacher.source = "student"
    with pytest.raises(UserError, match="has no last layer: .*head=new"):
        train.run(config, tmp_path / "taught")


def test_a_stage_does_not_lose_a_network_that_validation_cannot_select(tmp_path):
    config = small(ce)
    config.unlock()
    config.networks.reader = parts.network(model="plain.plain2", head="none")
    stage = config.stages.student
    stage.train = ("student", "reader")
    stage.terms.read = parts.term(
        "standardised", student="reader", teacher="student", layers=("pooled",), weight=1.0
    )
    config.epochs = 1
    with pytest.raises(UserError, match="'reader' has no last layer .*student.select=last"):
        train.run(config.lock(), tmp_path / "run")
    stage.select = "last"
    assert set(train.run(config, tmp_path / "run")["networks"]) == {"student", "reader"}


def test_a_teacher_of_other_data_that_has_seen_test_images_is_warned_of(other, tmp_path, capsys):
    for seed, warns in ((0, False), (5, True)):
        config = taught(other)
        config.networks.teacher.other_data, config.epochs, config.data.seed = True, 1, seed
        train.run(config, tmp_path / f"run{seed}")
        text = " ".join("".join(capsys.readouterr()).split())
        assert ("of this run's test images: test accuracies" in text) == warns


def test_teachers_are_recorded_also_by_a_run_that_was_interrupted(other, tmp_path):
    whole = train.run(taught(other), tmp_path / "whole")
    with pytest.raises(train.Interrupted):
        train.run(taught(other), tmp_path / "run", should_stop=lambda step: step >= 2)
    assert train.run(taught(other), tmp_path / "run")["teachers"] == whole["teachers"]


def test_a_sweep_over_seeds_of_a_new_head_is_refused(other, tmp_path):
    """Every member would have the same one."""
    config = small(finetune, "digits,head_epochs=1")
    config.networks.teacher.workdir = str(other)
    swept = grid.make(config, [], 2)
    with pytest.raises(UserError, match="run each seed on its own"):
        train.run(swept, tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"networks.student.quantise": "int8"}, "whose quantise has an effect in training mode"),
        ({"networks.student.head": "none"}, "trunk_rate is for networks with this run's classes"),
    ],
)
def test_settings_without_effect_are_refused(change, message):
    config = small(ce)
    config.update_from_flattened_dict(change)
    if "networks.student.quantise" in change:
        config.stages.student.running_statistics = ("student",)
    else:
        config.stages.student.trunk_rate = 0.5
    with pytest.raises(UserError, match=message):
        build.plan(config, 1)
