"""Every config has the keys that tools rely on, and wrong values are refused in one line."""

import importlib
from pathlib import Path

import jax
import numpy as np
import pytest

from configs import base, datasets
from kdjax.config import build, effects
from kdjax.evaluation import cost
from kdjax.models.networks import linen
from kdjax.system import discover
from kdjax.system.errors import UserError

NAMES = sorted(
    path.stem
    for path in (Path(__file__).parents[2] / "configs").glob("*.py")
    if path.stem not in ("__init__", "base", "datasets", "parts", "recipes")
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


VARIANTS = [
    ("kd", "digits,teachers=2,each=1"),
    ("dml", "digits,peers=3"),
    ("fsp", "digits,added=1"),
    ("two_phase", "digits,keep_teacher=1"),
    ("teacher_free", "digits,virtual=1"),
    ("teacher_free", "digits,smoothing=1"),
]


@pytest.mark.parametrize("epochs", [1, 2, 3])
@pytest.mark.parametrize(("name", "argument"), [*((name, "digits") for name in NAMES), *VARIANTS])
def test_every_config_fits_any_number_of_epochs(name, argument, epochs):
    config = load(name, argument)
    config.epochs = epochs
    build.check(config)
    if epochs == 1:
        build.plan(config, 1)


@pytest.mark.parametrize("name", ["folder", "attributes", "tfds/beans"])
def test_the_teacher_of_a_folder_costs_at_most_five_times_the_student(name):
    """ResNet-18 takes fourteen times its arithmetic: hours for what a CPU does in minutes."""
    settings = datasets.settings(name)
    shape = (settings["size"], settings["size"], 3)
    operations = []
    for role in ("teacher", "student"):
        module = discover.model(settings[role])(classes=10)
        network = linen.network(module, image_shape=shape, key_name=role)
        operations.append(cost.flops(network, network.init(jax.random.key(0))))
    assert 1 < operations[0] / operations[1] < 5
    assert datasets.settings("cifar10")["teacher"] == "resnet.resnet18_cifar"


@pytest.mark.parametrize(
    ("epochs", "begin", "finish"), [(1, 0.5, 1.0), (2, 1.0, 2.0), (9, 1.0, 2.0), (30, 1.0, 2.0)]
)
def test_mutual_learning_ramps_up_within_the_stage(epochs, begin, finish):
    for key in ("epochs", "stages.peers.epochs"):
        config = load("dml")
        config.update_from_flattened_dict({key: epochs})
        plan = build.plan(config, 1)
        term = "soft_peer_1_from_peer_0"
        middle = (begin + finish) / 2
        values = at_epochs(plan, "peers", term, begin, middle, finish)
        assert values == pytest.approx([0, 0.25, 0.5], abs=0.02)
    config.ramp_finish = config.ramp_begin = 30.0
    with pytest.raises(UserError, match=r"weight: begin is 30.0; it must be less than the stage's"):
        build.check(config)


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
    plan = build.plan(config, 1)
    assert at_epochs(plan, "peers", "ce_peer_2", 9) == pytest.approx([0.7])
    assert at_epochs(plan, "peers", "soft_peer_0_from_peer_2", 9) == pytest.approx([0.15])


def test_study_bs_schedules_move_both_weights_and_the_temperature():
    """max(0.5, 0.8 * 0.95^epoch) and max(0.3, 0.5 * 0.95^epoch); hard and soft sum to one."""
    config = load("hybrid")
    config.alpha = "exponential(0.8, 0.5, rate=0.95)"
    config.temperature = "exponential(0.5, 0.3, rate=0.95)"
    plan = build.plan(config, 1)
    alpha = [0.8, 0.8 * 0.95**4, 0.5]
    assert at_epochs(plan, "student", "soft", 0, 4, 29) == pytest.approx(alpha)
    assert at_epochs(plan, "student", "ce", 0, 4, 29) == pytest.approx([1 - a for a in alpha])
    found = at_epochs(plan, "student", "soft", 0, 4, 29, value="temperature")
    assert found == pytest.approx([0.5, 0.5 * 0.95**4, 0.3])


def test_a_term_can_have_a_schedule_of_its_own():
    config = load("kd")
    config.stages.student.terms.soft.weight = "2 * linear(1, 0, finish=5)"
    plan = build.plan(config, 1)
    assert at_epochs(plan, "student", "soft", 0, 5) == [2.0, 0.0]
    assert at_epochs(plan, "student", "ce", 0, 5) == [0.5, 0.5]


def test_a_recipe_sets_the_top_level_and_every_stage():
    plan = build.plan(load("kd", "digits,recipe=cifar_sgd240"), 1)
    for stage in plan.stages:
        assert (stage.epochs, stage.batch_size) == (240, 64)
        per_epoch = len(plan.data.splits["train"].id) // 64
        rates = [
            float(stage.hyper.learning_rate.at(np.float32(e * per_epoch)))
            for e in (0, 149, 150, 239)
        ]
        assert rates == pytest.approx([0.05, 0.05, 0.005, 5e-5])
    with pytest.raises(UserError, match="Did you mean 'cifar_sgd240'"):
        load("kd", "digits,recipe=cifar_sgd")


def test_the_nuclear_norms_weight_follows_alpha():
    config = load("nuclear")
    config.alpha, config.nuclear_scale = 0.4, 0.1
    assert at_epochs(build.plan(config, 1), "student", "nuclear", 0) == pytest.approx([0.04])


def test_a_key_of_one_stage_moves_that_stage_alone():
    config = load("kd")
    config.epochs = 7
    config.stages.teacher.epochs = 3
    assert (config.stages.teacher.epochs, config.stages.student.epochs) == (3, 7)
    config.learning_rate = 0.5
    config.stages.teacher.learning_rate = 0.1
    rates = [stage.hyper.learning_rate for stage in build.plan(config, 1).stages]
    assert [float(rate.start) for rate in rates] == pytest.approx([0.1, 0.5, 0.5])
    assert [float(rate.finish) for rate in rates] == [3 * 22, 7 * 22, 7 * 22]


def test_the_baseline_has_the_partners_recipe():
    config = load("kd")
    config.networks.student.dropout = 0.3
    config.label_smoothing = 0.1
    config.networks.student.model = "plain.plain2"
    assert config.networks.baseline.dropout == 0.3
    assert config.networks.baseline.model == "plain.plain2"
    assert config.networks.baseline.pair == "student"
    assert config.stages.baseline.terms.ce.label_smoothing == 0.1


def test_mutual_learning_is_soft_between_every_ordered_pair():
    terms = load("dml", "digits,peers=4").stages.peers.terms
    pairs = {(t.student, t.teacher) for t in terms.values() if t.kind == "kd"}
    peers = {f"peer_{i}" for i in range(4)}
    assert pairs == {(a, b) for a in peers for b in peers if a != b}


def test_order_of_peers_in_the_config_changes_nothing():
    config = load("dml")
    turned = load("dml")
    turned.stages.peers.train = tuple(reversed(turned.stages.peers.train))
    one, other = (build.plan(c, 1).stages[0].code for c in (config, turned))
    assert one.trained == other.trained
    assert list(one.terms) == list(other.terms)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 1.5}, "config.alpha is 1.5; it must be in [0, 1]"),
        ({"alpha": -0.1}, "config.alpha"),
        (
            {"temperature": 0.0},
            "config.temperature is 0; it must be in [0.0001, 10000]",
        ),
        ({"temperature": float("inf")}, "config.temperature is inf"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0; it must be 0 or more"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0; it must be in [0, 1)"),
        ({"alpha": "steps(0.5, 3, at=5)"}, "is 1.5 at epoch 5; it must be in [0, 1]"),
        ({"temperature": "0 * temperature"}, "temperature depends on itself"),
        ({"temperature": "linear(0, 4)"}, "config.temperature (linear(0, 4)) is 0 at epoch 0"),
        ({"alpha": "cosin(1, 0)"}, "Did you mean 'cosine'?"),
        (
            {"stages.student.learning_rate": "rate"},
            "config.learning_rate: unknown name 'rate'",
        ),
        (
            {"stages.student.terms.ce.network": "teacher"},
            "term 'ce' of stage 'student' teaches teacher, which the stage does not train",
        ),
        ({"stages.student.optimiser": "adamw(b1=0.9, b3=0.9)"}, "unexpected keyword argument 'b3'"),
        ({"stages.student.clip_norm": -1.0}, "clip_norm is -1.0"),
        ({"stages.student.terms.soft.weight": -4.0}, "soft.weight is -4; it must be 0 or more"),
        ({"stages.student.learning_rate": -0.1}, "0)) is -0.1 at epoch 0; it must be 0 or more"),
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
        ({"stages.student.terms.soft.temperature": -1.0}, "soft.temperature is -1; it must be in"),
        (
            {"batch_size": 100_000},
            "only 1439 training examples; choose a smaller --config.batch_size",
        ),
        ({"epochs": 0}, "epochs is 0"),
        ({"networks.student.model": "six_conv.studnet"}, "Did you mean 'six_conv.student'?"),
        (
            {"networks.student.model": "six_con.student"},
            "unknown model 'six_con.student'. Did you mean 'six_conv.student'?",
        ),
        ({"networks.student.dropout": 1.0}, "dropout is 1.0"),
        ({"stages.student.terms.soft.teacher": "techer"}, "Did you mean 'teacher'?"),
        ({"stages.student.terms.soft.kind": "kdd"}, "Did you mean 'kd'?"),
        ({"optimiser": "adm"}, "config.stages.teacher.optimiser: unknown optimiser 'adm'. Did you"),
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
        ({"epochs": 10**20}, "config.epochs is 100000000000000000000; it must be at most 2,147,"),
        ({"epochs": 2**30}, "steps are more than 2,147,483,647"),
        ({"log_every": 2**31}, "config.log_every is 2147483648; it must be at most"),
        ({"weight_decay": 1e39}, "config.weight_decay is 1e+39; it must be finite, and at most"),
        ({"temperature": 1e30}, "config.temperature is 1e+30; it must be in [0.0001, 10000]"),
        ({"data.size": 100_000}, "config.data.size is 100000: a batch of 64 takes 2,560 GB, and"),
        ({"networks.student.model": "tests.own_models.a_class_too_many"}, "must be (2, 10)"),
        ({"networks.student.model": "tests.own_models.scalar"}, "it returns an array, not (logits"),
        ({"networks.student.model": "tests.own_models.nothing"}, "it returns NoneType, not"),
        ({"networks.student.model": "tests.own_models.logits_alone"}, "it returns an array, not"),
        ({"networks.student.model": "tests.own_models.features_first"}, "it returns tuple, not"),
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


@pytest.mark.parametrize(
    "change",
    [
        {"stages.student.terms.soft.kind": "kdd"},
        {"stages.student.optimiser": "adm"},
        {"stages.student.learning_rate_schedule": "cosin(1, 0)"},
        {"networks.student.model": "six_conv.studnet"},
        {"temperature": 0.0},
        {"epochs": 10**20},
        {"data.size": 100_000},
    ],
    ids=str,
)
def test_what_needs_no_data_is_checked_before_data_is_read(change, monkeypatch):
    config = load("kd")
    config.update_from_flattened_dict(change)
    monkeypatch.setattr(build.build_data, "load_data", lambda config: pytest.fail("data was read"))
    with pytest.raises(UserError):
        build.plan(config, devices=1)


def test_a_key_that_nothing_reads_is_refused():
    every = ["alpha", "temperature", "label_smoothing", "epochs", "select", "patience", "seed"]
    every += ["teacher_cache", "data.seed", "stages.student.epochs"]
    assert effects.unread(load("ce"), ["seed", "alpha", "temperature"]) == ["alpha", "temperature"]
    assert effects.unread(load("kd"), every) == []
    keys = ["gamma", "ramp_begin", "detach_peers", "batch_size"]
    assert effects.unread(load("dml"), keys) == []
    keys = ["attention_variant", "beta", "weight_decay", "learning_rate"]
    assert effects.unread(load("at"), keys) == []
    smoothing = load("teacher_free", "digits,smoothing=1")
    assert effects.unread(smoothing, ["alpha", "temperature"]) == ["temperature"]


def test_a_batch_that_devices_cannot_share_is_refused():
    with pytest.raises(UserError, match=r"batch_size is 64; it must be a multiple of 3 devices"):
        build.plan(load("ce"), devices=3)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("digits,peers=1", "two peers or more"),
        ("digits,piers=3", "Did you mean 'peers'?"),
        ("digits,peers=x", "whole number"),
        ("digits,peers=2,peers=3", "option peers is given twice: digits,peers=2,peers=3"),
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
    for argument, dataset, peers in (("", "digits", 2), ("mnist,peers=4", "mnist", 4)):
        config, options = base.start("dml", argument, peers=2)
        assert (config.data.name, options) == (dataset, {"peers": peers})
