"""What the int8 and int4 variants share: refusing what is quantised already, and what holds nothing to quantise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.errors import Unsupported
from seatrial.parts.variants._onnx import Rewrite, operators, told, written

QUANTISED = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger"}
QUANTISED |= {"QLinearConv", "QLinearMatMul", "DynamicQuantizeLSTM", "QAttention", "QGemm", "QEmbedLayerNormalization"}
QUANTISED |= {"GatherBlockQuantized", "MatMulNBits"}
HEAVY = {"Conv", "ConvTranspose", "MatMul", "Gemm", "LSTM", "Attention", "EmbedLayerNormalization"}


def quantised(artefact: Artefact, making: Making, recipe: str, options: PartOptions, quantise: Rewrite, rows_hash: str | None) -> Artefact:  # fmt: skip
    """The artefact that `quantise` makes, under `making.folder/recipe.onnx`. Raises `Unsupported` where there is nothing to do."""
    source = Path(artefact.files["model"])
    check(source)

    def rewrite(prepared: Path, target: Path, large: bool) -> dict[str, Any] | None:
        found = quantise(prepared, target, large)
        if not QUANTISED & set(operators(target)):
            raise Unsupported(f"{recipe}: nothing in this model can be quantised; it holds {told(source)}")
        return found

    return written(artefact, making, recipe, options, rewrite, rows_hash)


def check(source: Path) -> None:
    """Raises `Unsupported` for a model that is quantised already, or has no matrix product and no convolution."""
    held = operators(source)
    if done := sorted(QUANTISED & set(held)):
        raise Unsupported(f"the model is quantised already: it holds {', '.join(done)}")
    if not HEAVY & set(held):
        raise Unsupported(f"there is nothing to quantise: no matrix product or convolution among {told(source)}")
