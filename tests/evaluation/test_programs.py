"""What counts as the same answer, and what does not."""

import numpy as np
import pytest

from kdjax.data.store import Images
from kdjax.evaluation import programs
from kdjax.evaluation.programs import ImageSet, Program
from kdjax.system.errors import UserError

COUNT = 300


def softmax(logits):
    exponential = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponential / exponential.sum(axis=1, keepdims=True)


def answering(change=lambda logits: logits, *, multi_label=False):
    """A program whose logits are the first three pixels of an image, changed."""

    def run(image):
        logits = change(image.reshape(len(image), -1)[:, :3].astype(np.float32) / 16)
        to_probabilities = (lambda x: 1 / (1 + np.exp(-x))) if multi_label else softmax
        return {"logits": logits, "probabilities": to_probabilities(logits)}

    return run


def image_set(*, multi_label=False):
    image = np.random.default_rng(0).integers(0, 256, (COUNT, 2, 2, 1), dtype=np.uint8)
    # Ties are left out, but for those that a test makes.
    logits = image.reshape(COUNT, -1)[:, :3]
    image[:, 0, 0, 0] += (np.diff(np.sort(logits, axis=1), axis=1).min(axis=1) == 0).astype("u1")
    label = image.reshape(COUNT, -1)[:, :3].argmax(axis=1).astype(np.int32)
    label[:30] = (label[:30] + 1) % 3
    if multi_label:
        label = (image.reshape(COUNT, -1)[:, :3] > 0).astype(np.uint8)
    return ImageSet("test images", Images([image]), label, multi_label, image[:0])


def compared(change, *, multi_label=False, is_exact=True):
    """The row of a program with changed logits."""
    pair = [
        Program("network", answering(multi_label=multi_label), 2000),
        Program("file", answering(change, multi_label=multi_label), 1000, "network", is_exact),
    ]
    return programs.compare(pair, image_set(multi_label=multi_label))["file"]


def test_the_same_answers():
    row = compared(lambda logits: logits)
    assert row == {
        "kilobytes": 1.0,
        "accuracy": pytest.approx(0.9),
        "largest_difference": 0.0,
        "equal_predictions": 1.0,
    }


def test_differences_are_shares_of_the_largest_value():
    """Probabilities do not change where all logits do."""
    row = compared(lambda logits: logits + np.float32(1e-3))
    assert row["largest_difference"] == pytest.approx(1e-3 / (255 / 16), rel=0.05)


@pytest.mark.parametrize(
    "change",
    [
        lambda logits: logits * np.float32(1.001),
        lambda logits: logits[:, ::-1],
        lambda logits: np.where(np.arange(len(logits))[:, None] == 5, np.nan, logits),
    ],
    ids=["scaled", "turned", "nan"],
)
def test_other_answers_are_refused_and_shown_where_they_may_differ(change):
    with pytest.raises(UserError, match="file does not compute what network computes") as error:
        compared(change)
    assert "\n" not in str(error.value)
    row = compared(change, is_exact=False)
    assert row["largest_difference"] is None or row["largest_difference"] > 1e-4


def test_probabilities_that_do_not_belong_to_the_logits_are_refused():
    def run(image):
        outputs = answering()(image)
        return outputs | {"probabilities": outputs["probabilities"][:, ::-1]}

    pair = [Program("network", answering(), 1), Program("file", run, 1, "network", True)]
    with pytest.raises(UserError, match="predictions differ"):
        programs.compare(pair, image_set())


def test_a_tie_may_be_broken_either_way():
    """Both classes are right to rounding, so the file is."""

    def tied(logits):
        return np.stack([logits[:, 0], logits[:, 0], logits[:, 0] - 8], axis=1)

    def broken(logits):
        return tied(logits) + np.array([0, 1e-6, 0], np.float32) * (logits[:, :1] + 1)

    pair = [
        Program("network", answering(tied), 1),
        Program("file", answering(broken), 1, "network", True),
    ]
    row = programs.compare(pair, image_set())["file"]
    assert row["equal_predictions"] < 0.9


def test_a_single_class_is_the_answer_to_every_image():
    def run(image):
        logits = image.reshape(len(image), -1)[:, :1].astype(np.float32)
        return {"logits": logits, "probabilities": softmax(logits)}

    pair = [Program("network", run, 1), Program("file", run, 1, "network", is_exact=True)]
    assert programs.compare(pair, image_set())["file"]["equal_predictions"] == 1.0


def test_attributes_are_compared_one_by_one():
    """Of 3 x 300 decisions, those of one attribute differ where its sign does."""
    row = compared(
        lambda logits: logits * np.array([1, 1, -1], np.float32), multi_label=True, is_exact=False
    )
    assert row["equal_predictions"] == pytest.approx(2 / 3, abs=0.01)
    assert row["accuracy"] == pytest.approx(2 / 3, abs=0.01)


def test_images_without_labels_and_programs_without_logits_have_no_accuracy():
    images = image_set()._replace(label=None)
    rows = programs.compare([Program("network", answering(), 1)], images)
    assert rows["network"]["accuracy"] is None
    assert rows["network"]["largest_difference"] is None
    features = Program("features", lambda image: {"pooled": image}, 1)
    assert programs.compare([features], image_set())["features"]["accuracy"] is None


def test_times_are_of_the_batch():
    times = programs.times([Program("network", answering(), 1)], image_set())
    assert times["network"]["throughput_batch"] == 256
    assert times["network"]["latency_median"] > 0
    large = ImageSet("", Images([np.zeros((1, 65, 64, 1), np.uint8)]), None, False, np.zeros(0))
    assert large.batch_size == 32
