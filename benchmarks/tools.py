"""Our figures beside those of the tools that come with two runtimes: OpenVINO's `benchmark_app`, and ONNX Runtime's own test tool.

python benchmarks/tools.py [--rounds 20] [--busy] [--json]

    single_stream_onnxruntime_fp32      mean time of one row over that of `python -m onnxruntime.tools.onnxruntime_test`
    single_stream_openvino_fp32, _bf16  median time of one row over that of `benchmark_app`, which takes the time inside the runtime
    single_stream_openvino_*_whole      the same as a mean of whole calls, handing over the input counted by both
    single_stream_openvino_*_fixed      the median over that of `benchmark_app -b 1`, as most people call it: `-b` makes another model, of a fixed batch
    offline_onnxruntime_fp32            rows a second in batches of 32 over the tool's
    offline_openvino_fp32, _bf16        the same over `benchmark_app`'s

The same file, one thread, one call at a time, the same batch and hint of precision; in turn, in random order within each round, on one
processor a round; ratios are paired by round, and their median is told. Each block of a tool is a process of its own; one that waited for its
processor is run again, as blocks of ours are; with `--busy` it counts after a second try, and the note says how many did.

ONNX Runtime's `onnxruntime_perf_test` isn't in its package. Of what is there, `onnxruntime.tools.onnxruntime_test` assumes least: any model, random numbers of the
inputs' shapes, `run` in a loop. (`onnxruntime.transformers.benchmark` and `bert_perf_test` know language models alone.)
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _beside import MODEL, Contender, Ours, Told, in_turn, rates, ratio
from _table import Figure, tell

from seatrial.flow import arrays
from seatrial.flow.quiet import MOST_DELAY_SHARE, pin

ROUNDS, BATCH = 20, 32
TIMED_S = 1
"""How long `benchmark_app` asks, at the end of its process."""
HINTS = {"fp32": ("f32", "float32"), "bf16": ("bf16", "bfloat16")}
"""What `benchmark_app` is told of a precision, and what it says back."""
INSIDE = "its clock starts inside the runtime: handing over the input and taking the answer to Python is left out"
WHOLE = "both count handing over the input; ours also checks its name and type, hands out the answer and takes the time twice a call"
FIXED = "its model has a fixed batch, the file's is free; and its clock starts inside the runtime"
COLD = "its mean counts its first calls, ours were warm"
SHAPE = (1, 28, 28)


class OwnTool:
    """Blocks of ONNX Runtime's tool, a fresh process each; one random input, and the mean of all its calls, the first ones included.

    It has no option for threads: the model's copy says it in its metadata, which ONNX Runtime reads where it is told to.
    """

    TOLD = re.compile(r"avg latency: ([0-9.e-]+) ms")

    def __init__(self, folder: Path, batch: int, calls: int = 0) -> None:
        import onnx

        model = onnx.load(MODEL)
        axis = model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
        onnx.helper.set_model_props(model, {"ort_config": json.dumps({"session_options": {"intra_op_num_threads": 1}})})
        file = folder / f"one_thread_{batch}.onnx"
        onnx.save(model, file)
        tool = [sys.executable, "-m", "onnxruntime.tools.onnxruntime_test"]
        self._command = [*tool, str(file), str(calls or 4000 // batch), "--symbolic_dims", f"{axis}={batch}"]

    def block(self, core: int) -> tuple[Told, bool]:
        """The mean; it tells no median."""
        said, disturbed = _on(core, self._command, os.environ | {"ORT_LOAD_CONFIG_FROM_MODEL": "1"})
        return {"mean": float(self.TOLD.search(said).group(1)) / 1e3}, disturbed

    def close(self) -> None:
        """Nothing is open."""


class App:
    """Blocks of OpenVINO's tool, a fresh process each; random input, handed over anew for each call.

    The file's batch is free, and stays so unless `fixed`: then the tool makes a model of one batch of it (`-b`).
    """

    MEDIAN = re.compile(r"Median: +([0-9.]+) (us|ms)")
    RATE = re.compile(r"Throughput: +([0-9.]+) FPS")
    SAID = {
        "hint of precision": re.compile(r"INFERENCE_PRECISION_HINT: <Type: '(\w+)'>"),
        "threads": re.compile(r"INFERENCE_NUM_THREADS: (\d+)"),
        "batch": re.compile(r"Model batch size: (\S+)"),
    }

    def __init__(self, precision: str, batch: int, fixed: bool = False) -> None:
        named = {"m": MODEL, "d": "CPU", "api": "sync", "hint": "none", "nireq": 1, "nstreams": 1, "nthreads": 1, "pin": "NO", "inference_only": "false", "infer_precision": HINTS[precision][0], "t": TIMED_S}  # fmt: skip
        named |= {"b": batch} if fixed else {"shape": _shape("?"), "data_shape": _shape(batch)}
        tool = Path(sys.executable).with_name("benchmark_app")
        self._command = [str(tool), *(str(word) for name, value in named.items() for word in (f"-{name}", value))]
        self._wanted = {"hint of precision": HINTS[precision][1], "threads": "1", "batch": str(batch) if fixed else "?"}
        self._batch = batch

    def block(self, core: int) -> tuple[Told, bool]:
        """The median inside the runtime, and the mean of whole calls. Raises `SystemExit` where it ran otherwise than asked."""
        said, disturbed = _on(core, self._command, last=TIMED_S)
        for name, wanted in self._wanted.items():
            found = self.SAID[name].search(said)
            if found is None or found.group(1) != wanted:
                raise SystemExit(f"benchmark_app ran with another {name} than {wanted}: {found and found.group(1)}")
        value, unit = self.MEDIAN.search(said).groups()
        whole = self._batch / float(self.RATE.search(said).group(1))
        return {"median": float(value) * {"us": 1e-6, "ms": 1e-3}[unit], "mean": whole}, disturbed

    def close(self) -> None:
        """Nothing is open."""


def _shape(batch: int | str) -> str:
    return f"[{','.join(map(str, (batch, *SHAPE)))}]"


def _on(
    core: int, command: list[str], env: dict[str, str] | None = None, last: float | None = None
) -> tuple[str, bool]:
    """What a command says that is run on this processor, and whether its threads waited for it, as `flow/quiet.py` counts that.

    Where only the `last` seconds are timed, only those count: before, its own threads compile the model on the one processor, and wait for each other.
    """
    allowed, began = os.sched_getaffinity(0), time.perf_counter()
    seen: list[tuple[float, dict[str, int]]] = [(0.0, {})]
    with tempfile.TemporaryFile() as file:
        pin([core])
        try:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=env)
            pin(sorted(allowed - {core} or allowed))  # who looks on is no other work
            while process.poll() is None:
                seen.append((time.perf_counter() - began, seen[-1][1] | _waited(process.pid)))
                time.sleep(0.05)
        finally:
            pin(sorted(allowed))
        took = time.perf_counter() - began
        file.seek(0)
        said = file.read().decode(errors="replace")
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}: {said[-500:]}")
    start = 0.0 if last is None else took - last
    before = [waited for at, waited in seen if at <= start][-1]
    waited = sum(time_ - before.get(thread, 0) for thread, time_ in seen[-1][1].items())
    return said, waited / 1e9 > MOST_DELAY_SHARE * (took - start)


def _waited(pid: int) -> dict[str, int]:
    """Nanoseconds that each thread has waited for a processor so far; without those that have just ended."""
    found = {}
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            found[file.parent.name] = int(file.read_text().split()[1])
    return found


def pairs(folder: Path) -> dict[str, Contender]:
    """Ours and the tool's for each load, runtime and precision."""
    rows = np.random.default_rng(0).standard_normal((2 * BATCH, 1, 28, 28)).astype(np.float32)
    values = {"image": arrays.save(folder, rows)}
    made: dict[str, Contender] = {}
    for load, batch in (("single_stream", 1), ("offline", BATCH)):
        made[f"{load} onnxruntime fp32 ours"] = Ours(folder, values, load=load, batch=batch)
        made[f"{load} onnxruntime fp32 tool"] = OwnTool(folder, batch)
        for precision in HINTS:
            made[f"{load} openvino {precision} ours"] = Ours(folder, values, "openvino", precision, load, batch)
            made[f"{load} openvino {precision} tool"] = App(precision, batch)
            if load == "single_stream":
                made[f"{load} openvino {precision} fixed"] = App(precision, batch, fixed=True)
    return made


def figures(found: dict[str, list[Told]]) -> dict[str, Figure]:
    """Each ratio with its reason."""
    told = {}
    single, offline = "single_stream onnxruntime fp32", "offline onnxruntime fp32"
    told["single_stream_onnxruntime_fp32"] = ratio(found, f"{single} ours", f"{single} tool", COLD, "mean")
    for precision in HINTS:
        name = f"single_stream openvino {precision}"
        told[f"single_stream_openvino_{precision}"] = ratio(found, f"{name} ours", f"{name} tool", INSIDE)
        told[f"single_stream_openvino_{precision}_whole"] = ratio(found, f"{name} ours", f"{name} tool", WHOLE, "mean")
        told[f"single_stream_openvino_{precision}_fixed"] = ratio(found, f"{name} ours", f"{name} fixed", FIXED)
    told["offline_onnxruntime_fp32"] = rates(found, f"{offline} ours", f"{offline} tool", BATCH, COLD)
    for precision in HINTS:
        name = f"offline openvino {precision}"
        told[f"offline_openvino_{precision}"] = rates(found, f"{name} ours", f"{name} tool", BATCH, WHOLE)
    return told


def main() -> None:
    rounds = int(sys.argv[sys.argv.index("--rounds") + 1]) if "--rounds" in sys.argv else ROUNDS
    with tempfile.TemporaryDirectory() as name:
        found = in_turn(pairs(Path(name)), rounds, "--busy" in sys.argv)
    tell(figures(found))


if __name__ == "__main__":
    main()
