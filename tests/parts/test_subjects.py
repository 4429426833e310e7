"""Subjects: what is read from a file is true, and a file that can't or mustn't be used is refused with the next step."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
from pathlib import Path

import models
import numpy as np
import onnx
import pytest
from onnx import helper
from pydantic import ValidationError

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.errors import ModelError
from seatrial.testing import _models, subjects


def read(kind: str, folder: Path, **options: object) -> Artefact:
    part = catalog.find("subjects", kind)
    return catalog.load(part).read(catalog.options(part, options), folder)


def refusal(kind: str, folder: Path, **options: object) -> str:
    with pytest.raises(ModelError) as raised:
        read(kind, folder, **options)
    return str(raised.value)


class Bomb:
    """Runs `touch` when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("name", list(catalog.parts("subjects")))
def test_exam(name: str) -> None:
    subjects.exam(catalog.find("subjects", name))


def test_exam_finds_a_subject_that_ignores_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    part = catalog.find("subjects", "torch")
    module = catalog.load(part)
    honest = module._artefact
    monkeypatch.setattr(module, "_artefact", lambda files, *rest: honest({"code": files["code"]}, *rest))
    with pytest.raises(AssertionError, match=r"a change of weights.safetensors goes unseen"):
        subjects.exam(part)


# --- onnx --------------------------------------------------------------------------------------------------------------


def test_signature_is_read_with_types_shapes_and_names(tmp_path: Path) -> None:
    models.several(tmp_path / "m.onnx")
    signature = read("onnx", tmp_path, path="m.onnx").signature
    assert [(one.name, one.dtype, one.shape) for one in signature.inputs] == [
        ("tokens", "int64", (4,)),
        ("dense", "float16", (3,)),
    ]
    assert [(one.name, one.dtype, one.shape) for one in signature.outputs] == [
        ("scores", "float32", (3,)),
        ("longest", "int64", ()),
    ]
    assert signature.fixed_batch is None


def test_fixed_batch_is_read(tmp_path: Path) -> None:
    _models.mlp_file(tmp_path / "m.onnx", batch=4)
    assert read("onnx", tmp_path, path="m.onnx").signature.fixed_batch == 4


def test_weights_listed_as_inputs_are_no_inputs(tmp_path: Path) -> None:
    _models.mlp_file(tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    onnx.save(model, tmp_path / "m.onnx")
    assert [one.name for one in read("onnx", tmp_path, path="m.onnx").signature.inputs] == ["features"]


@pytest.mark.parametrize("opset", range(11, 21))
def test_opsets(tmp_path: Path, opset: int) -> None:
    _models.conv_file(tmp_path / "m.onnx", opset=opset)
    assert read("onnx", tmp_path, path="m.onnx").signature.outputs[0].shape == (10,)


def test_external_data_belongs_to_the_model(tmp_path: Path) -> None:
    data = models.external(tmp_path / "m.onnx")
    artefact = read("onnx", tmp_path, path="m.onnx")
    assert artefact.files["data:weights.bin"] == str(data)
    changed = bytearray(data.read_bytes())
    changed[3] ^= 1
    data.write_bytes(changed)
    assert read("onnx", tmp_path, path="m.onnx").hash != artefact.hash


@pytest.mark.parametrize(
    "how", ["hard link", "symbolic link", "parent folder", "absolute path", "missing", "too short"]
)
def test_external_data_that_leads_elsewhere_is_refused(tmp_path: Path, how: str) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(16))
    home = tmp_path / "home"
    home.mkdir()
    location = {"parent folder": "../secret.bin", "absolute path": str(secret)}.get(how, "data.bin")
    if how == "hard link":
        os.link(secret, home / "data.bin")
    elif how == "symbolic link":
        (home / "data.bin").symlink_to(secret)
    elif how == "too short":
        models.external(home / "model.onnx", "data.bin")
        (home / "data.bin").write_bytes(bytes(10))
    if how != "too short":
        models.pointing(home / "model.onnx", location)
    words = refusal("onnx", home, path="model.onnx")
    assert "external data" in words
    assert "next: put the data file beside the model" in words


def test_a_pickle_named_onnx_is_refused_and_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "it ran"
    (tmp_path / "model.onnx").write_bytes(pickle.dumps(Bomb(marker)))
    assert "pickle" in (words := refusal("onnx", tmp_path, path="model.onnx"))
    assert "torch.onnx.export" in words
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"GIF89a and so on", b"{}", b"\x08\x08"], ids=repr)
def test_what_is_no_onnx_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    assert "next:" in refusal("onnx", tmp_path, path="model.onnx")


def test_every_cut_of_a_file_is_refused(tmp_path: Path) -> None:
    _models.mlp_file(tmp_path / "whole.onnx")
    whole = (tmp_path / "whole.onnx").read_bytes()
    for size in (1, 10, 100, len(whole) // 2, len(whole) - 100, len(whole) - 1):
        (tmp_path / "cut.onnx").write_bytes(whole[:size])
        assert "next:" in refusal("onnx", tmp_path, path="cut.onnx"), size


def test_inputs_that_want_different_rows_are_refused(tmp_path: Path) -> None:
    ends = {"a": ("float32", (2, 3)), "b": ("float32", (4, 3))}
    nodes = [helper.make_node("Concat", ["a", "b"], ["y"], axis=0)]
    _models.onnx_file(tmp_path / "m.onnx", nodes, ends, {"y": ("float32", (6, 3))}, {})
    assert "different numbers of rows" in refusal("onnx", tmp_path, path="m.onnx")


def test_an_input_without_rows_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "c"], ["y"])]
    _models.onnx_file(
        tmp_path / "m.onnx", nodes, {"x": ("float32", ("rows", 3)), "c": ("float32", ())}, {"y": ("float32", ("rows", 3))}, {}
    )  # fmt: skip
    assert "`c` is a single number" in refusal("onnx", tmp_path, path="m.onnx")


def test_a_sequence_is_refused(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", 1, ["rows", 3])
    out = helper.make_tensor_sequence_value_info("y", 1, None)
    graph = helper.make_graph([helper.make_node("SequenceConstruct", ["x"], ["y"])], "g", [value], [out])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "m.onnx")
    assert "zipmap" in refusal("onnx", tmp_path, path="m.onnx")


# --- torch -------------------------------------------------------------------------------------------------------------


def torch_folder(folder: Path, code: str = "def build(**options): ...\n") -> Path:
    from safetensors.numpy import save_file

    (folder / "net.py").write_text(code)
    save_file({"w": np.zeros((2, 2), np.float32)}, folder / "w.safetensors")
    return folder


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"module": "net.py:build"},
        {"module": "net.py", "weights": "w.safetensors"},
        {"module": "net.py:build", "weights": "w.safetensors", "export": "m.pt2"},
    ],
    ids=repr,
)
def test_options_say_one_way(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        catalog.options(catalog.find("subjects", "torch"), options)


def test_arguments_are_part_of_the_identity(tmp_path: Path) -> None:
    folder = torch_folder(tmp_path)
    given = {"module": "net.py:build", "weights": "w.safetensors"}
    plain, wide, wider = (read("torch", folder, **given, arguments=a) for a in ({}, {"width": 2}, {"width": 3}))
    assert len({plain.hash, wide.hash, wider.hash}) == 3
    assert wide.entry == 'net.py:build {"width": 2}'


def test_a_module_in_a_package_is_found_without_importing_it(tmp_path: Path) -> None:
    torch_folder(tmp_path)
    package = tmp_path / "a_package_of_mine" / "inner"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text("raise SystemExit\n")
    shutil.copy(tmp_path / "net.py", package / "net.py")
    artefact = read("torch", tmp_path, module="a_package_of_mine.inner.net:build", weights="w.safetensors")
    assert artefact.files["code"] == str(package / "net.py")
    assert artefact.lineage.options == {"folder": str(tmp_path)}
    assert not any(name.startswith("a_package_of_mine") for name in sys.modules)


def test_a_module_that_isnt_there_is_said(tmp_path: Path) -> None:
    folder = torch_folder(tmp_path)
    assert "no Python module" in refusal("torch", folder, module="not.there:build", weights="w.safetensors")


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.pkl", "w.safetensors"])
def test_pickled_weights_are_refused_and_not_run(tmp_path: Path, name: str) -> None:
    folder, marker = torch_folder(tmp_path), tmp_path / "it ran"
    (folder / name).write_bytes(pickle.dumps(Bomb(marker)))
    words = refusal("torch", folder, module="net.py:build", weights=name)
    assert "pickled weights" in words
    assert "save_file(torch.load" in words
    assert not marker.exists()


def test_cut_weights_are_refused(tmp_path: Path) -> None:
    folder = torch_folder(tmp_path)
    whole = (folder / "w.safetensors").read_bytes()
    for size in (0, 4, 12, len(whole) - 1):
        (folder / "w.safetensors").write_bytes(whole[:size])
        refusal("torch", folder, module="net.py:build", weights="w.safetensors")


def test_an_exported_program_needs_trust_in_this_very_file(tmp_path: Path) -> None:
    file = tmp_path / "m.pt2"
    file.write_bytes(b"PK\x03\x04 a program")
    assert f"sha256sum {file}" in refusal("torch", tmp_path, export="m.pt2")
    trust = _models.sha256(file)
    assert read("torch", tmp_path, export="m.pt2", trust=trust).entry == "export"
    file.write_bytes(b"PK\x03\x04 another program")
    assert "isn't the trusted one" in refusal("torch", tmp_path, export="m.pt2", trust=trust)
