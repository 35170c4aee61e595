"""Every config has the keys that tools rely on, and wrong values are refused in one line."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from configs import base
from kdjax import build
from kdjax.errors import UserError

NAMES = sorted(
    path.stem
    for path in (Path(__file__).parent.parent / "configs").glob("*.py")
    if path.stem not in ("__init__", "base", "datasets", "parts")
)


def load(name, argument=""):
    return importlib.import_module(f"configs.{name}").get_config(argument)


@pytest.mark.parametrize("name", NAMES)
def test_common_keys_docstring_and_lock(name):
    config = load(name)
    assert config.is_locked
    for key in ("seed", "epochs", "batch_size", "alpha", "temperature", "parallel"):
        assert key in config
    for key in ("seed", "data_dir", "path", "fraction"):
        assert key in config.data
    assert f"--config=configs/{name}.py" in importlib.import_module(f"configs.{name}").__doc__


def at_epochs(plan, stage, term, *epochs, value="weight"):
    """A term's weight or temperature at the first step of epochs."""
    made = next(s for s in plan.stages if s.name == stage)
    per_epoch = len(plan.data.splits["train"].id) // made.batch_size
    schedule = made.hyper.terms[term][value]
    return [float(schedule.at(np.float32(epoch * per_epoch))) for epoch in epochs]


def test_alpha_moves_both_weights():
    config = load("kd")
    config.alpha = 0.3
    plan = build.plan(config, 1)
    assert at_epochs(plan, "student", "soft", 0, 9) == pytest.approx([0.3, 0.3])
    assert at_epochs(plan, "student", "ce", 0, 9) == pytest.approx([0.7, 0.7])
    config = load("dml", "digits,peers=3")
    config.alpha = 0.3
    terms = config.stages.peers.terms
    assert terms.ce_peer_2.weight.start == pytest.approx(0.7)
    assert terms.soft_peer_0_from_peer_2.weight.end == pytest.approx(0.15)


def test_study_bs_schedules_move_both_weights_and_the_temperature():
    """max(0.5, 0.8 * 0.95^epoch) and max(0.3, 0.5 * 0.95^epoch); hard and soft sum to one."""
    config = load("hybrid")
    for key, start, end in (("alpha", 0.8, 0.5), ("temperature", 0.5, 0.3)):
        config[key] = start
        config[f"{key}_schedule"].update(dict(kind="exponential", rate=0.95, end=end))
    plan = build.plan(config, 1)
    alpha = [0.8, 0.8 * 0.95**4, 0.5]
    assert at_epochs(plan, "student", "soft", 0, 4, 29) == pytest.approx(alpha)
    assert at_epochs(plan, "student", "ce", 0, 4, 29) == pytest.approx([1 - a for a in alpha])
    found = at_epochs(plan, "student", "soft", 0, 4, 29, value="temperature")
    assert found == pytest.approx([0.5, 0.5 * 0.95**4, 0.3])


def test_a_schedules_end_leaves_its_start():
    config = load("kd")
    temperature = config.stages.student.terms.soft.temperature
    temperature.update(dict(kind="linear", end=1.0, finish=5.0))
    found = at_epochs(build.plan(config, 1), "student", "soft", 0, 5, value="temperature")
    assert found == [4.0, 1.0]


def test_the_nuclear_norms_weight_follows_alpha():
    config = load("nuclear")
    config.alpha, config.nuclear_scale = 0.4, 0.1
    assert at_epochs(build.plan(config, 1), "student", "nuclear", 0) == pytest.approx([0.04])


def test_a_key_of_one_stage_moves_that_stage_alone():
    config = load("kd")
    config.epochs = 7
    config.stages.teacher.epochs = 3
    assert (config.stages.teacher.epochs, config.stages.student.epochs) == (3, 7)
    assert config.stages.student.optimiser.learning_rate.finish == 7.0


def test_the_baseline_has_the_partners_recipe():
    config = load("kd")
    config.networks.student.dropout = 0.3
    config.label_smoothing = 0.1
    config.networks.student.model = "plain.plain2"
    assert config.networks.baseline.dropout == 0.3
    assert config.networks.baseline.model == "plain.plain2"
    assert config.networks.baseline.pair == "student"
    assert config.stages.baseline.terms.ce.label_smoothing == 0.1


def test_a_changed_kind_alone_keeps_the_value():
    """Of a weight; it then needs an end and a time."""
    config = load("kd")
    config.stages.student.terms.soft.weight.kind = "cosine"
    weight = build.plan(config, 1).stages[1].hyper.terms["soft"]["weight"]
    for at in (0, 1, 1000):
        assert float(weight.at(np.float32(at))) == 0.5


def test_mutual_learning_is_soft_between_every_ordered_pair():
    terms = load("dml", "digits,peers=4").stages.peers.terms
    pairs = {(t.student, t.teacher) for t in terms.values() if t.kind == "soft"}
    peers = {f"peer_{i}" for i in range(4)}
    assert pairs == {(a, b) for a in peers for b in peers if a != b}


def test_order_of_peers_in_the_config_changes_nothing():
    config = load("dml")
    turned = load("dml")
    turned.stages.peers.train = tuple(reversed(turned.stages.peers.train))
    one, other = (build.plan(c, 1).stages[0].program for c in (config, turned))
    assert one.trained == other.trained
    assert list(one.terms) == list(other.terms)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 1.5}, "config.alpha is 1.5; it must be in [0, 1]"),
        ({"alpha": -0.1}, "config.alpha"),
        ({"temperature": 0.0}, "config.temperature is 0.0; it must be greater than 0"),
        ({"temperature": float("inf")}, "config.temperature is inf"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0; it must be 0 or more"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0; it must be in [0, 1)"),
        (
            {
                "alpha_schedule.kind": "steps",
                "alpha_schedule.rate": 3.0,
                "alpha_schedule.boundaries": (5,),
            },
            "terms.ce.weight comes to -0.5 at epoch 5; it must be 0 or more",
        ),
        (
            {"temperature_schedule.factor": 0.0},
            "temperature comes to 0 at epoch 0; it must be great",
        ),
        (
            {"temperature_schedule.kind": "exponential", "temperature_schedule.rate": 0.9},
            "temperature.end is 4.0; it must be where an exponential schedule is to stop",
        ),
        (
            {"stages.student.terms.ce.network": "teacher"},
            "term 'ce' of stage 'student' teaches teacher, which the stage does not train",
        ),
        ({"stages.student.optimiser.b1": 2.0}, "b1 is 2.0"),
        ({"stages.student.optimiser.clip_norm": -1.0}, "clip_norm is -1.0"),
        ({"stages.student.terms.soft.weight.start": -4.0}, "soft.weight.start is -4.0"),
        ({"stages.student.terms.soft.weight.every": 0.0}, "weight.every is 0.0"),
        ({"stages.student.optimiser.learning_rate.begin": 90.0}, "never starts"),
        (
            {
                "stages.student.optimiser.learning_rate.begin": 9.0,
                "stages.student.optimiser.learning_rate.finish": 3.0,
            },
            "finishes at epoch 3.0, before",
        ),
        ({"stages.student.optimiser.learning_rate.boundaries": ("a",)}, "a tuple of epochs"),
        ({"stage_order": ("teacher", "teacher")}, "of different stages"),
        (
            {"stages.baseline.train": ("student",), "stages.baseline.terms.ce.network": "student"},
            "init_from={'student': 'student'} goes on from there",
        ),
        ({"networks.baseline.pair": "studnet"}, "Did you mean 'student'?"),
        ({"stages.student.terms.soft.teacher": "student"}, "terms.soft names 'student' twice"),
        ({"data.path": "/somewhere"}, "digits are embedded"),
        ({"data.std": (0.0,)}, "data.std is (0.0,); it must be greater than 0"),
        ({"data.augment.pad": -1}, "data.augment.pad is -1"),
        ({"data.size": 0}, "data.size is 0"),
        ({"data.size": 2}, "network 'teacher' (mnist.teacher) does not fit images of 2 x 2 x 1"),
        ({"parallel": "xmap"}, "jit or pmap"),
        ({"stages.student.terms.soft.temperature.start": -1.0}, "temperature.start"),
        ({"batch_size": 100_000}, "only 1439 training examples"),
        ({"epochs": 0}, "epochs is 0"),
        ({"networks.student.model": "six_conv.studnet"}, "Did you mean 'six_conv.student'?"),
        (
            {"networks.student.model": "six_con.student"},
            "unknown model 'six_con.student'. Did you mean 'six_conv.student'?",
        ),
        ({"networks.student.dropout": 1.0}, "dropout is 1.0"),
        ({"stages.student.terms.soft.teacher": "techer"}, "Did you mean 'teacher'?"),
        ({"stages.student.terms.soft.kind": "sotf"}, "Did you mean 'soft'?"),
        ({"stages.student.optimiser.kind": "adam"}, "there are sgd and adamw"),
        ({"stages.student.optimiser.learning_rate.kind": "cosin"}, "Did you mean 'cosine'?"),
        ({"stage_order": ("student",)}, "no earlier stage trains"),
        ({"stage_order": ("studnt",)}, "Did you mean 'student'?"),
        ({"data.fraction": 0.0}, "data.fraction"),
        ({"data.name": "mnits"}, "Did you mean 'mnist'?"),
        ({"data.mean": (0.1, 0.2)}, "one number for grey images, or three"),
        ({"data.normalisation": "zscore"}, "dataset or imagenet or unit"),
        ({"data.input": "disk"}, "auto or resident or streaming"),
        ({"data.workers": -1}, "data.workers is -1"),
        ({"data.augment.pad": 16}, "data.augment.pad is 16; it must be in [0, 16)"),
        ({"data.augment.pad_mode": "wrap"}, "zeros or reflect"),
        ({"data.augment.crop_scale": (0.5, 1.5)}, "greater than 0 up to 1"),
        ({"data.augment.crop_ratio": (2.0, 1.0)}, "the smaller first"),
        ({"data.augment.brightness": -0.1}, "data.augment.brightness is -0.1"),
        ({"data.augment.hue": 0.6}, "data.augment.hue is 0.6; it must be in [0, 0.5]"),
        ({"data.augment.saturation": 0.1}, "0 for grey images"),
        ({"data.augment.cutout": 17}, "data.augment.cutout is 17"),
        ({"data.augment.mixup": -1.0}, "data.augment.mixup is -1.0"),
        ({"patience": 2, "data.refit": True}, "patience is 2; it must be 0 where nothing"),
        ({"select": "first"}, "best or last"),
        ({"seed": -1}, "config.seed is -1"),
    ],
    ids=str,
)
def test_wrong_values_are_refused_in_one_line(change, message):
    config = load("kd")
    config.update_from_flattened_dict(change)
    with pytest.raises(UserError) as error:
        build.plan(config, devices=1)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_batch_that_devices_cannot_share_is_refused():
    with pytest.raises(UserError, match=r"batch_size is 64; it must be a multiple of 3 devices"):
        build.plan(load("ce"), devices=3)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("digits,peers=1", "two peers or more"),
        ("digits,piers=3", "Did you mean 'peers'?"),
        ("digits,peers=x", "whole number"),
        ("mnits", "Did you mean 'mnist'?"),
    ],
)
def test_wrong_arguments_after_the_colon(argument, message):
    with pytest.raises(UserError) as error:
        load("dml", argument)
    assert message in str(error.value)


def test_unprepared_data_set_names_the_command(tmp_path):
    config = load("ce", "mnist")
    config.data.data_dir = str(tmp_path)
    with pytest.raises(UserError) as error:
        build.plan(config, devices=1)
    assert f"python -m kdjax.prepare --dataset=mnist --data_dir={tmp_path}" in str(error.value)


def test_options_default_to_digits():
    assert base.arguments("", peers=2) == ("digits", {"peers": 2})
    assert base.arguments("mnist,peers=4", peers=2) == ("mnist", {"peers": 4})
