"""Cutting channels out of a torch module: which layers share channels is followed through its graph, the weakest go everywhere at once.

The strength of a channel is the root sum of squares of the weights that make it, summed over the layers whose outputs are added
together (Li et al. 2017). What can't be followed (concatenation, grouped convolutions, normalisation over channels) keeps its channels,
and so does the output.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from seatrial.errors import Unsupported

_SAME = ("ReLU", "ReLU6", "GELU", "SiLU", "Mish", "Hardswish", "LeakyReLU", "ELU", "Sigmoid", "Tanh", "Identity", "Dropout", "Dropout1d", "Dropout2d", "MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "Flatten")  # fmt: skip
_SAME_CALLS = ("relu", "relu_", "gelu", "silu", "hardswish", "leaky_relu", "sigmoid", "tanh", "dropout", "max_pool1d", "max_pool2d", "avg_pool2d", "boolean_dispatch", "fn", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "flatten", "view", "reshape", "mean", "contiguous", "clone", "squeeze")  # fmt: skip
_TOGETHER = (operator.add, operator.iadd, operator.mul)
_TOGETHER_CALLS = ("add", "add_", "mul")


class Cut(NamedTuple):
    """A smaller module in plain values: sizes by layer, shapes by parameter or buffer, and the weights that are kept."""

    attributes: dict[str, dict[str, int]]
    shapes: dict[str, list[int]]
    weights: dict[str, Any]


class _Seen(NamedTuple):
    """Of a value in the graph: the group of its channels, their axis (0 the last one), and how many places each takes."""

    group: int
    axis: int
    spread: int = 1


@dataclass
class _Layer:
    """A layer whose weights have channels: the group that comes in, with the places that each takes, and the group that goes out."""

    name: str
    kind: str
    given: _Seen | None
    made: int


@dataclass
class _Groups:
    """Which channels belong together, how many they are, and which stay as they are."""

    parent: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    kept: set[int] = field(default_factory=set)

    def new(self, size: int) -> int:
        self.parent.append(len(self.parent))
        self.sizes.append(size)
        return len(self.parent) - 1

    def root(self, group: int) -> int:
        while self.parent[group] != group:
            group = self.parent[group]
        return group

    def join(self, one: int, other: int) -> None:
        one, other = self.root(one), self.root(other)
        if one != other:
            if self.sizes[one] != self.sizes[other]:
                self.kept |= {one, other}
                return
            self.parent[other] = one
            if other in self.kept:
                self.kept.add(one)

    def keep(self, *seen: Any) -> None:
        self.kept |= {self.root(one.group) for one in seen if isinstance(one, _Seen)}

    def is_kept(self, group: int) -> bool:
        return any(self.root(one) == self.root(group) for one in self.kept)


def cut(module: Any, examples: tuple[Any, ...], share: float) -> Cut:
    """The module without this share of its channels, at least one kept of each layer; `examples` are inputs of one row or more.

    Raises `Unsupported` where torch.fx can't follow the module, or no layer has channels to spare.
    """
    layers, groups = _followed(module, examples)
    strongest = {group: _strongest(module, layers, groups, group, share) for group in _spare(layers, groups)}
    kept = {group: places for group, places in strongest.items() if len(places) < groups.sizes[group]}
    if not kept:
        raise Unsupported(
            "no channel of this module can be cut out: the share is less than one of any layer's that aren't shared with its output "
            "or with what can't be followed",
            next_step="take `distilled` with a `student` of your own",
        )
    made = Cut({}, {}, dict(module.state_dict()))
    for layer in layers:
        _shrink(module.get_submodule(layer.name), layer, groups, kept, made)
    return made


def _spare(layers: list[_Layer], groups: _Groups) -> list[int]:
    made = {groups.root(layer.made) for layer in layers if layer.kind == "full"}
    return sorted(group for group in made if not groups.is_kept(group) and groups.sizes[group] > 1)


def _strongest(module: Any, layers: list[_Layer], groups: _Groups, group: int, share: float) -> Any:
    """Places of the channels that stay, in order."""
    import torch

    power = torch.zeros(groups.sizes[group], dtype=torch.float64)
    for layer in layers:
        if layer.kind == "full" and groups.root(layer.made) == group:
            power += module.get_submodule(layer.name).weight.detach().double().flatten(1).square().sum(1)
    count = max(1, round((1 - share) * len(power)))
    return torch.argsort(power, descending=True, stable=True)[:count].sort().values


def _shrink(part: Any, layer: _Layer, groups: _Groups, kept: dict[int, Any], made: Cut) -> None:
    """Note the layer's new sizes, shapes and weights."""
    out = kept.get(groups.root(layer.made))
    given = kept.get(groups.root(layer.given.group)) if layer.given else None
    sizes: dict[str, int] = {}
    for leaf, tensor in (*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)):
        value = tensor.detach()
        if value.ndim == 0:
            continue
        if out is not None:
            value = value[out]
        if leaf == "weight" and layer.kind == "full" and given is not None and layer.given is not None:
            value = value[:, _places(given, layer.given.spread)]
        if value.shape != tensor.shape:
            made.shapes[f"{layer.name}.{leaf}"] = list(value.shape)
        made.weights[f"{layer.name}.{leaf}"] = value.clone()
    for attribute, index in (("out_channels", out), ("out_features", out), ("num_features", out)):
        if index is not None and hasattr(part, attribute):
            sizes[attribute] = len(index)
    if layer.kind == "depthwise" and out is not None:
        sizes |= {"in_channels": len(out), "groups": len(out)}
    elif given is not None and layer.given is not None:
        for attribute in ("in_channels", "in_features"):
            if hasattr(part, attribute):
                sizes[attribute] = len(given) * layer.given.spread
    if sizes:
        made.attributes[layer.name] = sizes


def _places(channels: Any, spread: int) -> Any:
    """Where the channels lie when each takes `spread` places in a row."""
    import torch

    return (channels[:, None] * spread + torch.arange(spread)).reshape(-1)


# --- following channels through the graph --------------------------------------------------------------------------------


def _followed(module: Any, examples: tuple[Any, ...]) -> tuple[list[_Layer], _Groups]:
    import torch
    from torch.fx.passes.shape_prop import ShapeProp

    try:
        traced = torch.fx.symbolic_trace(module)
        with torch.no_grad():
            ShapeProp(traced).propagate(*examples)
    except Exception as error:
        first = str(error).strip().split("\n")[0]
        raise Unsupported(
            f"torch.fx can't follow the module ({type(error).__name__}: {first})",
            next_step="take `distilled` with a `student` of your own",
        ) from error
    layers: list[_Layer] = []
    groups = _Groups()
    seen: dict[Any, _Seen | None] = {}
    for node in traced.graph.nodes:
        given = [seen.get(one) for one in node.all_input_nodes]
        seen[node] = _made(node, given, traced, layers, groups)
    names = [layer.name for layer in layers]
    for layer in layers:  # one that runs twice can't be cut for both
        if names.count(layer.name) > 1:
            groups.keep(_Seen(layer.made, 1), layer.given)
    return layers, groups


def _made(node: Any, given: list[_Seen | None], traced: Any, layers: list[_Layer], groups: _Groups) -> _Seen | None:
    """What is known of the channels of a node's value."""
    shape = getattr(node.meta.get("tensor_meta"), "shape", None)
    if node.op == "call_module" and shape is not None and len(given) == 1:
        found = _layer(node.target, traced.get_submodule(node.target), given[0], len(shape), layers, groups)
        if isinstance(found, _Seen):
            return found
        if found == "same":
            return _carried(node, given[0], shape, groups)
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    together = node.target in _TOGETHER or name in _TOGETHER_CALLS
    if node.op in ("call_function", "call_method") and shape is not None:
        if len(given) == 1 and (name in _SAME_CALLS or together):
            return _carried(node, given[0], shape, groups)
        if len(given) == 2 and together and given[0] and given[1] and given[0][1:] == given[1][1:]:
            groups.join(given[0].group, given[1].group)
            return given[0]
    groups.keep(*given)
    return None


def _layer(
    name: str, part: Any, given: _Seen | None, ndim: int, layers: list[_Layer], groups: _Groups
) -> _Seen | str | None:
    """The channels that a layer makes; `same` where it leaves them as they are; None where that isn't known."""
    import torch

    if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
        if given is None or given.axis != (0 if ndim == 2 else 1):
            return None
        layers.append(_Layer(name, "norm", None, given.group))
        return given
    if isinstance(part, torch.nn.Conv1d | torch.nn.Conv2d):
        if part.groups == 1:
            if given is not None and given.axis != 1:
                groups.keep(given)
                given = None
            made = _Seen(groups.new(part.out_channels), 1)
            layers.append(_Layer(name, "full", given, made.group))
            return made
        if given is not None and given.axis == 1 and part.groups == part.in_channels == part.out_channels:
            layers.append(_Layer(name, "depthwise", None, given.group))
            return given
        return None
    if isinstance(part, torch.nn.Linear):
        if given is not None and given.axis != 0:
            groups.keep(given)
            given = None
        made = _Seen(groups.new(part.out_features), 0)
        layers.append(_Layer(name, "full", given, made.group))
        return made
    return "same" if type(part).__name__ in _SAME else None


def _carried(node: Any, given: _Seen | None, shape: Any, groups: _Groups) -> _Seen | None:
    """The channels after something that leaves them as they are, or lays images out flat, channel after channel."""
    if given is None:
        return None
    before = node.all_input_nodes[0].meta["tensor_meta"].shape
    size = groups.sizes[given.group] * given.spread
    axis = given.axis or len(before) - 1
    if len(shape) == len(before) and shape[axis] == before[axis] == size:
        return given
    if axis == 1 and len(shape) == 2 and shape[0] == before[0] and shape[1] % size == 0:
        flat = shape[1] // size
        volume = 1
        for side in before[2:]:
            volume *= side
        if flat in (1, volume):
            return _Seen(given.group, 0, given.spread * flat)
    groups.keep(given)
    return None
