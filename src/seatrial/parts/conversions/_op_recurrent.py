"""ONNX's recurrent networks in torch, step by step: LSTM, GRU and RNN, in either direction or both."""
# ruff: noqa: N802

from __future__ import annotations

import torch

_ACTIVATIONS = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}


def LSTM(x, w, r, b=None, sequence_lens=None, initial_h=None, initial_c=None, p=None, activations=None, clip=None, direction="forward", hidden_size=0, input_forget=0, layout=0, outputs=1):  # fmt: skip
    refuse(x.shape[layout], sequence_lens, clip, input_forget)
    functions = chosen_activations(activations, ["Sigmoid", "Tanh", "Tanh"], w.shape[0])

    def step(place, given, state):
        gates = given + state[0] @ r[place].T
        i, o, f, c = gates.chunk(4, -1)
        sigmoid, inner, outer = functions[place]
        peep = p[place].chunk(3) if p is not None else (0.0, 0.0, 0.0)
        cell = sigmoid(f + peep[2] * state[1]) * state[1] + sigmoid(i + peep[0] * state[1]) * inner(c)
        hidden = sigmoid(o + peep[1] * cell) * outer(cell)
        return hidden, cell

    return unrolled(x, w, r, b, (initial_h, initial_c), direction, layout, outputs, step)


def GRU(x, w, r, b=None, sequence_lens=None, initial_h=None, activations=None, clip=None, direction="forward", hidden_size=0, layout=0, linear_before_reset=0, outputs=1):  # fmt: skip
    refuse(x.shape[layout], sequence_lens, clip)
    functions = chosen_activations(activations, ["Sigmoid", "Tanh"], w.shape[0])
    shift = None if b is None else torch.cat([b[:, : b.shape[1] // 2], torch.zeros_like(b[:, b.shape[1] // 2 :])], 1)

    def step(place, given, state):
        (hidden,) = state
        own = 0.0 if b is None else b[place, b.shape[1] // 2 :]
        own_z, own_r, own_h = own.chunk(3) if b is not None else (0.0, 0.0, 0.0)
        z, reset, new = given.chunk(3, -1)
        r_z, r_r, r_h = r[place].chunk(3)
        sigmoid, inner = functions[place]
        z, reset = sigmoid(z + hidden @ r_z.T + own_z), sigmoid(reset + hidden @ r_r.T + own_r)
        if linear_before_reset:
            new = inner(new + reset * (hidden @ r_h.T + own_h))
        else:
            new = inner(new + (reset * hidden) @ r_h.T + own_h)
        return ((1 - z) * new + z * hidden,)

    return unrolled(x, w, r, shift, (initial_h,), direction, layout, outputs, step)


def RNN(x, w, r, b=None, sequence_lens=None, initial_h=None, activations=None, clip=None, direction="forward", hidden_size=0, layout=0, outputs=1):  # fmt: skip
    refuse(x.shape[layout], sequence_lens, clip)
    functions = chosen_activations(activations, ["Tanh"], w.shape[0])

    def step(place, given, state):
        return (functions[place][0](given + state[0] @ r[place].T),)

    return unrolled(x, w, r, b, (initial_h,), direction, layout, outputs, step)


def refuse(steps, lengths, clip, input_forget=0):
    """Each sequence has to go through all steps."""
    if clip is not None or input_forget:
        raise ValueError("a recurrent network that clips or joins its gates isn't known here")
    if lengths is not None and any(length != steps for length in lengths.tolist()):
        raise ValueError("a recurrent network over sequences shorter than the steps isn't known here")


def chosen_activations(given, usual, directions):
    """The functions of each direction, from their names."""
    names = [name.lower() for name in (given or usual * directions)]
    if unknown := [name for name in names if name not in _ACTIVATIONS]:
        raise ValueError(f"the activation {unknown[0]} isn't known here")
    each = len(usual)
    return [[_ACTIVATIONS[name] for name in names[place * each : (place + 1) * each]] for place in range(directions)]


def unrolled(x, w, r, b, start, direction, layout, outputs, step):
    """All steps in each direction: every hidden state, then the last states."""
    x = x.transpose(0, 1) if layout else x
    steps, rows, hidden = x.shape[0], x.shape[1], r.shape[2]
    given = [value if value is None or not layout else value.transpose(0, 1) for value in start]
    every, last = [], []
    for place in range(w.shape[0]):
        entering = x @ w[place].T
        entering = entering if b is None else entering + sum(b[place].chunk(2))
        state = tuple(x.new_zeros(rows, hidden) if value is None else value[place] for value in given)
        backwards = direction == "reverse" or place == 1
        seen = []
        for index in reversed(range(steps)) if backwards else range(steps):
            state = step(place, entering[index], state)
            seen.append(state[0])
        every.append(torch.stack(seen[::-1] if backwards else seen))
        last.append(state)
    states = [torch.stack([state[one] for state in last]) for one in range(len(start))]
    answer = torch.stack(every, 1)
    if layout:
        answer, states = answer.permute(2, 0, 1, 3), [state.transpose(0, 1) for state in states]
    made = (answer, *states)
    return made[:outputs] if outputs > 1 else answer
