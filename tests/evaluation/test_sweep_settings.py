"""The sentence that a sweep ends with says what its records say, whatever came out."""

import json

import pytest

from kdjax.evaluation import statistics, sweep_settings

RESULT = {"data": {"examples": {"train": 1234}}, "restored": {}}
ALONE = [90.0, 91.0, 92.0]


def setting(network, test, *, validation=(90.0,), axes=None):
    """A setting whose differences are from `ALONE`."""
    paired = statistics.paired(test, ALONE[: len(test)]) if network != "baseline" else None
    return {
        "network": network,
        "axes": axes or {},
        "seeds": list(range(len(test))),
        "validation": list(validation),
        "test": test,
        "mean": sum(test) / len(test),
        "against_baseline": paired._asdict() if paired else None,
    }


BASELINE = setting("baseline", ALONE)


def test_a_gain_is_more_with_its_interval():
    student = setting("student", [92.0, 93.1, 93.9])
    low, high = statistics.paired(student["test"], ALONE).interval
    assert low > 0
    assert sweep_settings.sentence([student, BASELINE], RESULT) == (
        "Trained on 1,234 images, the student reaches 93.00 % test accuracy, 2.00 points "
        f"[{low:.2f}, {high:.2f}] more than the baseline, which learns alone (95 % interval over "
        "3 seeds, on the same images)."
    )


def test_a_loss_is_less_and_its_interval_has_no_minus():
    student = setting("student", [88.0, 89.1, 89.9])
    low, high = statistics.paired(student["test"], ALONE).interval
    assert high < 0
    said = sweep_settings.sentence([student, BASELINE], RESULT)
    assert f", 2.00 points [{-high:.2f}, {-low:.2f}] less than the baseline" in said


@pytest.mark.parametrize("noise", [0.5, -0.5])
def test_a_difference_that_may_be_zero_is_no_gain(noise):
    student = setting("student", [90.0 + noise, 91.0 + 2 * noise, 92.0 - noise])
    low, high = statistics.paired(student["test"], ALONE).interval
    assert low < 0 < high
    said = sweep_settings.sentence([student, BASELINE], RESULT)
    assert "3 seeds cannot tell whether that is more or less than the baseline" in said
    assert f"[{low:+.2f}, {high:+.2f}]" in said
    assert " points more" not in said


def test_equal_differences_have_no_interval():
    student = setting("student", [89.9999999, 90.9999999, 91.9999999])
    said = sweep_settings.sentence([student, BASELINE], RESULT)
    assert "is +0.00 points for each of 3 seeds, so that its interval is unknown." in said


def test_the_best_setting_is_chosen_on_validation_and_not_on_test():
    settings = [
        setting("student", [95.0, 96.1, 97.0], validation=[80.0], axes={"alpha": 0.1}),
        setting("student", [92.0, 93.1, 93.9], validation=[85.0], axes={"alpha": 0.9}),
        BASELINE,
    ]
    said = sweep_settings.sentence(settings, RESULT)
    assert "the student (alpha=0.9, best of 2 on validation) reaches 93.00 %" in said
    for one in settings:
        one["validation"] = []
    assert sweep_settings.sentence(settings, RESULT) == ""
    # There is nothing to choose between a setting and itself.
    assert "reaches 93.00 %" in sweep_settings.sentence(settings[1:], RESULT)


def test_one_seed_or_no_baseline_is_no_sentence():
    assert sweep_settings.sentence([setting("student", [92.0]), BASELINE], RESULT) == ""
    assert sweep_settings.sentence([BASELINE], RESULT) == ""


def test_the_teacher_of_another_run_is_named_with_its_images(tmp_path):
    student = setting("student", [92.0, 93.1, 93.9])
    result = RESULT | {"restored": {"teacher": {"workdir": str(tmp_path)}}}
    moved = sweep_settings.sentence([student, BASELINE], result)
    assert moved.startswith("Trained on 1,234 images, the student")
    other = {
        **{"networks": {}, "stages": {}, "finished": True},
        "data": {"examples": {"train": 5678}},
    }
    (tmp_path / "result.json").write_text(json.dumps(other))
    said = sweep_settings.sentence([student, BASELINE], result)
    assert said.startswith("Trained on 1,234 images (the teacher: on 5,678), the student")
