"""Configs of runs that an earlier version of kdjax has made."""

import json

import pytest

from configs import kd
from kdjax.config import build
from kdjax.runs import saved_config, workdir
from kdjax.system.errors import UserError


def test_a_config_without_keys_that_came_later_has_their_defaults(tmp_path):
    config = kd.get_config("digits")
    text = saved_config.plain(config)
    for entry in text["networks"].values():
        for key in ("head", "other_data", "classes", "preprocessing", "quantise"):
            del entry[key]
    for entry in text["stages"].values():
        for key in ("trunk_rate", "running_statistics"):
            del entry[key]
    (tmp_path / "config.json").write_text(json.dumps(text))
    assert saved_config.plain(workdir.load_config(tmp_path)) == saved_config.plain(config)
    assert workdir.require_same(config, tmp_path) == {}
    assert build.plan(workdir.load_config(tmp_path), 1).stages


def test_a_split_that_does_not_say_whether_images_have_attributes(tmp_path):
    """The scores say it; other images are refused as ever."""
    data = build.plan(kd.get_config("digits"), 1).data
    workdir.record_split(tmp_path, data)
    path = tmp_path / "split.json"
    split = json.loads(path.read_text())
    del split["multi_label"]
    path.write_text(json.dumps(split))
    workdir.check_split(tmp_path, data)
    for key, several in (("attribute/Smiling", True), ("loss", False)):
        network = {"validation": None, "test": {"accuracy": 0.9, key: 0.9}}
        result = {"finished": True, "networks": {"student": network}, "stages": {}}
        (tmp_path / "result.json").write_text(json.dumps(result))
        assert workdir.is_multi_label(tmp_path) == several
    with pytest.raises(UserError, match="the data has changed since"):
        workdir.check_split(tmp_path, data._replace(content="other"))
