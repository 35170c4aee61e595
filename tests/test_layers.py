"""Who may import whom."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "kdjax").rglob("*.py"))


def imports(path):
    """Dotted names of everything that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def reaches(path, name):
    return any(i == name or i.startswith(f"{name}.") for i in imports(path))


def where(*names):
    return [f for f in FILES if any(reaches(f, name) for name in names)]


def relative(paths):
    return {str(path.relative_to(ROOT / "kdjax")) for path in paths}


@pytest.mark.parametrize("path", [f for f in FILES if f.parent.name == "losses"], ids=str)
def test_losses_import_only_jax_and_optax(path):
    for name in imports(path):
        assert name.split(".")[0] in ("jax", "optax")


PURE = [
    *(
        ROOT / "kdjax" / f"{name}.py"
        for name in (
            "program",
            "objective",
            "members",
            "step",
            "predict",
            "ensembles",
            "types",
            "schedules",
            "optim",
            "metrics",
        )
    ),
    *(ROOT / "kdjax" / "augment").glob("*.py"),
]


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.stem)
def test_the_pure_core_knows_no_config_flags_or_files(path):
    forbidden = ("ml_collections", "absl", "orbax", "flax", "pathlib", "os", "kdjax.data", "rich")
    for module in forbidden:
        assert not reaches(path, module), module


@pytest.mark.parametrize("path", [f for f in FILES if "data" in f.relative_to(ROOT).parts], ids=str)
def test_data_is_free_of_jax(path):
    assert not reaches(path, "jax")


def test_who_imports_what():
    assert relative(where("orbax")) == {"checkpoint.py"}
    assert relative(where("tensorflow")) == {"prepare.py"}
    assert relative(where("tensorflow_datasets")) == {
        "prepare.py",
        "data/tfds_source.py",
        "data/builders/aid.py",
    }
    assert relative(where("grain")) == {"data/stream.py", "feed.py"}
    assert relative(where("dm_pix")) == {"augment/colour.py"}
    assert relative(where("flax")) <= {
        f"models/{n}"
        for n in ("linen.py", "mnist.py", "plain.py", "resnet.py", "cifar_resnet.py", "six_conv.py")
    }
    assert relative(where("kdjax.train")) == {"main.py"}
    assert relative(where("ml_collections")) == {
        "build.py",
        "build_data.py",
        "build_sweep.py",
        "build_terms.py",
        "checks.py",
        "cli.py",
        "config_file.py",
        "effects.py",
        "main.py",
        "sweep.py",
        "train.py",
        "workdir.py",
    }
    assert relative(where("absl")) == {
        "cli.py",
        "main.py",
        "evaluate.py",
        "prepare.py",
        "report.py",
        "sweep.py",
    }
    assert {Path(path).parts[0] for path in relative(where("matplotlib"))} == {
        "charts",
        "report.py",
        "report_sections.py",
    }


@pytest.mark.parametrize(
    "path", [f for f in FILES if f.parent.name in ("charts", "figures")], ids=lambda p: p.stem
)
def test_figures_and_charts_are_functions_of_plain_data(path):
    for module in ("jax", "flax", "orbax", "ml_collections", "absl", "matplotlib.pyplot"):
        assert not reaches(path, module), module
    ours = {name for name in imports(path) if name.startswith("kdjax.")}
    known = (f"kdjax.{path.parent.name}", "kdjax.evaluation_records")
    assert all(name.startswith(known) for name in ours), ours


def test_stages_of_a_config_are_read_by_build_and_its_checks_alone():
    """Others hand it on, or copy single values into the record; `config_file` looks for keys."""
    readers = {
        f for f in FILES if "config.stages" in f.read_text() or "config.terms" in f.read_text()
    }
    assert relative(readers) == {"build.py", "checks.py", "config_file.py", "effects.py"}


def test_no_config_get_with_a_default():
    for path in [*FILES, *(ROOT / "configs").glob("*.py")]:
        assert "config.get(" not in path.read_text(), path


@pytest.mark.parametrize("path", FILES, ids=str)
def test_files_stay_small(path):
    assert len(path.read_text().splitlines()) <= 320
