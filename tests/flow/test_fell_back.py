"""Whole studies with a provider that gives way, and with a device that nobody had tried: what the dossier, the terminal and the page say."""

from __future__ import annotations

import pytest
from small_study import STUDY, make

from seatrial import catalog
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, State
from seatrial.flow import study as flow

GIVES_WAY = '''"""Asked for a GPU, it takes the processor with a warning, as providers do."""
import importlib
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Facts
ACCEPTS = {"format": ("onnx",), "device": ("cpu",), "precision": ("fp32",)}
CANNOT = {"cpu": ("not run here", "written by its documentation; there was none at hand")}
class Options(PartOptions): pass
honest = importlib.import_module("seatrial.parts.runtimes.onnxruntime")
absent, import_framework = honest.absent, honest.import_framework
class Session:
    def __init__(self, inner): self._inner = inner
    def predict(self, values): return self._inner.predict(values)
    def close(self): self._inner.close()
    def facts(self): return FACTS
def open(artefact, setting, options): return Session(honest.open(artefact, setting, honest.Options()))
'''
FALLEN = 'Facts("cpu", "fp32", "3 of 9 operators ran on another provider: Gather")'
ALLOWED = 'Facts("cpu", "fp32", details={"note": "3 of 9 operators ran on another provider: Gather"})'


@pytest.fixture(scope="module")
def dossier(tmp_path_factory: pytest.TempPathFactory) -> Dossier:
    folder = tmp_path_factory.mktemp("fallen")
    for name, facts in (("fallen", FALLEN), ("allowed", ALLOWED)):
        (folder / f"{name}.py").write_text(GIVES_WAY.replace("FACTS", facts))
    start, end = STUDY.index("candidates:"), STUDY.index("reference:")
    grid = "candidates:\n  - {runtime: [onnxruntime, ./fallen.py, ./allowed.py], batch: 8}\n"
    text = STUDY[:start] + grid + STUDY[end:].replace("batch: 1}", "batch: 8}").replace("rounds: 2", "rounds: 1")
    return flow.run(make(folder, text.replace("[offline]", "[{offline: {seconds: 0.05}}]")))


def found(dossier: Dossier, runtime: str, what: str) -> Finding | None:
    return next((one for one in dossier.findings if one.what == what and f"/{runtime}/" in str(one.candidate)), None)


def told(dossier: Dossier, report: str) -> str:
    part = catalog.find("reports", report)
    made = catalog.load(part).render(dossier, catalog.options(part))
    return " ".join(str(made).split())


def test_what_gave_way_is_refused_and_has_no_figures(dossier: Dossier) -> None:
    refused = found(dossier, "./fallen.py", "run")
    assert refused is not None
    assert refused.state is State.REFUSED
    assert refused.note == "it did not run as asked: 3 of 9 operators ran on another provider: Gather"
    assert found(dossier, "./fallen.py", "throughput") is None
    assert found(dossier, "onnxruntime", "throughput") is not None
    for report in ("terminal", "html"):
        assert "it did not run as asked: 3 of 9 operators" in told(dossier, report)


def test_what_nobody_had_run_and_what_went_elsewhere_by_leave_are_told_in_the_report(dossier: Dossier) -> None:
    where = found(dossier, "./allowed.py", "executed.device")
    assert where is not None
    assert "3 of 9 operators ran on another provider" in where.note
    assert "nobody of Seatrial had run this before you did: `cpu` (written by its documentation" in where.note
    assert found(dossier, "./allowed.py", "throughput") is not None
    assert "nobody of Seatrial had run this before you did" in told(dossier, "html")
    plain = found(dossier, "onnxruntime", "executed.device")
    assert plain is not None
    assert plain.note == ""
