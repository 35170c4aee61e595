"""Networks that go on from an earlier stage, learn in part, or come from another run."""

import json
import shutil

import jax
import numpy as np
import pytest

from configs import assistants, ce, fitnet, kd, parts, two_phase
from kdjax.config import build
from kdjax.system.errors import UserError
from kdjax.training import train
from kdjax.training.fit import Interrupted
from tests.helpers import differ, evaluated
from tests.training.test_run import assert_same_run, values

pytestmark = [pytest.mark.usefixtures("one_device"), pytest.mark.usefixtures("standard")]


def small(make, argument=""):
    config = make.get_config(argument)
    config.epochs, config.batch_size, config.tensorboard = 2, 32, False
    config.data.fraction, config.data.size = 0.1, 8
    for network in config.networks.values():
        network.model = "plain.plain2"
    return config


def test_a_hint_moves_the_first_layers_alone_and_the_student_goes_on(tmp_path):
    def config():
        config = small(fitnet, "digits,baseline=0")
        config.stages.hint.only.student = ("Conv_0", "BatchNorm_0")
        return config

    result = train.run(config(), tmp_path / "run")
    trees = values(tmp_path / "run")
    hint = next(t for p, t in trees.items() if p.startswith("hint") and "networks" in p)
    initial = initial_student(build.plan(config(), 1))
    moved = {
        layer
        for layer, leaves in initial.params.items()
        if differ(leaves, hint["student"]["params"][layer])
    }
    assert moved == {"Conv_0", "BatchNorm_0"}
    statistics = {
        layer
        for layer, leaves in initial.batch_stats.items()
        if differ(leaves, hint["student"]["batch_stats"][layer])
    }
    assert statistics == {"BatchNorm_0"}
    assert result["networks"]["student"]["stage"] == "student"
    with pytest.raises(Interrupted):
        train.run(config(), tmp_path / "cut", lambda step: step == 19)
    train.run(config(), tmp_path / "cut")
    assert_same_run(tmp_path / "run", tmp_path / "cut")


def initial_student(plan):
    from kdjax.step import step

    stage = plan.stages[1]
    network = stage.code.networks["student"]
    return jax.jit(lambda: step.init_network(network, np.uint32(0)))()


@pytest.mark.slow
def test_a_stage_starts_where_the_earlier_one_was_best(tmp_path):
    """With a learning rate of nearly nothing, mutual learning leaves the peers as they came."""
    config = small(two_phase, "digits,baseline=0")
    config.stages.mutual.learning_rate = 1e-30
    result = train.run(config, tmp_path)
    trees = values(tmp_path)
    for peer in ("peer_0", "peer_1"):
        before = next(t for p, t in trees.items() if p.startswith(peer) and "selected" in p)
        after = next(t for p, t in trees.items() if p.startswith("mutual") and "networks" in p)
        assert not differ(before[peer]["params"], after[peer]["params"])
    stages = result["stages"]
    assert result["networks"]["peer_0"] == stages["mutual"]["networks"]["peer_0"]
    assert set(stages["peer_1"]["networks"]) == {"peer_1"}
    # Before mutual learning, and of both peers together.
    figures = evaluated(tmp_path, stage="peer_0")["networks"]
    assert set(figures) == {"peer_0"}
    chosen = stages["peer_0"]["networks"]["peer_0"]
    assert figures["peer_0"]["accuracy"] == chosen["test"]["accuracy"]
    both = evaluated(
        tmp_path,
        ensemble=(
            "peer_0",
            "peer_1",
        ),
    )["networks"]
    assert list(both)[-1] == "peer_0+peer_1"
    count = {row: record["cost"]["parameters"] for row, record in both.items()}
    assert count["peer_0+peer_1"] == 2 * count["peer_0"]
    loss = {row: record["loss"] for row, record in both.items()}
    # The logarithm is concave: never worse than the members' mean.
    assert loss["peer_0+peer_1"] <= (loss["peer_0"] + loss["peer_1"]) / 2
    # What phase one left is a row of its own.
    assert both["peer_0 after peer_0"]["accuracy"] == figures["peer_0"]["accuracy"]
    with pytest.raises(UserError, match="unknown stage 'mutal'. Did you mean 'mutual'"):
        evaluated(tmp_path, stage="mutal")
    with pytest.raises(UserError, match="unknown network 'peer_2'"):
        evaluated(
            tmp_path,
            ensemble=(
                "peer_0",
                "peer_2",
            ),
        )


def test_a_teacher_comes_from_another_run(tmp_path, caplog):
    whole = train.run(small(kd, "digits,baseline=0"), tmp_path / "whole")

    def config(source="teacher", workdir="whole"):
        config = small(kd, "digits,train=0,baseline=0")
        config.networks.teacher.workdir = str(tmp_path / workdir)
        config.networks.teacher.source = source
        return config

    result = train.run(config(), tmp_path / "student")
    assert not caplog.records
    student = result["networks"]["student"]
    assert student["test"] == whole["networks"]["student"]["test"]
    figures = evaluated(tmp_path / "student")["networks"]
    assert figures["student"]["accuracy"] == student["test"]["accuracy"]

    with pytest.raises(UserError, match="Did you mean 'teacher'"):
        train.run(config("techer"), tmp_path / "a")
    with pytest.raises(UserError, match="is not a workdir"):
        train.run(config(workdir="nowhere"), tmp_path / "b")
    origin = result["restored"]["teacher"]
    assert origin["test"] == whole["networks"]["teacher"]["test"]
    assert origin["validation_images_seen"] == 0
    # A wrong name leaves nothing behind.
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()
    for key, value, message in (
        ("crop", True, "whose images are others: data.crop is False there and True here"),
        ("seed", 1, "of this run's test images: the split is another"),
    ):
        other = config()
        other.data[key] = value
        with pytest.raises(UserError, match=message):
            train.run(other, tmp_path / "e")
    split = json.loads((tmp_path / "whole" / "split.json").read_text())
    split["ids"]["validation"] += split["ids"]["test"][:5]
    (tmp_path / "whole" / "split.json").write_text(json.dumps(split))
    with pytest.raises(UserError, match="trained or selected on 5 of this run's test images"):
        train.run(config(), tmp_path / "f")
    record = json.loads((tmp_path / "whole" / "result.json").read_text())
    record["finished"] = False
    (tmp_path / "whole" / "result.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="whole has not finished"):
        train.run(config(), tmp_path / "d")


def test_a_teacher_that_changes_is_noticed_on_resume(tmp_path):
    def teacher(seed):
        config = small(ce)
        config.seed = seed
        return config

    def config():
        config = small(kd, "digits,train=0,baseline=0")
        config.networks.teacher.workdir = str(tmp_path / "teacher")
        config.networks.teacher.source = "student"
        return config

    train.run(teacher(0), tmp_path / "teacher")
    with pytest.raises(Interrupted):
        train.run(config(), tmp_path / "run", lambda step: step == 3)
    shutil.rmtree(tmp_path / "teacher")
    train.run(teacher(1), tmp_path / "teacher")
    with pytest.raises(UserError, match="network 'teacher' of .* has changed since .* began"):
        train.run(config(), tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"student": "nobody"}, "starts 'student' from 'nobody', which no earlier stage trains"),
        ({"nobody": "teacher"}, "unknown trained network in init_from"),
        ({"student": "teacher"}, "it needs a network of the same model"),
    ],
)
def test_wrong_starts_are_refused(change, message):
    config = small(kd)
    config.networks.teacher.model = "plain.plain4"
    with config.unlocked():
        config.stages.student.init_from = change
    with pytest.raises(UserError) as error:
        build.plan(config, 1)
    assert message in str(error.value)


def test_layers_that_learn_alone_must_be_there():
    config = small(ce)
    with config.unlocked():
        config.stages.student.only = {"student": ("Conv_9",)}
    with pytest.raises(UserError, match="unknown layer of network 'student' 'Conv_9'"):
        build.plan(config, 1)


def test_a_terms_projector_and_memory_are_resumed(tmp_path):
    def config():
        config = small(ce)
        with config.unlocked():
            own = parts.term("tests.own_terms", network="student", weight=0.1)
            config.stages.student.terms.own = own
        return config

    train.run(config(), tmp_path / "run")
    rest = next(tree for path, tree in values(tmp_path / "run").items() if "rest" in path)
    seen = [leaf for leaf in jax.tree.leaves(rest["terms"]) if leaf.dtype == np.int32]
    assert seen == [8 * 32]
    with pytest.raises(Interrupted):
        train.run(config(), tmp_path / "cut", lambda step: step == 3)
    train.run(config(), tmp_path / "cut")
    assert_same_run(tmp_path / "run", tmp_path / "cut")


def test_a_chain_that_loops_is_refused():
    """The assistant learns from the student, who learns from the assistant."""
    config = assistants.get_config("digits,baseline=0")
    config.stages.assistant_0.terms.soft.teacher = "student"
    with pytest.raises(UserError) as error:
        build.plan(config, 1)
    assert "stage 'assistant_0' reads network 'student', which no earlier stage trains" in str(
        error.value
    )
    assert "networks so far: teacher" in str(error.value)
    config = assistants.get_config("digits,baseline=0")
    config.stage_order = ("teacher", "student", "assistant_0")
    with pytest.raises(UserError, match="reads network 'assistant_0', which no earlier stage"):
        build.plan(config, 1)


def test_kernels_that_are_not_there_are_refused_with_those_that_are():
    from configs import nuclear

    config = small(nuclear)
    config.stages.student.terms.nuclear.kernel = "Conv_7/kernel"
    with pytest.raises(UserError, match=r"unknown kernel of network 'student'.*Conv_0/kernel"):
        build.plan(config, 1)
