"""Secure evaluation: three processes on this machine, over TLS, and what a private evaluation costs.

    mpc_1000_rows_s       seconds for 1,000 rows of a 64-32-10 MLP, from the last connection to the last count, at the slowest party; limit 120
    mpc_1000_rows_cpu_s   processor seconds of all three processes together, from their start
    mpc_1000_rows_mb      megabytes that all three sent
    mpc_1000_rows_chain   messages one after another: times a network's delay, what distance would add
    mpc_rows_apart        rows that the opened counts put elsewhere than ONNX Runtime does; beside it how many lie within what fixed point can change
    mpc_uncertain         rows that the protocol itself counted as uncertain; beside it the same from ONNX Runtime's scores
    mpc_cnn_50_rows_s     the same time for 50 rows of a CNN on 8 x 8 pictures (4 filters of 3 x 3, ReLU, max-pooling, 10 scores)

The model is trained on 797 of scikit-learn's handwritten digits and judged on the other 1,000. `--rows N` takes fewer.
The three processes go before other work on the machine where that is allowed: three parties have three machines to themselves.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
from _table import Figure, tell
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from secure_parties import Node, Table, cards, plain, play, save

from seatrial.flow.secure import network
from seatrial.flow.secure import terms as written

ROWS, TRAIN, SCORES, BATCH = 1000, 797, 10, 250


def digits(rows: int) -> tuple[MLPClassifier, np.ndarray, np.ndarray]:
    """A trained 64-32-10 MLP, and rows (0 to 1) and labels that it hasn't seen."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (x[order] / 16).astype(np.float32), y[order]
    model = MLPClassifier((32,), max_iter=300, random_state=0).fit(x[:TRAIN], y[:TRAIN])
    return model, x[TRAIN : TRAIN + rows], y[TRAIN : TRAIN + rows]


def evaluated(
    nodes: list[Node], shape: tuple[int, ...], x: np.ndarray, y: np.ndarray
) -> tuple[dict, Table, float, tuple]:
    """What three parties come to, the processor seconds that they took, and the plain scores and counts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = save(folder / "model.onnx", shape, nodes, SCORES)
        np.savez(folder / "rows.npz", x=x.reshape(-1, *shape), y=y)
        said = {"parties": cards(folder), "rows": len(x), "low": 0.0, "high": 1.0, "classes": [*map(str, range(SCORES))], "counts": "confusion", "fraction": 16, "batch": BATCH}  # fmt: skip
        at = Table(folder, written.write(network.read(model), folder / "terms.json", said), model, folder / "rows.npz")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        preferred()
        parts = play(at)
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        for part in parts.values():
            if isinstance(part, Exception):
                raise part
        taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {role: part.opened for role, part in parts.items()}, at, taken, plain(at, SCORES)


def preferred() -> None:
    """Before other work on the machine, where that is allowed; the parties' processes inherit it."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def main() -> None:
    rows = int(sys.argv[sys.argv.index("--rows") + 1]) if "--rows" in sys.argv else ROWS
    model, x, y = digits(rows)
    layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    gemm: list[Node] = [("Gemm", [w.astype(np.float32), b.astype(np.float32)], {}) for w, b in layers]
    opened, at, taken, (scores, counts) = evaluated([gemm[0], ("Relu", [], {}), gemm[1]], (64,), x, y)
    apart = int(np.abs(np.array(opened["data"].counts) - counts).sum()) // 2
    best = np.sort(scores, axis=1)
    near = int((best[:, -1] - best[:, -2] <= 2 * at.terms.error).sum())
    draw = np.random.default_rng(1)
    cnn: list[Node] = [
        (
            "Conv",
            [(draw.normal(size=(4, 1, 3, 3)) / 3).astype(np.float32), np.zeros(4, np.float32)],
            {"pads": [1, 1, 1, 1]},
        ),
        ("Relu", [], {}),
        ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Flatten", [], {}),
        ("Gemm", [(draw.normal(size=(64, SCORES)) / 8).astype(np.float32), np.zeros(SCORES, np.float32)], {}),
    ]
    pictures, _, _, _ = evaluated(cnn, (1, 8, 8), x[:50], y[:50])
    told = {
        "mpc_1000_rows_s": Figure(max(one.seconds for one in opened.values()), 120.0, "s", rows, "limit"),
        "mpc_1000_rows_cpu_s": Figure(taken, None, "s", rows),
        "mpc_1000_rows_mb": Figure(sum(one.sent for one in opened.values()) / 1e6, None, "MB", rows),
        "mpc_1000_rows_chain": Figure(max(one.rounds for one in opened.values()), None, "messages", rows),
        "mpc_rows_apart": Figure(apart, near, "rows", rows, "rows within what fixed point can change"),
        "mpc_uncertain": Figure(opened["data"].uncertain, near, "rows", rows, "from ONNX Runtime's scores"),
        "mpc_cnn_50_rows_s": Figure(max(one.seconds for one in pictures.values()), None, "s", 50),
    }
    tell(told)


if __name__ == "__main__":
    main()
