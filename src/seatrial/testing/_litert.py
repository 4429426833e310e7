"""The two small models of the exams as LiteRT files, and the perceptron in int8, written field by field with LiteRT's schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.testing import _models
from seatrial.testing._models import Sample

_FLOAT, _INT32, _INT8 = 0, 2, 9
_CONV, _FULLY, _TRANSPOSE, _MEAN = 3, 9, 39, 40
_OPTIONS = {_CONV: ("Conv2DOptions", 1), _FULLY: ("FullyConnectedOptions", 8), _TRANSPOSE: ("TransposeOptions", 26), _MEAN: ("ReducerOptions", 27)}  # fmt: skip
_RELU = 1


class Writer:
    """A graph being written: tensors and operators one after the other."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema = schema
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.buffers = 3, [schema.BufferT()]
        self.model.operatorCodes, self.graph.operators, self.graph.tensors = [], [], []

    def tensor(self, name: str, shape: tuple[int, ...], kind: int, held: Any = None, scale: Any = None, rows: bool = False) -> int:  # fmt: skip
        """A tensor; `held` are its numbers where it is a constant, `rows` says that its first axis varies."""
        made = self.schema.TensorT()
        made.name, made.shape, made.type, made.buffer, made.hasRank = name, list(shape), kind, 0, True
        if rows:
            made.shapeSignature = [-1, *shape[1:]]
        if scale is not None:
            made.quantization = self.schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [scale[0]], [scale[1]]
        if held is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(held).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            made.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def operator(self, kind: int, inputs: list[int], outputs: list[int], **fields: Any) -> None:
        """An operator with the fields of its options."""
        code = self.schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        code.version = 4 if kind == _FULLY else 1
        self.model.operatorCodes.append(code)
        name, number = _OPTIONS[kind]
        options = getattr(self.schema, f"{name}T")()
        for field, value in fields.items():
            setattr(options, field, value)
        made = self.schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = len(self.model.operatorCodes) - 1, inputs, outputs
        made.builtinOptionsType, made.builtinOptions = number, options
        self.graph.operators.append(made)

    def written(self, file: Path, inputs: list[int], outputs: list[int]) -> None:
        """The whole file."""
        import flatbuffers

        self.graph.inputs, self.graph.outputs = inputs, outputs
        self.model.subgraphs = [self.graph]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        file.write_bytes(bytes(builder.Output()))


def mlp(folder: Path) -> Sample:
    """The perceptron in float32, with any number of rows."""
    writer, weights = Writer(), _models.mlp_weights()
    features = writer.tensor("features", (1, 32), _FLOAT, rows=True)
    held = {name: writer.tensor(name, value.shape, _FLOAT, value) for name, value in weights.items()}
    hidden = writer.tensor("hidden", (1, 48), _FLOAT, rows=True)
    logits = writer.tensor("logits", (1, 10), _FLOAT, rows=True)
    writer.operator(_FULLY, [features, held["w1"], held["b1"]], [hidden], fusedActivationFunction=_RELU)
    writer.operator(_FULLY, [hidden, held["w2"], held["b2"]], [logits])
    values = _models.rows(_models.ROWS, 32)
    return _sample(folder, "mlp", writer, features, logits, values, _models.mlp_answers(values))


def conv(folder: Path) -> Sample:
    """The convolution for one row at a time: channels go last, then conv, relu, mean over the image, product."""
    writer, weights = Writer(), _models.conv_weights()
    image = writer.tensor("image", (1, 3, 8, 8), _FLOAT)
    kernel = writer.tensor("kernel", (16, 3, 3, 3), _FLOAT, weights["kernel"].transpose(0, 2, 3, 1))
    held = {name: writer.tensor(name, weights[name].shape, _FLOAT, weights[name]) for name in ("shift", "w", "b")}
    last = writer.tensor("order", (4,), _INT32, np.array([0, 2, 3, 1], np.int32))
    axes = writer.tensor("axes", (2,), _INT32, np.array([1, 2], np.int32))
    turned, maps = (writer.tensor(name, (1, 8, 8, size), _FLOAT) for name, size in (("turned", 3), ("maps", 16)))
    mean, logits = (writer.tensor(name, (1, size), _FLOAT) for name, size in (("mean", 16), ("logits", 10)))
    writer.operator(_TRANSPOSE, [image, last], [turned])
    strides = {"strideW": 1, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1}
    writer.operator(_CONV, [turned, kernel, held["shift"]], [maps], fusedActivationFunction=_RELU, **strides)
    writer.operator(_MEAN, [maps, axes], [mean], keepDims=False)
    writer.operator(_FULLY, [mean, held["w"], held["b"]], [logits])
    values = _models.rows(_models.ROWS, 3, 8, 8)
    return _sample(folder, "conv", writer, image, logits, values, _models.conv_answers(values), fixed=1)


def mlp_int8(folder: Path) -> Sample:
    """The perceptron in int8, inputs and outputs too; its answers are near those in float32."""
    values, weights = _models.rows(_models.ROWS, 32), _models.mlp_weights()
    hidden = np.maximum(values @ weights["w1"].T + weights["b1"], 0)
    right = _models.mlp_answers(values)
    ends = {name: _scale(one) for name, one in (("features", values), ("hidden", hidden), ("logits", right))}
    writer = Writer()
    placed = {name: writer.tensor(name, (1, size), _INT8, scale=ends[name], rows=True) for name, size in (("features", 32), ("hidden", 48), ("logits", 10))}  # fmt: skip
    for number, (given, made) in enumerate((("features", "hidden"), ("hidden", "logits")), 1):
        weight, bias = weights[f"w{number}"], weights[f"b{number}"]
        step = float(np.abs(weight).max()) / 127
        stored = np.rint(weight / step).astype(np.int8)
        both = ends[given][0] * step
        w = writer.tensor(f"w{number}", weight.shape, _INT8, stored, (step, 0))
        b = writer.tensor(f"b{number}", bias.shape, _INT32, np.rint(bias / both).astype(np.int32), (both, 0))
        relu = {"fusedActivationFunction": _RELU} if number == 1 else {}
        writer.operator(_FULLY, [placed[given], w, b], [placed[made]], **relu)
    return _sample(folder, "mlp_int8", writer, placed["features"], placed["logits"], values, right)


def _scale(values: Any) -> tuple[float, int]:
    """Scale and zero point that spread what occurs, and 0, over int8."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    step = (high - low) / 255
    return step, int(np.rint(-128 - low / step))


def _sample(folder: Path, name: str, writer: Writer, given: int, made: int, values: Any, right: Any, fixed: int | None = None) -> Sample:  # fmt: skip
    file = folder / f"{name}.tflite"
    writer.written(file, [given], [made])
    first = writer.graph.tensors[given].name
    artefact = Artefact(
        format="tflite",
        files={"model": str(file)},
        hashes={"model": _models.sha256(file)},
        signature=Signature(
            inputs=(TensorSpec(name=first, shape=values.shape[1:]),),
            outputs=(TensorSpec(name="logits", shape=(10,)),),
            fixed_batch=fixed,
        ),
        lineage=Lineage(recipe="given"),
    )
    return Sample(name, artefact, {first: values}, {"logits": right})
