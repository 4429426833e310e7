"""The page `docs/reference/gpus.md`: what `gpu.py` measured on a GPU beside what was predicted before, or the predictions alone.

`python _gpu_page.py` writes it anew from `gpu_predictions.json` and, where a GPU was at hand, `gpu_results.json`; `gpu.py` does so at its end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS, PREDICTIONS = HERE / "gpu_results.json", HERE / "gpu_predictions.json"
PAGE = HERE.parent / "docs" / "reference" / "gpus.md"
SHOWN = ("torch", "onnxruntime", "jax", "numpy", "onnx")
"""Packages whose versions are told, where they are there."""
OFFLINE = {"load": "offline"}
HEAD = """# On GPUs

What `make gpu` measures: both examples, a CNN of 2.8 M and a transformer of 3.2 M parameters on PyTorch (fp32, TF32, bf16, fp16; eager, compiled, as CUDA graphs), ONNX Runtime
(CUDA, TensorRT) and JAX, each beside its answers on the processor, with the energy that the GPU's own counter tells. Written by `benchmarks/_gpu_page.py` from
`benchmarks/gpu_predictions.json` and `benchmarks/gpu_results.json`.
"""
NONE = """
**Not run yet: no GPU was at hand.** What follows was predicted beforehand, and is there to be held against a measurement.
"""


def page(told: Mapping[str, Any], results: Mapping[str, Any] | None) -> str:
    """The whole page."""
    measured = _measured(results) if results else [NONE]
    return "\n".join([HEAD.rstrip("\n"), *measured, *_predicted(told)]) + "\n"


def _measured(results: Mapping[str, Any]) -> list[str]:
    lines = ["\n## Measured\n"]
    for name, one in results["models"].items():
        lines.append(f"### {name}\n")
        if "failed" in one:
            lines.append(f"Could not be measured: {one['failed']}\n")
            continue
        lines += [f"{_where(one)}. Verdict: {one['verdict']}\n", _table(*_rows(one)), *_left_out(one["left_out"])]
    return lines


def _where(one: Mapping[str, Any]) -> str:
    """Device, driver, versions and date of one model's run."""
    environment = one["environment"]
    versions = [f"{name} {environment['packages'][name]}" for name in SHOWN if environment["packages"].get(name, "not installed") != "not installed"]  # fmt: skip
    return f"{one['device']} (name, driver), {one['date']}; {', '.join(versions)}; processor {environment['cpu']}"


def _rows(one: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """A line for each candidate, the fastest first."""
    head = ["way", "rows/s", "over the reference", "predicted", "inside", "accuracy lost", "answers changed", "GPU's energy a row", "ran in"]  # fmt: skip
    predicted = {row["candidate"]: row for row in one["against_predictions"]}
    rows = []
    for candidate in dict.fromkeys(found["candidate"] for found in one["findings"] if found["candidate"]):
        mine = [found for found in one["findings"] if found["candidate"] == candidate]
        rate, row = _value(mine, "throughput", OFFLINE), predicted.get(candidate)
        cells = [
            " ".join(candidate.split("/")[1:5]),
            "" if rate is None else f"{rate:,.0f}",
            _text(_value(mine, "speedup", OFFLINE), "×"),
            "" if row is None else f"{row['predicted']['low']:,.0f} to {row['predicted']['high']:,.0f}",
            "" if row is None else "yes" if row["within"] else "no",
            _text(_value(mine, "accuracy.drop"), " pp", 100),
            _text(_value(mine, "flips"), " %", 100),
            _text(_value(mine, "energy.device", OFFLINE), " µJ", 1e6),
            str(_value(mine, "executed.precision") or ""),
        ]
        rows.append((rate or 0.0, cells))
    return head, [cells for _, cells in sorted(rows, key=lambda pair: -pair[0])]


def _value(mine: Iterable[Mapping[str, Any]], what: str, at: Mapping[str, Any] | None = None) -> Any:
    return next((found["value"] for found in mine if found["what"] == what and (at or {}).items() <= found["at"].items()), None)  # fmt: skip


def _text(value: Any, unit: str, times: float = 1.0) -> str:
    return "" if value is None else f"{times * value:.3g}{unit}"


def _left_out(dropped: Iterable[Mapping[str, Any]]) -> list[str]:
    """What could not be had, by its reason."""
    by: dict[str, list[str]] = {}
    for one in dropped:
        by.setdefault(one["reason"], []).append(" ".join(one["id"].split("/")[1:5]))
    return ["Left out:\n", *(f"- {', '.join(names)}: {why}" for why, names in by.items()), ""] if by else []


def _predicted(told: Mapping[str, Any]) -> list[str]:
    lines = [
        "\n## Predicted\n",
        f"By the roofline for an {told['device']}, written on {told['date']}, before anything was measured: rows a second with their range, and what holds it up.\n",
    ]
    rows = []
    for name, by in told["models"].items():
        batch = told["batch"][name]
        if "none" in by:
            rows.append([f"{name}, {batch} rows a call", "", by["none"], ""])
            continue
        rows += [
            [f"{name}, {batch} rows a call", precision, f"{one['value']:,.0f} ({one['low']:,.0f} to {one['high']:,.0f})", one["limit"]]
            for precision, one in by.items()
        ]  # fmt: skip
    return [*lines, _table(["model", "precision", "rows/s", "held up by"], rows)]


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def written() -> str:
    """The page as the files beside this one have it."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else None
    return page(json.loads(PREDICTIONS.read_text()), results)


if __name__ == "__main__":
    PAGE.write_text(written())
