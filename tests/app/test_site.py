"""The folder of pages: its data are those of the evaluation, and nothing foreign is touched."""

import json
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs import base
from kdjax import serve_app
from kdjax.app import demo, networks, results, server, site, strip, web_runtime
from kdjax.evaluation import run_evaluation, tables
from kdjax.interchange import onnx_file
from kdjax.runs import workdir
from kdjax.system.errors import UserError
from tests.app.conftest import write_runtime
from tests.helpers import evaluated


@pytest.fixture(scope="module")
def evaluation(pages):
    return run_evaluation.evaluate(pages.directory, run_evaluation.Options(timing=False))


def load(pages, name):
    return json.loads((pages.folder / name).read_text())


def test_images_labels_and_probabilities_are_those_of_the_evaluation(pages, evaluation):
    data = load(pages, "runs/0/compare.json")
    final = ["teacher", "peer_0", "peer_1"]
    chosen = strip.choose(evaluation, final, pages.options.images)
    places = [*chosen["telling"], *chosen["spread"]]
    images = np.fromfile(pages.folder / "runs/0/images.bin", np.uint8)
    shape = (len(places), *data["image_shape"])
    np.testing.assert_array_equal(images.reshape(shape), evaluation.split.image.read(places))
    assert data["images"]["labels"] == evaluation.split.label[places].tolist()
    assert data["images"]["telling"] == len(chosen["telling"])
    assert [n["name"] for n in data["networks"] if n["final"]] == final
    after = ["peer_0 after peer_0", "peer_1 after peer_1"]
    assert {n["name"] for n in data["networks"]} == {*final, *after}
    for network in data["networks"]:
        logits = evaluation.predictions[network["name"]].logits[places].astype(np.float64)
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        assert np.array(network["probabilities"]) == pytest.approx(shares, abs=1e-9)
        assert network["accuracy"] == evaluation.record["networks"][network["name"]]["accuracy"]


def test_exported_networks_answer_as_the_evaluation(pages, evaluation):
    data = load(pages, "runs/0/compare.json")
    images = np.fromfile(pages.folder / "runs/0/images.bin", np.uint8)
    images = images.reshape(-1, *data["image_shape"])
    for network in data["networks"]:
        assert network["layers"] == networks.map_layers(evaluation, network["name"])
        exported = onnx_file.read(pages.folder / "runs" / "0" / network["file"])
        outputs = exported.run(images)
        assert [*outputs] == ["logits", "probabilities", *network["layers"]]
        assert outputs["probabilities"] == pytest.approx(
            np.array(network["probabilities"]), abs=1e-5
        )
        # A network of another stage has its own variables and its own provenance.
        origin = exported.metadata["provenance"]
        assert origin["stage"] == evaluation.record["networks"][network["name"]]["stage"]


def test_results_are_the_tables_and_the_record_of_the_evaluation(pages):
    page = load(pages, "results.json")
    record = evaluated(pages.directory)
    own = [table._asdict() for table in tables.tables([record])]
    assert [table["title"] for table in page["tables"]] == [table["title"] for table in own]
    for shown, table in zip(page["tables"], own, strict=True):
        if shown["title"] != "Cost":  # Times were measured once.
            assert shown == table
    (sizes,) = page["sizes"]
    assert {point["network"]: point["accuracy"] / 100 for point in sizes["points"]} == {
        name: pytest.approx(record["networks"][name]["accuracy"])
        for name in ("teacher", "peer_0", "peer_1")
    }
    (agreement,) = page["agreement"]
    assert agreement["matrix"] == record["agreement"]["matrix"]
    (history,) = page["histories"]
    assert [network["network"] for network in history["networks"]] == ["peer_0", "peer_1"]
    for network in history["networks"]:
        name = network["network"]
        before = record["networks"][f"{name} after {name}"]["accuracy"]
        after = record["networks"][name]["accuracy"]
        assert network["accuracies"] == [100 * before, 100 * after]


def test_sweeps_have_a_line_over_one_axis_and_cells_over_two():
    def setting(axes, test):
        return {"network": "student", "axes": axes, "seeds": [0, 1], "validation": [], "test": test}

    one_axis = [setting({"alpha": 0.1}, [80.0, 82.0]), setting({"alpha": 0.9}, [90.0, 91.0])]
    (chart,) = results.sweep_charts(one_axis)
    assert (chart["axes"], chart["split"]) == (["alpha"], "test")
    assert [cell["mean"] for cell in chart["cells"]] == [81.0, 90.5]
    assert [cell["lowest"] for cell in chart["cells"]] == [80.0, 90.0]
    two_axes = [setting({"alpha": 0.1, "temperature": 4.0}, [80.0, 82.0])]
    assert results.sweep_charts(two_axes)[0]["cells"][0]["values"] == [0.1, 4.0]
    words = [setting({"temperature": "cosine(4, 1)"}, [80.0, 82.0])]
    assert results.sweep_charts(words) == []


def test_pages_are_written_again_only_if_something_has_changed(pages, tmp_path):
    directories, folder = [pages.directory], pages.folder
    assert site.is_current(folder, directories, pages.options)
    assert not site.is_current(folder, directories, pages.options._replace(images=3))
    assert not site.is_current(folder, [*directories, *directories], pages.options)
    assert not site.is_current(tmp_path, directories, pages.options)
    # As after another training.
    result = pages.directory / "result.json"
    text = result.read_text()
    try:
        result.write_text(text.replace('"finished": true', '"finished": false'))
        assert site.fingerprint(directories, pages.options) == ""
        assert not site.is_current(folder, directories, pages.options)
    finally:
        result.write_text(text)


@pytest.mark.parametrize("path", [None, "labelled"])
def test_imports_are_evaluated_on_the_images_at_path(path, tmp_path, monkeypatch):
    config = base.get_config(method=workdir.IMPORT, dataset="folder")
    workdir.write_config(config, tmp_path)
    chosen = []
    monkeypatch.setattr(
        run_evaluation, "evaluate", lambda _, options, kept: chosen.append(options.on)
    )
    options = site.Options(path=path)
    if path is None:
        with pytest.raises(UserError, match="with --path=PATH"):
            site._evaluate(tmp_path, options, finished=True)
    else:
        site._evaluate(tmp_path, options, finished=True)
        assert chosen == [path]


def test_a_folder_of_something_else_is_refused(tmp_path, fake_runtime, monkeypatch):
    monkeypatch.setenv("KDJAX_WEB", str(fake_runtime))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_text("mine")
    with pytest.raises(UserError, match="photos has other files: name a new or an empty folder"):
        site.begin(tmp_path / "photos")
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.png"]
    site.begin(tmp_path / "pages")
    (tmp_path / "pages" / "runs").mkdir()
    site.begin(tmp_path / "pages")
    assert {path.name for path in (tmp_path / "pages" / "runtime").iterdir()} == {
        *web_runtime.FILES,
        "LICENSE.txt",
    }
    assert not (tmp_path / "pages" / "runs").exists()


def test_a_missing_runtime_is_one_line_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("KDJAX_WEB", str(tmp_path))
    command = f"npm install --prefix {tmp_path} onnxruntime-web@{web_runtime.VERSION}"
    with pytest.raises(UserError) as error:
        web_runtime.find()
    assert str(error.value) == f"browsers run networks with onnxruntime-web: {command}"
    write_runtime(tmp_path, "1.99.0")
    with pytest.raises(UserError, match=f"has version 1.99.0, and pages need 1.30; .*{command}"):
        web_runtime.find()


def test_the_runtime_is_found_in_the_current_folder_and_then_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("KDJAX_WEB", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    cache = tmp_path / "cache" / "kdjax" / "web"
    write_runtime(cache, "1.30.2")
    assert web_runtime.find() == cache / "node_modules" / "onnxruntime-web" / "dist"
    write_runtime(tmp_path, "1.30.0")
    assert web_runtime.find().resolve() == tmp_path / "node_modules" / "onnxruntime-web" / "dist"


@pytest.fixture
def command(monkeypatch, fake_runtime):
    """`command(**flags)` runs `kdjax app`, and returns the folders of servers that it started."""
    monkeypatch.setenv("KDJAX_WEB", str(fake_runtime))
    served: list[Any] = []

    class Started:
        url = "http://127.0.0.1:1/"

        def serve_forever(self):
            raise KeyboardInterrupt

        def server_close(self):
            served[-1] = (*served[-1], "closed")

    def start(folder, port, refresh):
        served.append((folder, port))
        return Started()

    monkeypatch.setattr(server, "start", start)

    def run(**values):
        given = dict.fromkeys(("workdir", "port", "out", "data_dir", "path")) | values
        flag = types.SimpleNamespace(**({"images": 12, "networks": []} | given))
        monkeypatch.setattr(serve_app.flags, "FLAGS", flag)
        serve_app.main()
        return served

    return run


def test_current_pages_are_served_at_once_until_ctrl_c(pages, command, capsys, monkeypatch):
    monkeypatch.setattr(site, "write", None)
    target = pages.directory / "app"
    monkeypatch.setattr(site, "is_current", lambda folder, *_: folder == target)
    assert command(workdir=[str(pages.directory)], port=8123) == [(target, 8123, "closed")]
    assert capsys.readouterr().out == "http://127.0.0.1:1/ (Ctrl-C ends it)\n\n"


def test_without_a_workdir_the_demo_is_trained_and_shown(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls: list[Any] = []

    def write(folder, runs, _, served):
        calls.append((folder, runs, served))
        return {}

    monkeypatch.setattr(demo, "run", lambda: calls.append("trained"))
    monkeypatch.setattr(site, "write", write)
    command()
    assert calls == ["trained", (demo.DIRECTORY / "app", [demo.DIRECTORY], True)]


def test_a_demo_of_another_version_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    demo.DIRECTORY.mkdir(parents=True)
    config = {"data": {"name": "digits"}, "networks": {}, "stages": {}, "stage_order": []}
    (demo.DIRECTORY / "config.json").write_text(json.dumps(config | {"method": "kd"}))
    with pytest.raises(UserError, match="of another version of kdjax: remove that folder"):
        demo.run()


def test_scripts_install_the_version_that_pages_need():
    root = Path(__file__).parents[2]
    for script in ("launch.sh", ".ci/run"):
        assert f"onnxruntime-web@{web_runtime.VERSION}" in (root / script).read_text()


def test_a_folder_for_a_file_host_is_written_and_not_served(command, tmp_path, monkeypatch):
    calls: list[Any] = []

    def write(folder, _, options, served):
        calls.append((folder, options.images, served))
        return {}

    monkeypatch.setattr(site, "write", write)
    assert command(workdir=[str(tmp_path)], out=str(tmp_path / "out")) == []
    assert calls == [(tmp_path / "out", 12, False)]


def test_a_folder_that_is_no_workdir_is_one_line(command, tmp_path):
    with pytest.raises(UserError, match="is not a workdir: it has no config.json"):
        command(workdir=[str(tmp_path / "none")])
    assert [*tmp_path.iterdir()] == []
