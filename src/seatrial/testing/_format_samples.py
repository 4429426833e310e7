"""A small sound file of each format that Seatrial knows, made without the library that usually writes it."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.testing import _models


def sample(name: str, folder: Path) -> Path | None:
    """A file of this format in the folder; None where none is known here."""
    made = {
        "safetensors": ("w.safetensors", _safetensors()),
        "pickle": ("m.pkl", pickle.dumps(OrderedDict(a=[1, 2.5, "x"]))),
        "npz": ("x.npz", _npz()),
        "archive": ("x.zip", zipped({"readme.txt": b"nothing"})),
        "torch_archive": (
            "w.pt",
            zipped({"m/data.pkl": pickle.dumps({"w": 1}), "m/version": b"3\n", "m/data/0": bytes(16)}),
        ),
        "exported_program": (
            "m.pt2",
            zipped({"m/models/model.json": json.dumps(GRAPH).encode(), "m/archive_format": b"pt2"}),
        ),
        "skops": ("m.skops", zipped({"schema.json": json.dumps(skops_node()).encode(), "1.npy": npy(np.arange(3.0))})),
        "keras": ("m.keras", zipped(KERAS)),
        "tflite": ("m.tflite", tflite()),
        "openvino_ir": ("m.xml", IR.encode()),
    }
    if name == "onnx":
        _models.mlp_file(folder / "m.onnx")
        return folder / "m.onnx"
    if name not in made:
        return None
    file, content = made[name]
    (folder / file).write_bytes(content)
    return folder / file


def zipped(members: dict[str, bytes], packed: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of these members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packed) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def npy(array: Any) -> bytes:
    """An array as NumPy writes it."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, x=np.ones((4, 3), np.float32), y=np.arange(4))
    return stream.getvalue()


def _safetensors() -> bytes:
    header = {
        "__metadata__": {"format": "np"},
        "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "I8", "shape": [4], "data_offsets": [24, 28]},
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(28)


def skops_node() -> dict[str, Any]:
    """A fitted scaler as skops writes it, with one array."""
    array = {
        "__class__": "ndarray",
        "__module__": "numpy",
        "__loader__": "NdArrayNode",
        "type": "numpy",
        "file": "1.npy",
    }
    inner = {"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode", "content": {"mean_": array}}
    node = {"__class__": "StandardScaler", "__module__": "sklearn.preprocessing._data", "__loader__": "ObjectNode"}
    return node | {"content": inner, "_skops_version": "0.13"}


def tflite() -> bytes:
    """The smallest flat buffer that is a model: its version, and no graph."""
    fields = struct.pack("<HHH", 6, 8, 4)
    return struct.pack("<I", 16) + b"TFL3" + bytes(2) + fields + struct.pack("<iI", 6, 3)


GRAPH = {"graph": {"nodes": [{"target": "torch.ops.aten.add.Tensor", "inputs": []}]}}
KERAS = {
    "config.json": json.dumps(
        {"class_name": "Sequential", "module": "keras", "config": {"layers": [{"class_name": "Dense"}]}}
    ).encode(),
    "metadata.json": b'{"keras_version": "3.0"}',
    "model.weights.h5": b"\x89HDF",
}
IR = """<?xml version="1.0"?>
<net name="small" version="11"><layers>
<layer id="0" name="x" type="Parameter" version="opset1"><data shape="?,4" element_type="f32"/>
<output><port id="0"><dim>-1</dim><dim>4</dim></port></output></layer>
<layer id="1" name="w" type="Const" version="opset1"><data element_type="i8" shape="4, 2" offset="0" size="8"/></layer>
<layer id="2" name="y" type="Result" version="opset1"><input><port id="0"><dim>-1</dim><dim>2</dim></port></input></layer>
</layers></net>
"""
