"""What `inspect` says of model files: the exam for each format, real files of the libraries that write them, and hostile ones."""

from __future__ import annotations

import gzip
import json
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from seatrial import catalog
from seatrial.apps.cli import main
from seatrial.contracts.inspection import Bounds, Inspection
from seatrial.errors import ModelError, StudyError
from seatrial.flow import inspecting
from seatrial.flow._limits import limits as limits_of
from seatrial.testing import _models
from seatrial.testing._format_samples import IR, KERAS, npy, sample, skops_node, zipped
from seatrial.testing.formats import exam

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import _planted

FORMATS = catalog.parts("formats")


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "it ran"


def looked(folder: Path, name: str, content: bytes, **limits: str) -> Inspection:
    (folder / name).write_bytes(content)
    return inspecting.inspect(folder / name, limits_of(Bounds, limits))


def dangers(found: Inspection) -> str:
    return " | ".join(f"{one.what}: {one.detail} ({one.executes})" for one in found.dangers)


@pytest.mark.parametrize("part", FORMATS.values(), ids=FORMATS)
def test_formats_sit_their_exam(part):
    exam(part)


@pytest.mark.parametrize("name", FORMATS)
def test_each_sample_is_recognised_by_one_format_alone(tmp_path, name):
    file = sample(name, tmp_path)
    start = file.read_bytes()[:4096]
    assert [one for one, part in FORMATS.items() if catalog.load(part).recognises(file, start)] == [name]


# --- what libraries write -------------------------------------------------------------------------------------------------


def test_an_onnx_file_is_told_whole(tmp_path):
    _models.mlp_file(tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    model.producer_name, model.doc_string = "me", "x" * 5000
    model.metadata_props.add(key="licence", value="MIT")
    onnx.save(model, tmp_path / "m.onnx")
    found = inspecting.inspect(tmp_path / "m.onnx")
    assert (found.format, found.summary, found.operators) == ("onnx", "me", {"Gemm": 2, "Relu": 1})
    assert found.parameters == sum(int(np.prod(one.dims)) for one in model.graph.initializer)
    assert found.inputs[0].shape == ("rows", 32)
    assert found.metadata["licence"] == "MIT"
    assert "5000 characters" in found.metadata["doc_string"]
    assert not found.runs_code


def test_operators_in_branches_are_counted_and_foreign_ones_told(tmp_path):
    inner = helper.make_node("Magic", ["x"], ["y"], domain="org.example")
    python = helper.make_node("PythonOp", ["x"], ["y"], domain="com.microsoft")
    branches = [
        helper.make_graph([node], "b", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])
        for node in (inner, python)
    ]
    node = helper.make_node("If", ["c"], ["z"], then_branch=branches[0], else_branch=branches[1])
    values = [
        helper.make_tensor_value_info("c", TensorProto.BOOL, [1]),
        helper.make_tensor_value_info("z", TensorProto.FLOAT, [1]),
    ]
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("org.example", 1)])
    found = looked(tmp_path, "m.onnx", model.SerializeToString())
    assert found.operators == {"If": 1, "com.microsoft.PythonOp": 1, "org.example.Magic": 1}
    assert "custom operators: 1 of the domain `org.example`: Magic (with code from elsewhere)" in dangers(found)
    assert "embedded code: 1 times; calls Python (when loaded)" in dangers(found)


@pytest.mark.parametrize(
    ("way", "problem"),
    [("plain", ""), ("absent", "it isn't there"), ("link", "symbolic link"), ("hard", "hard link"), ("out", "outside")],
)
def test_data_beside_a_model_is_hashed_or_told_why_not(tmp_path, way, problem):
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="../secret" if way == "out" else "w.bin")
    value = helper.make_tensor_value_info("w", TensorProto.FLOAT, [4])
    model = helper.make_model(helper.make_graph([], "g", [], [value], [weight]))
    (tmp_path / "secret").write_bytes(bytes(16))
    folder = tmp_path / "in"
    folder.mkdir()
    if way == "link":
        (folder / "w.bin").symlink_to(tmp_path / "secret")
    elif way == "hard":
        (folder / "w.bin").hardlink_to(tmp_path / "secret")
    elif way == "plain":
        (folder / "w.bin").write_bytes(bytes(16))
    found = looked(folder, "m.onnx", model.SerializeToString())
    (file,) = found.beside
    assert problem in file.problem
    assert bool(file.sha256) == (way == "plain")
    assert found.runs_code == (way in ("link", "hard", "out"))
    assert found.parameters == 4


def test_what_torch_writes(tmp_path, mark):
    import torch

    torch.save({"w": torch.zeros(3), "n": 1}, tmp_path / "w.pt")
    found = inspecting.inspect(tmp_path / "w.pt")
    assert found.format == "torch_archive"
    assert "only what a state dict of tensors needs" in dangers(found)
    for legacy in (False, True):
        torch.save({"x": _planted.Payload(mark)}, tmp_path / "evil.pt", _use_new_zipfile_serialization=not legacy)
        assert "io.open" in dangers(inspecting.inspect(tmp_path / "evil.pt"))
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "s.pt")
    assert "TorchScript" in dangers(inspecting.inspect(tmp_path / "s.pt"))
    torch.export.save(torch.export.export(torch.nn.Linear(2, 2), (torch.ones(1, 2),)), tmp_path / "m.pt2")
    found = inspecting.inspect(tmp_path / "m.pt2")
    assert found.format == "exported_program"
    assert any("linear" in name for name in found.operators)
    assert "loading evaluates" in dangers(found)
    assert not mark.exists()


def test_what_safetensors_and_numpy_write(tmp_path, mark):
    from safetensors.numpy import save_file

    save_file(
        {"b": np.ones(3, np.float32), "a": np.zeros((0, 4)), "c": np.zeros((2, 2), np.int8)}, tmp_path / "w.safetensors"
    )
    found = inspecting.inspect(tmp_path / "w.safetensors")
    assert found.precision == {"int8": 4, "float32": 3, "float64": 0}
    assert not found.runs_code
    np.savez(tmp_path / "x.npz", x=np.ones(3), y=np.array([_planted.Payload(mark)], object))
    found = inspecting.inspect(tmp_path / "x.npz")
    assert [one.dtype for one in found.arrays] == ["float64", "object"]
    assert "allow_pickle" in dangers(found)
    assert not mark.exists()


def test_what_skops_writes(tmp_path):
    import skops.io
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(np.eye(4), [0, 1, 0, 1])
    skops.io.dump(model, tmp_path / "m.skops")
    found = inspecting.inspect(tmp_path / "m.skops")
    assert found.operators == {"sklearn.linear_model._logistic.LogisticRegression": 1}
    assert not found.runs_code
    evil = skops_node() | {"__module__": "os", "__class__": "system"}
    found = looked(tmp_path, "evil.skops", zipped({"schema.json": json.dumps(evil).encode(), "1.npy": npy(np.ones(1))}))
    assert "os.system" in dangers(found)


def test_what_openvino_and_litert_write(tmp_path):
    import openvino as ov

    _models.mlp_file(tmp_path / "m.onnx")
    ov.save_model(ov.convert_model(tmp_path / "m.onnx"), tmp_path / "m.xml", compress_to_fp16=False)
    found = inspecting.inspect(tmp_path / "m.xml")
    assert found.format == "openvino_ir"
    assert found.operators["MatMul"] == 2
    assert [one.name for one in found.inputs] == ["features"]
    assert found.beside[0].sha256
    assert not found.runs_code
    (tmp_path / "m.bin").write_bytes(b"short")
    assert any("cut off" in note for note in inspecting.inspect(tmp_path / "m.xml").notes)


def test_a_flat_buffer_of_a_whole_model(tmp_path):
    flatbuffers = pytest.importorskip("flatbuffers")
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.description = 3, "mine"
    codes = [schema.OperatorCodeT() for _ in range(2)]
    codes[0].builtinCode = codes[0].deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    codes[1].builtinCode = codes[1].deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    codes[1].customCode = "Evil"
    buffers = [schema.BufferT() for _ in range(2)]
    buffers[1].data = np.zeros(12, np.uint8)
    tensors = [schema.TensorT() for _ in range(2)]
    for one, name, shape, at in zip(tensors, ("x", "w"), ([1, 4], [3, 4]), (0, 1), strict=True):
        one.name, one.shape, one.buffer, one.type = name, np.array(shape, np.int32), at, schema.TensorType.INT8
    operators = [schema.OperatorT() for _ in range(3)]
    for one, code in zip(operators, (0, 0, 1), strict=True):
        one.opcodeIndex = code
    graph.tensors, graph.operators, graph.inputs, graph.outputs = (
        tensors,
        operators,
        np.array([0], np.int32),
        np.array([0], np.int32),
    )
    model.operatorCodes, model.buffers, model.subgraphs = codes, buffers, [graph]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    found = looked(tmp_path, "m.tflite", bytes(builder.Output()))
    assert found.operators == {"FULLY_CONNECTED": 2, "custom: Evil": 1}
    assert (found.precision, found.inputs[0].shape, found.summary) == ({"int8": 12}, (1, 4), "mine")
    assert "Evil" in dangers(found)


def test_names_of_lite_operators_are_those_of_the_schema():
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    part = catalog.load(FORMATS["tflite"])
    for number, name in part.OPERATORS.items():
        assert getattr(schema.BuiltinOperator, name) == number
    assert schema.BuiltinOperator.CUSTOM == part.CUSTOM
    named = {value: name for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
    for number, name in enumerate(part.TYPES):
        assert named[number].lower() == {"text": "string"}.get(name, name)


def test_layers_of_keras_that_bring_code(tmp_path):
    config = {"class_name": "Functional", "module": "keras", "config": [{"class_name": "Lambda", "config": "4wEAA"}]}
    config["config"].append({"class_name": "Mine", "module": "my_package.layers"})
    found = looked(tmp_path, "m.keras", zipped(KERAS | {"config.json": json.dumps(config).encode()}))
    assert "Lambda (1)" in dangers(found)
    assert "my_package.layers (1)" in dangers(found)


# --- pickles ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("packed", [False, True])
def test_a_pickle_is_listed_and_not_run(tmp_path, mark, protocol, packed):
    content = pickle.dumps(_planted.Payload(mark), protocol)
    found = looked(tmp_path, "m.joblib", gzip.compress(content) if packed else content)
    assert found.format == "pickle"
    assert "io.open" in dangers(found) or "builtins.open" in dangers(found) or "__builtin__.open" in dangers(found)
    assert not mark.exists()


def test_names_that_are_put_together_on_the_way_are_told_as_hidden(tmp_path):
    hidden = b"\x80\x04N\x93."  # STACK_GLOBAL without texts before it
    assert "put together while it runs" in dangers(looked(tmp_path, "m.pkl", hidden))


def test_a_pickle_without_end_is_cut_off(tmp_path):
    found = looked(tmp_path, "m.pkl", b"\x80\x04" + b"N0" * 3000 + b".", steps="2000")
    assert "cut off after 2000" in found.notes[0]
    bomb = gzip.compress(b"\x80\x04" + b"N" * 2**24 + b".")
    assert "cut off" in looked(tmp_path, "b.pkl", bomb, steps="10_000").notes[0]
    huge = b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x"
    assert looked(tmp_path, "h.pkl", huge).notes


# --- bombs and lies ----------------------------------------------------------------------------------------------------------


def test_archives_that_are_bombs_are_refused_and_limits_can_be_set(tmp_path):
    bomb = zipped({"m/data.pkl": b"\x80\x04N.", "m/data/0": bytes(2**20)}, zipfile.ZIP_DEFLATED)
    assert looked(tmp_path, "w.pt", bomb).format == "torch_archive"
    with pytest.raises(ModelError, match="as bombs do") as refused:
        looked(tmp_path, "w.pt", bomb, small="1 KiB")
    assert "--limit growth=VALUE" in refused.value.next_step
    assert looked(tmp_path, "w.pt", bomb, small="1 KiB", growth="2000").members == 2
    with pytest.raises(ModelError, match="would unpack to"):
        looked(tmp_path, "w.pt", bomb, unpacked="1000")
    with pytest.raises(ModelError, match="2 members, more than 1"):
        looked(tmp_path, "w.pt", bomb, members="1")


@pytest.mark.parametrize("name", ["../out", "/abs", "a\\..\\..\\b"])
def test_members_that_lead_out_are_refused(tmp_path, name):
    with pytest.raises(ModelError, match="leads out"):
        looked(tmp_path, "m.zip", zipped({name: b"x"}))


def test_members_that_are_links_repeat_or_overlap_are_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "l.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ModelError, match="symbolic link"):
        inspecting.inspect(tmp_path / "l.zip")
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("a", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", "2")
    with pytest.raises(ModelError, match="repeat"):
        inspecting.inspect(tmp_path / "r.zip")
    content = bytearray(zipped({"a": bytes(3000), "b": bytes(3000)}))
    second = content.rindex(b"PK\x01\x02") + 42
    content[second : second + 4] = bytes(4)  # both entries of the directory point at the first member
    with pytest.raises(ModelError, match="over one another"):
        looked(tmp_path, "o.zip", bytes(content))


def test_a_billion_laughs_in_xml_are_refused_unexpanded(tmp_path):
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    text = f'<?xml version="1.0"?><!DOCTYPE net [<!ENTITY l0 "ha">{laughs}]><net name="&l11;"></net>'
    with pytest.raises(ModelError, match="as bombs do"):
        looked(tmp_path, "m.xml", text.encode())
    deep = IR.replace("</layers>", "<a>" * 300 + "</a>" * 300 + "</layers>")
    with pytest.raises(ModelError, match="nest too deeply"):
        looked(tmp_path, "m.xml", deep.encode())


def test_shapes_that_cannot_be_true_are_refused(tmp_path):
    header = json.dumps({"w": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}).encode()
    with pytest.raises(ModelError, match="can't be true"):
        looked(tmp_path, "w.safetensors", struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(ModelError, match="can't be true"):
        looked(tmp_path, "m.xml", IR.replace('shape="4, 2"', 'shape="99999999999,99999999999"').encode())
    _models.mlp_file(tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    model.graph.initializer[0].dims[:] = [2**40, 2**40]
    with pytest.raises(ModelError, match="can't be true"):
        looked(tmp_path, "m.onnx", model.SerializeToString())


@pytest.mark.parametrize("depth", [300, 100_000])
def test_json_that_nests_without_end_is_refused(tmp_path, depth):
    deep = b'{"content":' * depth + b"1" + b"}" * depth
    for name, members in {"m.skops": {"schema.json": deep}, "m.keras": KERAS | {"config.json": deep}}.items():
        with pytest.raises(ModelError):
            looked(tmp_path, name, zipped(members))


# --- the command -------------------------------------------------------------------------------------------------------------


def told(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main.main(["inspect", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


def test_exit_codes_say_whether_it_can_run_code(tmp_path, capsys, mark):
    sound, evil = sample("safetensors", tmp_path), tmp_path / "evil.pkl"
    evil.write_bytes(_planted.pickled(mark, "4"))
    code, out, _ = told(capsys, sound)
    assert code == 0
    assert "float32" in out
    assert "Nothing in it was found that runs code" in out
    code, out, _ = told(capsys, evil)
    assert code == 1
    assert "Loading it can run code" in out
    code, out, _ = told(capsys, evil, "--json")
    assert code == 1
    assert json.loads(out)["runs_code"] is True
    (tmp_path / "noise").write_bytes(b"\x01\x02 noise")
    for wrong in (tmp_path / "noise", tmp_path / "absent", tmp_path):
        code, out, err = told(capsys, wrong)
        assert (code, out) == (4, "")
        assert "next:" in err
    for wrong in ("depth", "depht=4", "depth=x", "unpacked=-1", "growth=nan"):
        code, _, err = told(capsys, sound, "--limit", wrong)
        assert code == 2, err
    assert not mark.exists()


def test_what_a_file_says_of_itself_moves_no_terminal(tmp_path, capsys):
    text = b'{"__metadata__":{"a\\u001b[2J":"\\u001b[31mred"}}'
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    code, out, _ = told(capsys, tmp_path / "w.safetensors")
    assert code == 0
    assert "\x1b" not in out
    assert "\\x1b[2J" in out


def test_a_link_is_followed_and_said(tmp_path):
    (tmp_path / "link.safetensors").symlink_to(sample("safetensors", tmp_path))
    found = inspecting.inspect(tmp_path / "link.safetensors")
    assert "symbolic link" in found.notes[0]


def test_a_file_that_changes_meanwhile_is_refused(tmp_path, monkeypatch):
    file = sample("npz", tmp_path)
    module = catalog.load(FORMATS["npz"])
    look = module.look
    monkeypatch.setattr(module, "look", lambda path, bounds: (look(path, bounds), file.write_bytes(b"other"))[0])
    with pytest.raises(ModelError, match="changed while"):
        inspecting.inspect(file)


def test_limits_are_named(tmp_path):
    assert limits_of(Bounds, {"unpacked": "32 GiB"}).unpacked == 32 * 2**30
    with pytest.raises(StudyError, match="no limit `unpaked`") as error:
        limits_of(Bounds, {"unpaked": "1"})
    assert "unpacked" in error.value.next_step
    assert Bounds().depth < 900, "Python nests about a thousand calls"
