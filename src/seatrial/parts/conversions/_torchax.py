"""torchax's JAX functions for torch's operators, and a walk through an exported graph with them."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NAMED = re.compile(r"torch\.ops\.aten\.(\w+)\.(\w+)")


def imported() -> Any:
    """torchax with its operators. Its device isn't registered with torch, which then could export some modules no more."""
    import torch

    def idle(*_: Any) -> None: ...

    with warnings.catch_warnings(), _stand_ins(), contextlib.ExitStack() as put_back:
        warnings.simplefilter("ignore")
        for place, name in ((torch.utils, "rename_privateuse1_backend"), (torch, "_register_device_module")):
            put_back.callback(setattr, place, name, getattr(place, name))
            setattr(place, name, idle)
        import torchax.decompositions
        import torchax.ops.jaten
    return torchax


@contextlib.contextmanager
def _stand_ins() -> Iterator[None]:
    """torchax names overloads for named axes that PyTorch 2.13 no longer has: while it is read, they stand for others."""
    import importlib.util

    import torch

    spec = importlib.util.find_spec("torchax")
    files = sorted(Path(spec.submodule_search_locations[0]).rglob("*.py")) if spec and spec.submodule_search_locations else []  # fmt: skip
    placed = []
    for file in files:
        for name, overload in _NAMED.findall(file.read_text(encoding="utf-8")):
            packet = getattr(torch.ops.aten, name)
            if not hasattr(packet, overload):
                setattr(packet, overload, getattr(packet, packet.overloads()[0]))
                placed.append((packet, overload))
    try:
        yield
    finally:
        for packet, overload in placed:
            delattr(packet, overload)


def walking(graph: Any) -> Any:
    """Runs an exported graph on JAX arrays, torchax's function in place of each operator; what is known already is computed at once."""
    import jax
    import torch
    from torchax.ops import ops_registry

    class Walk(torch.fx.Interpreter):
        def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
            if not isinstance(target, torch._ops.OpOverload | torch._ops.OpOverloadPacket):
                return super().call_function(target, args, kwargs)  # sizes in plain Python
            if target is torch.ops.aten.sym_size.int:
                return args[0].shape[args[1]]
            if "assert" in str(target):
                return None
            found = ops_registry.all_aten_ops.get(target) or ops_registry.all_aten_ops.get(target.overloadpacket)
            if found is None or not found.is_jax_function:
                raise NotImplementedError(f"torchax has no counterpart of {target}")
            leaves = jax.tree.leaves((args, kwargs))
            known = not any(isinstance(one, jax.core.Tracer) or jax.export.is_symbolic_dim(one) for one in leaves)
            with jax.ensure_compile_time_eval() if known else contextlib.nullcontext():
                return found.func(*args, **kwargs)

    return Walk(graph)
