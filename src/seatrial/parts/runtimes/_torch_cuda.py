"""What stands between PyTorch's runtime and a GPU: few words, so that a stand-in can take its place where there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

WARM = 3
"""Runs before a graph is recorded: libraries choose their kernels in the first ones."""


class Accelerator:
    """An NVIDIA GPU, as `torch.cuda` offers it."""

    def device(self, name: str) -> Any:
        """The device as torch knows it."""
        import torch

        return torch.device(name)

    def event(self) -> Any:
        """A moment in the GPU's stream, that can be timed."""
        import torch

        return torch.cuda.Event(enable_timing=True)

    def recorded(self, run: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        """What `run` gives, and what makes the GPU do it again into the same memory, from the same memory.

        https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
        """
        import torch

        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM):
                run()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            answer = run()
        return answer, graph.replay


class Graphed:
    """A module whose kernels are recorded once for each shape of its inputs, and replayed from then on.

    Inputs are copied into the recorded memory; the answer lies in recorded memory, too, and is good until the next call.
    """

    def __init__(self, module: Any, accelerator: Accelerator) -> None:
        self._module, self._accelerator = module, accelerator
        self._recorded: dict[Any, tuple[list[Any], Any, Callable[[], None]]] = {}

    def __call__(self, *positional: Any, **named: Any) -> Any:
        given = [*positional, *named.values()]
        key = tuple((tuple(one.shape), one.dtype) for one in given)
        if key not in self._recorded:
            self._recorded[key] = self._record(positional, named)
        held, answer, replay = self._recorded[key]
        for place, one in zip(held, given, strict=True):
            place.copy_(one)
        replay()
        return answer

    def _record(self, positional: Any, named: dict[str, Any]) -> tuple[list[Any], Any, Callable[[], None]]:
        places = [one.clone() for one in positional]
        by_name = {name: one.clone() for name, one in named.items()}
        answer, replay = self._accelerator.recorded(lambda: self._module(*places, **by_name))
        return [*places, *by_name.values()], answer, replay
