"""What runtimes share in finding out what really ran: the precision of heavy operators, and words for a difference."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

LOWEST_FIRST = ("int8", "fp16", "bf16", "tf32", "fp32", "fp64")
_QUANTISING = {
    "QuantizeLinear",
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "ConvInteger",
    "QLinearConv",
    "QLinearMatMul",
    "QGemm",
    "DynamicQuantizeMatMul",
    "MatMulIntegerToFloat",
    "DynamicQuantizeLSTM",
    "QAttention",
}


def lowest(precisions: Iterable[str]) -> str:
    """The lowest precision among those of the heavy operators; `unknown` where there are none."""
    seen = set(precisions)
    return next((precision for precision in LOWEST_FIRST if precision in seen), "unknown")


def quantised(file: str) -> bool:
    """Whether an ONNX file asks for integer arithmetic: it quantises activations, not just its stored weights."""
    import onnx

    return any(_asks_for_integers(node) for node in onnx.load(file, load_external_data=False).graph.node)


def _asks_for_integers(node: object) -> bool:
    graphs = [attribute.g for attribute in node.attribute if attribute.HasField("g")]  # type: ignore[attr-defined]
    inner = any(_asks_for_integers(child) for graph in graphs for child in graph.node)
    return inner or node.op_type in _QUANTISING  # type: ignore[attr-defined]


def fell_back(asked: str, precision: str, integers: bool, runtime: str) -> str:
    """One sentence where the executed precision isn't the one asked for; empty where it is, or where nothing heavy ran."""
    wanted = "int8" if integers else asked
    if precision in (wanted, "unknown"):
        return ""
    if integers:
        return f"the model is quantised, but {runtime} ran its matrix products and convolutions in {precision}"
    return f"{wanted} was asked for, but {runtime} ran matrix products and convolutions in {precision}"


def version(*packages: str) -> str:
    """The installed version of the first of these packages that is there."""
    import importlib.metadata

    for package in packages:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"


def no_cuda() -> str | None:
    """Why there is no NVIDIA device on this machine, by its device files; None when there seems to be one."""
    if any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists():
        return None
    return (
        "no NVIDIA device here (/dev/nvidia0 isn't there): install the NVIDIA driver, or give the container its devices"
    )
