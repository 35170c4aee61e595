"""Configs of runs that an earlier version of kdjax has made."""

import json

from configs import kd
from kdjax.config import build
from kdjax.runs import saved_config, workdir


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
