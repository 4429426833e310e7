"""Are predictions right? Five models that nothing was calibrated on, predicted first and measured then, on this machine.

    median_factor   the middle of measured over predicted seconds, up or down, over models x runtimes x precisions x batch sizes
    worst_factor    the largest of them
    range_coverage  share of measurements inside the predicted range
    ranking         share of pairs of candidates of one model whose order by rows a second was predicted, among those whose order is
                    known: no visit of the one was as slow as any of the other
    ranking_all     the same among all pairs, whose order may be noise
    settled         share of pairs of ways (runtime, precision) at one model and batch whose predicted ratio's range leaves 1 out: whose order
                    is claimed to be known
    settled_right   among those, the share that was right
    ratio_coverage  share of such pairs whose measured ratio lay inside the predicted range of it

The models are made with torch and exported to ONNX: a residual CNN, a transformer encoder, an MLP, embedding tables of 200,000 rows,
and a CNN of depthwise convolutions. fp32 runs on ONNX Runtime and OpenVINO, bf16 on OpenVINO; one thread. Measured is the lower decile
of the calls of the quietest of several visits, each runtime and precision in a process of its own, these and the models in turn.
`--fresh` calibrates anew before; `--all` prints every prediction.
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import statistics
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from _table import Figure, tell

from seatrial.contracts.protocols import Setting
from seatrial.errors import SeatrialError
from seatrial.flow.hardware import forecast, here, measured
from seatrial.flow.hardware.device import Device, against, this_machine

WAYS = (("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"))
BATCHES, VISITS = (1, 16), 6


def models():
    """Name, module, and an input of two rows."""
    import torch
    from torch import nn

    class Residual(nn.Module):
        def __init__(self, inner, outer, stride):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU(),
                nn.Conv2d(outer, outer, 3, 1, 1, bias=False), nn.BatchNorm2d(outer),
            )  # fmt: skip
            self.skip = nn.Conv2d(inner, outer, 1, stride, bias=False)

        def forward(self, x):
            return torch.relu(self.body(x) + self.skip(x))

    class Inverted(nn.Module):
        def __init__(self, inner, outer, stride):
            super().__init__()
            wide = 6 * inner
            self.same = stride == 1 and inner == outer
            self.body = nn.Sequential(
                nn.Conv2d(inner, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(),
                nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(),
                nn.Conv2d(wide, outer, 1, bias=False), nn.BatchNorm2d(outer),
            )  # fmt: skip

        def forward(self, x):
            return x + self.body(x) if self.same else self.body(x)

    class Block(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.heads, self.one, self.two = heads, nn.LayerNorm(width), nn.LayerNorm(width)
            self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.wide = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x):
            parts = self.mix(self.one(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            attended = nn.functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
            x = x + self.out(attended.transpose(1, 2).flatten(2))
            return x + self.wide(self.two(x))

    class Tables(nn.Module):
        def __init__(self, columns, words, width):
            super().__init__()
            self.table = nn.Embedding(words, width)
            self.dense = nn.Sequential(nn.Linear(columns * width, 256), nn.ReLU(), nn.Linear(256, 1))

        def forward(self, x):
            return self.dense(self.table(x).flatten(1))

    torch.manual_seed(0)
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    yield "cnn", nn.Sequential(nn.Conv2d(3, 32, 3, 1, 1), nn.ReLU(), Residual(32, 48, 2), Residual(48, 80, 2), Residual(80, 160, 2), *head, nn.Linear(160, 10)), torch.randn(2, 3, 56, 56)  # fmt: skip
    yield "transformer", nn.Sequential(Block(192, 6), Block(192, 6), Block(192, 6), nn.Linear(192, 16)), torch.randn(2, 72, 192)  # fmt: skip
    yield "mlp", nn.Sequential(nn.Linear(640, 1280), nn.GELU(), nn.Linear(1280, 896), nn.GELU(), nn.Linear(896, 100)), torch.randn(2, 640)  # fmt: skip
    yield "wide embedding", Tables(26, 200_000, 48), torch.randint(0, 200_000, (2, 26))
    yield "depthwise cnn", nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU6(), Inverted(16, 24, 2), Inverted(24, 24, 1), Inverted(24, 40, 2), Inverted(40, 40, 1), *head, nn.Linear(40, 10)), torch.randn(2, 3, 80, 80)  # fmt: skip


def export(folder: Path) -> dict[str, tuple[Path, tuple[int, ...], int]]:
    """Files by model, with the shape of a row and, for words, how many there are."""
    import torch

    warnings.simplefilter("ignore")
    made = {}
    for name, module, example in models():
        file = folder / f"{name.replace(' ', '_')}.onnx"
        shapes = ({0: torch.export.Dim("rows")},)
        torch.onnx.export(module.eval(), (example,), str(file), dynamo=True, dynamic_shapes=shapes, verbose=False)
        made[name] = (file, tuple(example.shape[1:]), 200_000 if example.dtype == torch.int64 else 0)
    return made


def feed(name: str, shape: tuple[int, ...], words: int, batch: int) -> dict[str, np.ndarray]:
    """Rows under the name of the model's input."""
    draw = np.random.default_rng(batch)
    if words:
        return {name: draw.integers(0, words, (batch, *shape), dtype=np.int64)}
    return {name: draw.normal(size=(batch, *shape)).astype(np.float32)}


def visit(runtime: str, precision: str, files: dict[str, tuple[Path, tuple[int, ...], int]]) -> dict[str, float]:
    """Seconds a call by `model/batch`, the models in turn. Runs in a process of its own."""
    import onnx

    found: dict[str, float] = {}
    for name, (file, shape, words) in files.items():
        inputs = onnx.load(str(file), load_external_data=False).graph.input[0].name
        session = measured.opened(runtime, file, Setting(precision=precision, threads=1))
        for batch in BATCHES:
            found[f"{name}/{batch}"] = measured.seconds_of(session, feed(inputs, shape, words, batch))
        if session.facts().fell_back:
            raise SeatrialError(session.facts().fell_back)
        session.close()
    return found


def measure(files: dict[str, tuple[Path, tuple[int, ...], int]]) -> dict[tuple[str, str, str], list[float]]:
    """Seconds a call of every visit, by (runtime, precision, `model/batch`)."""
    seconds: dict[tuple[str, str, str], list[float]] = {}
    pools = {way: multiprocessing.get_context("spawn").Pool(1) for way in WAYS}
    for _ in range(VISITS):
        for way, pool in pools.items():
            for key, took in pool.apply(visit, (*way, files)).items():
                seconds.setdefault((*way, key), []).append(took)
    for pool in pools.values():
        pool.close()
    return seconds


def predict(files: dict[str, tuple[Path, tuple[int, ...], int]], fresh: bool) -> tuple[dict[tuple[str, str, str], tuple[float, float, float]], dict[tuple[str, str], Device]]:  # fmt: skip
    """(value, low, high) seconds by (runtime, precision, `model/batch`), and this machine as each runtime and precision sees it."""
    made, devices = {}, {}
    machine = here.measured(fresh)
    for runtime, precision in WAYS:
        reached = here.reach(runtime, precision, fresh=fresh)
        device = devices[runtime, precision] = this_machine(reached, machine.levels[1], {}, "here")
        for name, (file, *_) in files.items():
            count = forecast.file_counter(file, {})
            for batch in BATCHES:
                took = forecast.seconds(device, count, batch)
                made[runtime, precision, f"{name}/{batch}"] = (took.value, took.low, took.high)
    return made, devices


def ratios(predicted: dict, devices: dict, seconds: dict) -> tuple[list[bool], list[bool], list[bool]]:
    """Of pairs of ways at one model and batch: whether the order is claimed; of those whether it is right; whether the range holds the ratio."""
    claimed, right, inside = [], [], []
    for one, other in itertools.combinations(seconds, 2):
        if one[2] == other[2]:
            ratio = against(devices[one[:2]], devices[other[:2]], predicted[one][0], predicted[other][0])
            measured_ratio = seconds[other] / seconds[one]
            claimed.append(not ratio.low <= 1 <= ratio.high)
            inside.append(ratio.low <= measured_ratio <= ratio.high)
            if claimed[-1]:
                right.append((ratio.value > 1) == (measured_ratio > 1))
    return claimed, right, inside


def ranked(predicted: dict, visits: dict) -> tuple[list[bool], list[bool]]:
    """Whether a pair of candidates of one model was put in the right order: for pairs whose visits lie apart, and for all pairs."""
    apart, every = [], []
    for one, other in itertools.combinations(visits, 2):
        if one[2].split("/")[0] == other[2].split("/")[0]:
            (p, m), (q, n) = (
                (predicted[key][0] / rows, [took / rows for took in visits[key]])
                for key, rows in ((key, int(key[2].split("/")[1])) for key in (one, other))
            )
            right = (p < q) == (min(m) < min(n))
            every.append(right)
            if max(m) < min(n) or max(n) < min(m):
                apart.append(right)
    return apart, every


def main() -> None:
    """Predict, then measure, then compare."""
    with tempfile.TemporaryDirectory(prefix="seatrial-") as name:
        files = export(Path(name))
        predicted, devices = predict(files, "--fresh" in sys.argv)
        visits = measure(files)
    seconds = {key: min(took) for key, took in visits.items()}
    factors = {key: math.exp(abs(math.log(predicted[key][0] / took))) for key, took in seconds.items()}
    inside = [predicted[key][1] <= took <= predicted[key][2] for key, took in seconds.items()]
    apart, every = ranked(predicted, visits)
    claimed, right, held = ratios(predicted, devices, seconds)
    worst = max(factors, key=factors.__getitem__)
    if "--all" in sys.argv:
        for key, took in seconds.items():
            value, low, high = (f"{1e6 * one:.0f}" for one in predicted[key])
            print(f"{'/'.join(key):45} measured {1e6 * took:8.0f} µs, predicted {value} ({low} to {high}), factor {factors[key]:.2f}")  # fmt: skip
    by = {which: statistics.median(f for key, f in factors.items() if key[1] == which) for which in ("fp32", "bf16")}
    note = ", ".join(f"{which}: {value:.2f}" for which, value in by.items())
    tell(
        {
            "median_factor": Figure(
                statistics.median(factors.values()), 1.5, "x", len(factors), f"bar: at most; {note}"
            ),
            "worst_factor": Figure(factors[worst], 3.0, "x", len(factors), f"bar: at most; {'/'.join(worst)}"),
            "range_coverage": Figure(statistics.mean(inside), 0.8, "", len(inside), "bar: at least"),
            "ranking": Figure(
                statistics.mean(apart), 0.8, "", len(apart), "bar: at least; pairs whose visits lie apart"
            ),
            "ranking_all": Figure(statistics.mean(every), None, "", len(every), "all pairs, near ones too"),
            "settled": Figure(statistics.mean(claimed), None, "", len(claimed), "pairs of ways whose order is claimed"),
            "settled_right": Figure(statistics.mean(right or [True]), 0.9, "", len(right), "bar: at least"),
            "ratio_coverage": Figure(statistics.mean(held), 0.8, "", len(held), "bar: at least"),
        },
        [one for one in sys.argv[1:] if one == "--json"],
    )


if __name__ == "__main__":
    main()
