"""Images on disk and in memory, whole and in part."""

import pickle

import numpy as np
import pytest

from kdjax.data.store import Images


@pytest.fixture
def arrays():
    return [np.random.default_rng(i).integers(0, 256, (5 + i, 3, 3, 2), np.uint8) for i in (0, 1)]


@pytest.fixture(params=["memory", "disk", "both"])
def sources(request, arrays, tmp_path):
    paths = [tmp_path / f"{index}.npy" for index in (0, 1)]
    for path, array in zip(paths, arrays, strict=True):
        np.save(path, array)
    return {"memory": arrays, "disk": paths, "both": [paths[0], arrays[1]]}[request.param]


def test_rows_are_those_of_one_array(arrays, sources):
    whole = np.concatenate(arrays)
    first, second = Images(sources[:1]), Images(sources[1:])
    joined = first.join(second)
    assert joined.shape == whole.shape
    assert joined.nbytes == whole.nbytes
    np.testing.assert_array_equal(joined.read(), whole)
    rows = np.array([10, 0, 4, 5, 5])
    np.testing.assert_array_equal(joined.read(rows), whole[rows])
    chosen = joined.select(rows)
    np.testing.assert_array_equal(chosen.read(np.array([3, 0])), whole[rows][[3, 0]])
    np.testing.assert_array_equal(chosen.select(np.array([1])).join(first).read()[0], whole[0])
    np.testing.assert_array_equal(Images(sources).read(slice(4, 7)), whole[4:7])


def test_what_is_pickled_are_names_of_files(tmp_path):
    path = tmp_path / "big.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (50, 64, 64, 3), np.uint8))
    chosen = Images([path]).select(np.array([7, 3]))
    content = pickle.dumps(chosen)
    assert len(content) < 2000
    np.testing.assert_array_equal(pickle.loads(content).read(), chosen.read())
