"""All measures together: they are found by their names and make one record."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest

from kdjax.evaluation import measures
from kdjax.system import discover
from tests.evaluation.measures import predictions

FOLDER = Path(measures.__file__).parent


@pytest.mark.parametrize("case", predictions.CASES.values(), ids=predictions.CASES)
def test_a_record_is_json_and_has_every_class_by_its_name(case):
    prediction, label = case
    names = tuple(f"name {index}" for index in range(prediction.logits.shape[1]))
    record = measures.against_labels(prediction, label, names)
    kind = "attributes" if prediction.multi_label else "classes"
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert list(record[kind]) == list(names)
    shares = ("precision", "recall", "f1")
    expected = {"average_precision", "accuracy"} if prediction.multi_label else set()
    assert all(row.keys() == {*shares, "support", *expected} for row in record[kind].values())


def test_labels_of_attributes_may_be_of_any_type():
    prediction, label = predictions.CASES["attributes"]
    names = tuple(map(str, range(24)))
    records = [
        measures.against_labels(prediction, label.astype(kind), names)
        for kind in (np.int64, np.uint8, np.float32, bool)
    ]
    assert records.count(records[0]) == 4


def test_a_file_in_the_folder_is_found_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "zero_logits.py").write_text(
        "from kdjax.evaluation.measures import Column\n"
        "COLUMNS = {'zeros': Column('zero logits')}\n"
        "def measure(prediction, label):\n"
        "    return {'zeros': int((prediction.logits == 0).sum())}\n"
        "def compare_features(student, teacher):\n"
        "    return {'zeros': int((student == 0).sum())}\n"
    )
    monkeypatch.setattr(measures, "__path__", [*measures.__path__, str(tmp_path)])
    prediction = measures.prediction(np.array([[0.0, 1.0]]), multi_label=False)
    record = measures.against_labels(prediction, np.array([1]), ("a", "b"))
    assert (record["zeros"], record["accuracy"]) == (1, 1.0)
    assert measures.columns()["zeros"].title == "zero logits"
    # Without the layer the measures of features are there, and None.
    assert measures.against_teacher(prediction, prediction, None)["zeros"] is None
    features = np.zeros((1, 3))
    similarity = measures.against_teacher(prediction, prediction, (features, features))
    assert (similarity["zeros"], similarity["cka"]) == (3, None)


@pytest.mark.parametrize("name", discover.names(measures.__name__))
def test_a_measure_has_a_test_and_is_a_function_of_plain_data(name):
    assert (Path(__file__).parent / f"test_{name}.py").exists()
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    own = {module for module in modules | names if module.split(".")[0] in ("kdjax", "jax")}
    assert own == {measures.__name__}
