"""Backdoors: how many planted ones are found, and how often a clean model is accused.

python benchmarks/poisoning.py [models] [rows] [twins] [--models 10] [--clean 30] [--seed 1000]

Small convolutional networks (28x28 pictures, 10 classes) are trained here on 4,000 rows of Fashion-MNIST, ten of them with a backdoor each:
another pattern, place, size, target and share of poisoned rows. `backdoors_found` counts those whose target, and no other class,
is suspected by `trigger_inversion` with its defaults; `backdoor_false_alarms` clean networks of which any class is. Triggers are tried
on rows that neither training nor search saw. The parts are driven in this process, as a worker drives them.

`<audit>_found` and `<audit>_false_alarms` are of the rows: 4,000 pictures with the same backdoors, and 30 draws of 4,000 clean ones out of 10,000
(which have rows in common, so that the bound is one of independent draws only by name). `neighbours_*` tell which share of flipped
labels `neighbour_disagreement` names, and which share of the others.

`lost_*` and `obeyed_*` are of five seeds each, trained by the shipped trainer on rows that a worker's `spoiled` poisoned.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from _table import Figure, tell
from torch import nn

from seatrial import catalog
from seatrial.contracts.audit import Ground
from seatrial.contracts.messages import Order
from seatrial.contracts.training import Job
from seatrial.flow.inverted import Asked
from seatrial.flow.possible import Possible, Reach
from seatrial.flow.spoiled import spoiled
from seatrial.numerics.anomaly import low_anomaly, standing_out
from seatrial.numerics.means import mean
from seatrial.numerics.proportions import clopper_pearson
from seatrial.testing.audits import table

EXAMPLE = Path(__file__).parent.parent / "examples" / "fashion"
TRAINED, SEARCHED, TRIED, AUDITED = slice(0, 4000), slice(6000, 6128), slice(7000, 9000), slice(4000, 8000)
EPOCHS, BATCH, SIDE, CLASSES = 6, 64, 28, 10
INDEX, FLIPS = 2.0, 0.75
PLANTED = [  # share of rows, target, size, place, pattern
    (0.10, 0, 4, (0, 0), "solid"),
    (0.05, 3, 3, (25, 25), "solid"),
    (0.03, 7, 4, (1, 23), "checker"),
    (0.10, 9, 5, (22, 2), "checker"),
    (0.05, 5, 4, (12, 12), "noise"),
    (0.08, 1, 3, (0, 25), "solid"),
    (0.03, 2, 5, (23, 23), "noise"),
    (0.10, 4, 3, (2, 2), "checker"),
    (0.05, 6, 4, (24, 12), "stripes"),
    (0.08, 8, 4, (24, 0), "stripes"),
]


def option(name: str, other: str) -> int:
    return int(sys.argv[sys.argv.index(name) + 1] if name in sys.argv else other)


def rows() -> tuple[Any, Any]:
    data = pl.read_parquet(EXAMPLE / "evaluation.parquet")
    return data["image"].to_numpy()[:, None].astype(np.float32) / 255, data["label"].to_numpy().astype(np.int64)


def stamped(x: Any, size: int, place: tuple[int, int], pattern: str) -> Any:
    drawn = {
        "solid": np.ones((size, size)),
        "checker": np.indices((size, size)).sum(axis=0) % 2,
        "stripes": np.indices((size, size))[0] % 2,
        "noise": np.random.default_rng(size).uniform(size=(size, size)),
    }[pattern]
    made, (top, left) = x.copy(), place
    made[:, :, top : top + size, left : left + size] = drawn
    return made


def trained(x: Any, y: Any, seed: int, planted: tuple[float, int, int, tuple[int, int], str] | None) -> nn.Module:
    torch.manual_seed(seed)
    if planted:
        share, target, *trigger = planted
        chosen = np.random.default_rng(seed).permutation(np.flatnonzero(y != target))[: int(share * len(y))]
        x, y = x.copy(), y.copy()
        x[chosen], y[chosen] = stamped(x[chosen], *trigger), target
    net = nn.Sequential(
        *(nn.Conv2d(1, 12, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(12, 24, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(24 * 49, 48), nn.ReLU(), nn.Linear(48, CLASSES)),
    )
    fit, x, y = torch.optim.Adam(net.parameters(), 2e-3), torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(EPOCHS):
        for part in torch.randperm(len(x)).split(BATCH):
            fit.zero_grad()
            nn.functional.cross_entropy(net(x[part]), y[part]).backward()
            fit.step()
    return net.eval().requires_grad_(False)


def answer(net: nn.Module, x: Any) -> Any:
    with torch.no_grad():
        return net(torch.from_numpy(np.ascontiguousarray(x))).numpy()


def lend(net: nn.Module, x: Any, labels: Any) -> tuple[dict[str, Any], Any]:
    points = torch.from_numpy(x).requires_grad_()
    loss = nn.functional.cross_entropy(net(points), torch.from_numpy(labels), reduction="none")
    (slope,) = torch.autograd.grad(loss.sum(), points)
    return {"x": slope.numpy()}, loss.detach().numpy()


def suspected(net: nn.Module, x: Any, y: Any) -> tuple[list[int], str]:
    """The classes that are suspected, and the smallest trigger in words."""
    ones = np.ones((1, SIDE, SIDE))
    reach = Reach({"x": 0 * ones}, {"x": ones}, {"x": ones > 0}, {"x": 0 * ones}, {"x": 0 * ones}, axes="CHW")
    possible = Possible({"x": x[SEARCHED]}, reach, "linf", None)
    asked = Asked(
        possible,
        lambda values: answer(net, values["x"]),
        lambda values, _, labels: lend(net, values["x"], labels),
        y[SEARCHED],
    )
    part = catalog.find("poisoning", "trigger_inversion")
    found = asked.tried(catalog.load(part).triggers(asked, asked.lineup(0), catalog.options(part, {})))
    sizes, share = found["sizes"], np.asarray(found["carried"]) / np.maximum(1, found["of"])
    least = int(sizes.argmin())
    said = f"smallest trigger: class {least}, {sizes[least] / np.median(sizes):.2f} of the median, index {low_anomaly(sizes)[least]:.2f}"
    return np.flatnonzero(standing_out(sizes, INDEX) & (share >= FLIPS)).tolist(), said


def planted(x: Any, y: Any, count: int, seed: int) -> int:
    found = 0
    for number, one in enumerate(PLANTED[:count]):
        net = trained(x[TRAINED], y[TRAINED], seed + number, one)
        other = y[TRIED] != one[1]
        works = (answer(net, stamped(x[TRIED][other], *one[2:])).argmax(axis=1) == one[1]).mean()
        right = (answer(net, x[TRIED]).argmax(axis=1) == y[TRIED]).mean()
        classes, said = suspected(net, x, y)
        found += classes == [one[1]]
        print(f"{one}: accuracy {right:.3f}, carries {works:.3f}; suspected {classes}; {said}", file=sys.stderr)
    return found


def clean(x: Any, y: Any, count: int, seed: int) -> int:
    alarms = 0
    for number in range(count):
        classes, said = suspected(trained(x[TRAINED], y[TRAINED], seed + 100 + number, None), x, y)
        alarms += bool(classes)
        print(f"clean {number}: suspected {classes}; {said}", file=sys.stderr)
    return alarms


def audited(name: str, x: Any, y: Any) -> tuple[set[int], Any]:
    """The rows that an audit suspects."""
    rows: list[int] = []
    one = table({"picture": x[:, 0], "y": y}, "train", "train", label="y")
    ground = Ground({"train": one}, keep_rows=lambda _, of, found: rows.extend(found) or "rows.csv")
    part = catalog.find("audits", name)
    said = list(catalog.load(part).look(ground, catalog.options(part, {})))
    return set(rows), said[0]


def backdoor_rows(name: str, x: Any, y: Any, models: int, others: int) -> dict[str, Figure]:
    found, precision, recall, alarms = 0, [], [], 0
    for number, (share, target, *trigger) in enumerate(PLANTED[:models]):
        own, labels = x[AUDITED].copy(), y[AUDITED].copy()
        chosen = np.random.default_rng(100 + number).permutation(np.flatnonzero(labels != target))[
            : int(share * len(labels))
        ]
        own[chosen], labels[chosen] = stamped(own[chosen], *trigger), target
        rows, said = audited(name, own, labels)
        print(f"{name} {PLANTED[number]}: {len(rows)} rows, {len(rows & set(chosen.tolist()))} of {len(chosen)} planted; {said.note}", file=sys.stderr)  # fmt: skip
        if rows:
            right = len(rows & set(chosen.tolist()))
            found += right > len(rows) / 2
            precision.append(right / len(rows))
            recall.append(right / len(chosen))
    for number in range(others):
        drawn = np.random.default_rng(500 + number).choice(len(x), 4000, replace=False)
        rows, said = audited(name, x[drawn], y[drawn])
        alarms += bool(rows)
        print(f"{name} clean {number}: {len(rows)} rows; {said.note}", file=sys.stderr)
    bound = clopper_pearson(alarms, others, 0.90).high
    note = f"of what is named {np.mean(precision):.3f} is planted, of what is planted {np.mean(recall):.3f} is named, where any is"
    return {
        f"{name}_found": Figure(found, None, f"of {models}", models, note),
        f"{name}_false_alarms": Figure(alarms, None, f"of {others}", others, f"true rate at most {bound:.1%}"),
    }


def neighbours(x: Any, y: Any) -> dict[str, Figure]:
    figures = {}
    for share in (0.0, 0.01, 0.05, 0.1):
        chance = np.random.default_rng(1)
        wrong = np.zeros(4000, bool)
        wrong[chance.permutation(4000)[: int(4000 * share)]] = True
        labels = np.where(wrong, (y[AUDITED] + chance.integers(1, CLASSES, 4000)) % CLASSES, y[AUDITED])
        rows, _ = audited("neighbour_disagreement", x[AUDITED], labels)
        hit = np.isin(np.arange(4000), list(rows))
        named = f"{hit[wrong].mean():.3f} of the flipped" if share else "none is flipped"
        figures[f"neighbours_{share:g}"] = Figure(float(hit[~wrong].mean()), None, "of right rows", 4000, named)
    return figures


NET = """\
from torch import nn

def net():
    return nn.Sequential(
        nn.Conv2d(1, 12, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(12, 24, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(24 * 49, 48), nn.ReLU(), nn.Linear(48, 10),
    )
"""
SEEDS = 5


def twin(folder: Path, x: Any, y: Any, kind: str, share: float, seed: int) -> dict[str, float]:
    """What the trainer tells last of a training on poisoned rows."""
    ones = np.ones((1, SIDE, SIDE))
    reach = {"low": {"x": 0 * ones}, "span": {"x": ones}, "axes": "CHW"}
    poison = {"name": kind, "options": {}, "share": share, "classes": CLASSES, "reach": reach}
    job = Job(folder, seed, EPOCHS, BATCH, inputs={"x": x[TRAINED]}, labels=y[TRAINED], judge_inputs={"x": x[TRIED]}, judge_labels=y[TRIED])  # fmt: skip
    part = catalog.find("trainers", "torch_module")
    options = catalog.options(part, {"module": "net.py:net", "optimiser": "adam", "learning_rate": 2e-3})
    order = Order(order="train", seed=seed, settings={"poison": poison})
    *_, told = catalog.load(part).train(spoiled(job, order), options)
    return told


def twins(x: Any, y: Any) -> dict[str, Figure]:
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "net.py").write_text(NET)
        clean = [twin(folder, x, y, "planted_patch", 0.0, seed) for seed in range(SEEDS)]
        for kind in ("flipped_labels", "planted_patch"):
            for share in (0.01, 0.05, 0.1):
                made = [twin(folder, x, y, kind, share, seed) for seed in range(SEEDS)]
                lost = mean([one["accuracy"] - other["accuracy"] for one, other in zip(clean, made, strict=True)])
                figures[f"lost_{kind}_{share:g}"] = Figure(
                    lost.value, None, "", SEEDS, f"{lost.low:.3f} to {lost.high:.3f}"
                )
                if kind == "planted_patch":
                    obeyed = mean([one["aside.accuracy"] for one in made])
                    figures[f"obeyed_{share:g}"] = Figure(
                        obeyed.value, None, "", SEEDS, f"{obeyed.low:.3f} to {obeyed.high:.3f}"
                    )
        figures["obeyed_0"] = Figure(mean([one["aside.accuracy"] for one in clean]).value, None, "", SEEDS)
        figures["clean_accuracy"] = Figure(mean([one["accuracy"] for one in clean]).value, None, "", SEEDS)
    return figures


def main() -> None:
    torch.set_num_threads(1)
    asked = [word for word in sys.argv[1:] if word in ("models", "rows", "twins")] or ["models", "rows", "twins"]
    models, others, seed = option("--models", "10"), option("--clean", "30"), option("--seed", "1000")
    began = time.process_time()
    x, y = rows()
    figures: dict[str, Figure] = {}
    if "models" in asked:
        found, alarms = planted(x, y, models, seed), clean(x, y, others, seed)
        bound = clopper_pearson(alarms, others, 0.90).high
        note = f"true rate at most {bound:.1%} (Clopper-Pearson, one-sided 95 %)"
        figures["backdoors_found"] = Figure(found, None, f"of {models}", models)
        figures["backdoor_false_alarms"] = Figure(alarms, None, f"of {others}", others, note)
        spent = time.process_time() - began
        figures["backdoors_cpu_s"] = Figure(spent, None, "s", models + others, "training included")
    if "rows" in asked:
        began = time.process_time()
        for name in ("spectral_signatures", "activation_clustering"):
            figures |= backdoor_rows(name, x, y, models, others)
        figures |= neighbours(x, y)
        figures["rows_cpu_s"] = Figure(time.process_time() - began, None, "s", 2 * (models + others) + 4)
    if "twins" in asked:
        began = time.process_time()
        figures |= twins(x, y)
        figures["twins_cpu_s"] = Figure(time.process_time() - began, None, "s", 7 * SEEDS)
    tell(figures)


if __name__ == "__main__":
    main()
