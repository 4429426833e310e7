"""Weights and activations in int8 by PyTorch's own quantiser, for PyTorch on a processor; it runs eagerly.

`static`: ranges from calibration rows; layers that belong together (convolution, normalisation, ReLU) become one, computed by PyTorch's
int8 kernels. `dynamic`: fully connected and recurrent layers alone, with the range of each batch; no rows needed. What is kept is float
weights, the ranges that were seen, and code that makes int8 layers of both when it is loaded.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.errors import Unsupported
from seatrial.parts.variants import _static, _student

NEEDS = ("torch", "safetensors")
EXTRA = "torch"
ACCEPTS = {"format": ("torch",), "rows": ("calibrate", "none")}
GIVES = {"format": ("torch",)}
CANNOT = {
    "compiled": ("not yet theirs", "torch.compile doesn't see into these kernels"),
    "pt2e": ("not yet ours", "the quantiser of exported programs has moved to torchao, which isn't used here"),
    "functional convolutions": ("not yet theirs", "a convolution that is no layer of its own stays in float"),
    "gpu": ("never", "PyTorch's int8 layers are made for processors"),
    "exported programs": ("not yet ours", "layers are found in a module's code; give the module and its weights"),
}
VERSION = 2

BUILDER, PREPARED = "seatrial_int8", "seatrial_prepared"
_ADDED = '''

def {builder}():
    """The same module in int8. Written by seatrial."""
    return {prepared}({function}(**{arguments}))


def {prepared}(module):
    """A float module that becomes int8 when it is first set to evaluate, with the weights and ranges it has then."""
    import warnings

    import torch
    from torch.ao import quantization
    from torch.ao.quantization import quantize_fx

    class Int8(torch.nn.Module):
        def __init__(self, held):
            super().__init__()
            self.held, self.made = held, False

        def forward(self, *given, **named):
            short = torch.backends.mha.get_fastpath_enabled()
            torch.backends.mha.set_fastpath_enabled(False)  # it reads float weights, which int8 layers haven't got
            try:
                return self.held(*given, **named)
            finally:
                torch.backends.mha.set_fastpath_enabled(short)

        def train(self, mode=True):
            if not mode and not self.made:
                self.held, self.made = converted(self.held.eval()), True
            return super().train(mode)

    def converted(held):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if {static}:
                return quantize_fx.convert_fx(held)
            return quantization.quantize_dynamic(held, {{torch.nn.Linear, torch.nn.LSTM, torch.nn.GRU}}, torch.qint8)

    if not {static}:
        return Int8(module.eval())
    seen = quantization.MinMaxObserver.with_args(dtype=torch.quint8, reduce_range={reduced})
    ways = quantization.QConfig(seen, quantization.default_per_channel_weight_observer)
    mapping = quantization.QConfigMapping().set_global(ways)
    for left in (torch.nn.functional.conv1d, torch.nn.functional.conv2d, torch.nn.functional.conv3d):
        mapping = mapping.set_object_type(left, None)
    examples = tuple(torch.zeros(shape, dtype=getattr(torch, name)) for shape, name in {examples})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        held = quantize_fx.prepare_fx(module.eval(), mapping, examples)
    parts, names = dict(held._modules), {{}}  # two names may stand for one part
    for node in held.graph.nodes:  # PyTorch's own numbers differ from time to time; these are in the order of the graph
        if node.op == "call_module" and node.target.startswith("activation_post_process"):
            part = parts[node.target]
            node.target = names.setdefault(id(part), f"range_{{len(names)}}")
            setattr(held, node.target, part)
    for old in parts:
        if old.startswith("activation_post_process"):
            delattr(held, old)
    held.recompile()
    return Int8(held)
'''


class Options(PartOptions):
    """What becomes int8."""

    method: Literal["static", "dynamic"] = Field(
        default="static", description="static: ranges from calibration rows; dynamic: from each batch as it comes"
    )
    reduced: bool = Field(
        default=False, description="activations in 7 bits: for x86 processors without VNNI, whose sums could overflow"
    )


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The int8 model. Raises `Unsupported` where torch.fx can't follow the module, or nothing in it becomes int8."""
    import torch

    torch.set_num_threads(1)  # sums of several threads differ in their last digits, and so would the file
    static, whole = options.method == "static", _student.of_teacher(artefact)
    rows = _static.calibrating(making, "int8_torch") if static else {}
    inputs = _student.tensors(artefact, rows) if rows else ()
    module = _student.with_weights(_student.built(whole), artefact)
    with tempfile.TemporaryDirectory() as name, torch.no_grad():
        code = _written(whole, inputs, options, Path(name) / "int8.py")
        prepared = _prepared(code, module)
        for start in range(0, len(inputs[0]) if inputs else 0, _static.ROWS):
            prepared.held(*(one[start : start + _static.ROWS] for one in inputs))
        found = {"int8_layers": _layers(code, whole, prepared)}
        used = making if static else replace(making, rows_hash=None)
        return _student.kept("int8_torch", prepared, code, artefact, used, options, found, inputs)


def _written(whole: _student.Code, inputs: tuple[Any, ...], options: Options, file: Path) -> _student.Code:
    """The module's code with what makes it int8 after it."""
    added = _ADDED.format(
        builder=BUILDER,
        prepared=PREPARED,
        function=whole.function,
        arguments=repr(whole.arguments),
        static=options.method == "static",
        reduced=options.reduced,
        examples=repr([((2, *one.shape[1:]), str(one.dtype).removeprefix("torch.")) for one in inputs]),
    )
    file.write_text(whole.file.read_text(encoding="utf-8") + added, encoding="utf-8")
    return _student.Code(file, BUILDER, {}, whole.folder)


def _prepared(code: _student.Code, module: Any) -> Any:
    try:
        return _student.built(code._replace(function=PREPARED, arguments={"module": module}))
    except Exception as error:
        first = str(error).strip().split("\n")[0]
        raise Unsupported(
            f"int8_torch: torch.fx can't follow the module ({type(error).__name__}: {first})",
            next_step="take `method: dynamic`, which replaces layers one by one",
        ) from error


def _layers(code: _student.Code, whole: _student.Code, prepared: Any) -> int:
    """How many layers are int8 once it is loaded. Raises `Unsupported` where none is."""
    again = _student.built(code)
    again.load_state_dict(prepared.state_dict())
    held = again.eval().held
    kinds = [type(one).__module__ for one in held.modules()]
    kinds += (
        [str(node.target) for node in held.graph.nodes if node.op == "call_function"] if hasattr(held, "graph") else []
    )
    count = sum("quantized" in kind and "quantize_per" not in kind for kind in kinds)
    if not count:
        raise Unsupported(f"int8_torch: nothing in `{whole.function}` becomes int8: no layer of the kinds it knows")
    return count
