"""What PyTorch really ran: each heavy kernel and its type, whether TF32 was used, and what a GPU worked for a query."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_HEAVY = re.compile(
    r"aten::(_convolution|mm|addmm|bmm|baddbmm|addbmm|mv|addmv|_addmm_activation|_int_mm|_scaled_mm|mkldnn_linear|"
    r"mkldnn_rnn_layer|_cudnn_rnn|quantized_(lstm|gru)|_scaled_dot_product_\w+_attention\w*)|mkldnn::\w+|quantized::(conv|linear)\w*|onednn::q\w+"
)
TYPES = {"float": "fp32", "double": "fp64", "c10::BFloat16": "bf16", "c10::Half": "fp16", "c10::quint8": "int8", "c10::qint8": "int8", "signed char": "int8", "unsigned char": "int8"}  # fmt: skip
_TF32 = re.compile(r"tf32|s1688")
"""In names of NVIDIA's kernels: TF32, and the shape of the instruction that multiplies in it."""
_DYNAMIC = re.compile(r"quantized::\w+_dynamic(?P<fp16>_fp16)?|aten::quantized_(lstm|gru)")
"""Kernels that are given floats and narrow them themselves: what they are given doesn't tell in what they multiply."""


class DeviceClock:
    """What a GPU works for each query: the time between two events in its stream. `event` makes one."""

    def __init__(self, event: Callable[[], Any]) -> None:
        self._first, self._last = event(), event()
        self._seconds, self._queries = 0.0, 0

    def __enter__(self) -> None:
        self._first.record()

    def __exit__(self, *error: object) -> None:
        self._last.record()

    def note(self) -> None:
        """Count the query that has just been answered."""
        self._seconds += self._first.elapsed_time(self._last) / 1e3
        self._queries += 1

    def spent(self) -> dict[str, float]:
        """Mean seconds a query since this was last asked."""
        seconds, queries = self._seconds, self._queries
        self._seconds, self._queries = 0.0, 0
        return {"device": seconds / queries} if queries else {}


def profiled(query: Callable[[], Any], gpu: bool = False) -> tuple[list[tuple[str, str]], str]:
    """(kernel, precision) of each heavy kernel of one query, and the device of the answer.

    Operators tell the type of what they are given, and those that narrow it themselves by their name. On a GPU, fp32 may be multiplied in TF32: the names of the GPU's kernels say so.
    """
    from torch.profiler import ProfilerActivity, profile

    watched = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    with profile(activities=watched, record_shapes=True) as seen:
        answers = query()
    events = seen.profiler.kineto_results.events()
    narrowed = gpu and any(_TF32.search(event.name()) for event in events)
    kernels = [
        (event.name(), in_tf32(_multiplies(event.name(), event.dtypes()[0]), narrowed))
        for event in events
        if event.dtypes() and _HEAVY.fullmatch(event.name())
    ]
    return kernels, next((answer.device.type for answer in answers.values()), "")


def _multiplies(kernel: str, given: str) -> str:
    if narrowing := _DYNAMIC.fullmatch(kernel):
        return "fp16" if narrowing["fp16"] else "int8"
    return TYPES.get(given, "unknown")


def in_tf32(precision: str, narrowed: bool) -> str:
    """fp32, or tf32 where kernels were seen that multiply so."""
    return "tf32" if precision == "fp32" and narrowed else precision


def graphs() -> dict[str, Any]:
    """How many graphs torch.compile made in this process, and where it broke off."""
    from torch._dynamo.utils import counters

    return {"graphs": counters["stats"]["unique_graphs"], "graph_breaks": dict(counters["graph_break"])}
