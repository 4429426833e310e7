"""A study small enough to be run by tests: a linear classifier as ONNX, rows as an .npz archive, three ways to run it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STUDY = """\
schema: 1
name: small
models:
  linear:
    forms: {onnx: {path: linear.onnx}}
    task: classification
    inputs: {x: {columns: x}}
    outputs: {logits: {means: logits, classes: [red, green, blue]}}
data:
  evaluation: {from: {npz: {path: rows.npz}}, label: label, roles: confirm}
candidates:
  - {runtime: onnxruntime, batch: [1, 8]}
  - {runtime: onnxruntime, variant: int8_dynamic, batch: 8}
  - {runtime: onnxruntime, precision: bf16, batch: 8}
reference: {runtime: onnxruntime, variant: as_is, batch: 1}
measure: {loads: [offline], rounds: 2, meters: [throughput, size], metrics: [accuracy, drop, flips]}
require:
  - at_least: {what: accuracy, bound: 0.5}
prefer: {what: speedup, at: {load: offline}}
reports: [json, html]
"""


def make(folder: Path, study: str = STUDY, rows: int = 400) -> Path:
    """Write model, rows and study into the folder; returns the study file."""
    random = np.random.default_rng(0)
    weights = random.normal(size=(4, 3)).astype(np.float32)
    x = random.normal(size=(rows, 4)).astype(np.float32)
    label = (x @ weights + random.normal(scale=0.1, size=(rows, 3))).argmax(axis=1)
    np.savez(folder / "rows.npz", x=x, label=label)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["logits"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 3])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, folder / "linear.onnx")
    file = folder / "study.yaml"
    file.write_text(study)
    return file


def seatrial(*words: str | Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in a folder, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "seatrial", *map(str, words)],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def on_a_terminal(*words: str | Path, folder: Path, **variables: str) -> tuple[int, str]:
    """Run a command line on a terminal of 40 x 110; returns the exit code and everything that was shown."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 110, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "CI")}
    process = subprocess.Popen(
        [sys.executable, "-m", "seatrial", *map(str, words)],
        cwd=folder,
        env=clean | {"TERM": "xterm-256color"} | variables,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # the other side is gone: how Linux says the end of a terminal
        pass
    finally:
        os.close(ours)
    return process.wait(timeout=60), shown.decode(errors="replace")
