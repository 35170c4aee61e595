"""The study of an imported teacher: its figures from results and exports."""

import pytest

from experiments import imported_teacher


def test_accuracies_are_paired_by_seed():
    alone, taught, int8 = (0.7, 0.8, 0.75), (0.8, 0.85, 0.86), (0.79, 0.85, 0.86)
    networks = {
        f"student@alpha={alpha}@seed={seed}": {"test": {"accuracy": values[seed]}}
        for alpha, values in (("0", alone), ("0.9", taught))
        for seed in range(3)
    }
    exports = {
        seed: {
            "rows": [
                {"name": "student, Flax compiled", "accuracy": taught[seed]},
                {"name": "student, ONNX Runtime int8", "accuracy": int8[seed]},
                {"name": "teacher, Flax compiled", "accuracy": 0.97},
            ]
        }
        for seed in range(3)
    }
    summary = imported_teacher.summarise({"networks": networks}, exports)
    assert summary["alone"]["mean"] == pytest.approx(75.0)
    assert summary["taught"]["against alone"]["mean"] == pytest.approx((10 + 5 + 11) / 3)
    assert summary["taught, int8"]["test"] == pytest.approx([79.0, 85.0, 86.0])
    assert summary["taught, int8"]["against taught"]["mean"] == pytest.approx(-1 / 3)
