"""Several PyTorch modules of one recipe, each trained on some of the same rows: in one pass where the architecture allows.

Their parameters are stacked along a new first axis and one step moves all of them (`torch.func`): optimisers work number by number, so that
stacked is the same as one by one. What keeps running averages in its buffers, or does what `vmap` can't, is trained one after another.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from seatrial.contracts.training import Job, Several

PIECE = 1024
"""Rows in one question."""


class Recipe(NamedTuple):
    """How a module is trained: its optimiser for these parameters, the loss of answers and labels, and how it is asked."""

    optimiser: Callable[[list[Any]], Any]
    loss: Callable[[Any, Any], Any]
    ask: Callable[[Callable[..., Any], dict[str, Any]], Any]


def trained(modules: list[Any], job: Job, inside: Any, inputs: dict[str, Any], labels: Any, recipe: Recipe) -> Several:
    """The modules' answers to all rows after training each on its own. `inside` (models x rows, bool) marks these: equally many for each."""
    import torch

    rows = [torch.from_numpy(mask.nonzero()[0]) for mask in inside]
    why = _obstacle(modules, recipe, {name: value[rows[0][:2]] for name, value in inputs.items()})
    if not why:
        try:
            scores = _together(modules, job, rows, inputs, labels, recipe)
            return Several(scores, True)
        except (RuntimeError, ValueError, NotImplementedError) as error:  # vmap says so in each of these ways
            why = f"torch.func.vmap can't: {str(error).strip().splitlines()[0]:.200}"
    return Several(_apart(modules, job, rows, inputs, labels, recipe), False, why)


def _obstacle(modules: list[Any], recipe: Recipe, inputs: dict[str, Any]) -> str:
    """Why one pass would train something else; empty where nothing speaks against it."""
    probe = copy.deepcopy(modules[0]).train()
    before = {name: value.clone() for name, value in probe.named_buffers()}
    recipe.ask(probe, inputs)
    if any(not value.equal(before[name]) for name, value in probe.named_buffers()):
        return "the module keeps running averages (batch normalisation)"
    return ""


def _orders(rows: list[Any], job: Job) -> Iterator[Any]:
    """Row numbers of one step of every model (models x batch), pass after pass, each model in an order of its own."""
    import torch

    generators = [torch.Generator().manual_seed(job.seed + number) for number in range(len(rows))]
    batch = min(job.batch, len(rows[0]))
    for _ in range(job.epochs):
        orders = torch.stack([own[torch.randperm(len(own), generator=one)] for own, one in zip(rows, generators, strict=True)])  # fmt: skip
        for start in range(0, orders.shape[1] - batch + 1, batch):
            yield orders[:, start : start + batch]


def _together(modules: list[Any], job: Job, rows: list[Any], inputs: dict[str, Any], labels: Any, recipe: Recipe) -> Any:  # fmt: skip
    import torch
    from torch.func import functional_call, grad, stack_module_state, vmap

    for module in modules:
        module.train()
    parameters, buffers = stack_module_state(modules)
    base = copy.deepcopy(modules[0]).to("meta")
    optimiser = recipe.optimiser(list(parameters.values()))
    torch.manual_seed(job.seed)

    def lost(own: Any, kept: Any, given: dict[str, Any], right: Any) -> Any:
        return recipe.loss(recipe.ask(lambda *args, **named: functional_call(base, (own, kept), args, named), given), right)  # fmt: skip

    gradient = vmap(grad(lost), randomness="different")
    for chosen in _orders(rows, job):
        slopes = gradient({name: value.detach() for name, value in parameters.items()}, buffers, {name: value[chosen] for name, value in inputs.items()}, labels[chosen])  # fmt: skip
        for name, value in parameters.items():
            value.grad = slopes[name]
        optimiser.step()
    for number, module in enumerate(modules):
        module.load_state_dict({name: value[number].detach() for name, value in (parameters | buffers).items()}, strict=False)  # fmt: skip
    return _answers(modules, inputs, recipe)


def _apart(modules: list[Any], job: Job, rows: list[Any], inputs: dict[str, Any], labels: Any, recipe: Recipe) -> Any:
    import torch

    torch.manual_seed(job.seed)
    optimisers = [recipe.optimiser(list(module.train().parameters())) for module in modules]
    for chosen in _orders(rows, job):
        for module, optimiser, own in zip(modules, optimisers, chosen, strict=True):
            optimiser.zero_grad(set_to_none=True)
            recipe.loss(recipe.ask(module, {name: value[own] for name, value in inputs.items()}), labels[own]).backward()  # fmt: skip
            optimiser.step()
    return _answers(modules, inputs, recipe)


def _answers(modules: list[Any], inputs: dict[str, Any], recipe: Recipe) -> Any:
    """Models x rows x ..., float32."""
    import numpy as np
    import torch

    found = []
    with torch.no_grad():
        for module in modules:
            module.eval()
            count = len(next(iter(inputs.values())))
            pieces = [
                recipe.ask(module, {name: value[at : at + PIECE] for name, value in inputs.items()}).float()
                for at in range(0, count, PIECE)
            ]
            found.append(torch.cat(pieces).numpy())
    return np.stack(found)
