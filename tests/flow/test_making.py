"""Artefacts: made side by side, none twice; the same bytes from the same seed; of what fails or is interrupted nothing stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_study import STUDY, make

import seatrial
from seatrial import catalog
from seatrial.contracts.messages import Order
from seatrial.errors import WorkerCrashed
from seatrial.flow import making

SLOW = '''"""A variant that takes its time, writes a part of a file first, and may fail."""

from pathlib import Path

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.errors import Unsupported

ACCEPTS = {"format": ("onnx",)}
GIVES = {"format": ("onnx",)}


class Options(PartOptions):
    """Which of several it is, whether it waits for another one to begin, and whether it fails."""

    number: int = 0
    beside: int | None = None
    fails: bool = False


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The same file under another name, after a while."""
    import hashlib
    import time

    content = Path(artefact.files["model"]).read_bytes()
    file = making.folder / "slow.onnx"
    file.write_bytes(content[:10])
    (making.base / f"begun-{options.number}").touch()
    begun = time.monotonic()
    while (making.base / "wait").exists() or (options.beside and not (making.base / f"begun-{options.beside}").exists()):
        time.sleep(0.02)
        if time.monotonic() - begun > 60:
            raise Unsupported("nobody came")
    if options.fails:
        raise Unsupported("it was not to be")
    file.write_bytes(content + bytes([0x32, 1, 0x30 + options.number]))  # a note of its own (`doc_string`), so that files differ
    hashes = {"model": hashlib.sha256(file.read_bytes()).hexdigest()}
    lineage = artefact.lineage.model_copy(update={"recipe": "slow", "parent": artefact.hash, "seed": making.seed})
    return artefact.model_copy(update={"files": {"model": str(file)}, "hashes": hashes, "lineage": lineage})
'''


def study(folder: Path, *variants: str) -> Path:
    """The small study with this variant in several ways."""
    (folder / "slow.py").write_text(SLOW)
    listed = ", ".join(("as_is", *variants))
    start, _, rest = STUDY.partition("candidates:")
    after = rest[rest.index("reference:") :].replace("batch: 1}", "batch: 8}")
    return make(folder, f"{start}candidates:\n  - {{runtime: onnxruntime, batch: 8, variant: [{listed}]}}\n{after}")


def made(folder: Path) -> list[str]:
    """What lies among the artefacts, finished or not."""
    place = folder / ".seatrial" / "artefacts"
    return sorted(str(path.relative_to(place)) for path in place.rglob("*")) if place.is_dir() else []


def test_artefacts_are_made_side_by_side_and_none_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of two waits for the other to begin; that a third begins with one of them doesn't make that one again."""
    ordered: list[str] = []
    honest = making.Maker._ordered

    def counted(self: making.Maker, order: object, *given: object) -> object:
        ordered.append(str(order.part))  # type: ignore[attr-defined]
        return honest(self, order, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(making.Maker, "_ordered", counted)
    monkeypatch.setattr(making, "os", SimpleNamespace(sched_getaffinity=lambda _: {0, 1}))
    one, other = "{./slow.py: {number: 1, beside: 2}}", "{./slow.py: {number: 2, beside: 1}}"
    chain = "{./slow.py+int8_weights: {./slow.py: {number: 1, beside: 2}}}"
    dossier = seatrial.run(study(tmp_path, one, other, chain), quick=True)
    told = [finding.note for finding in dossier.findings if finding.what == "run" and finding.value is None]
    assert not told
    assert len(ordered) == len(set(ordered)) == 4, ordered
    assert {line.recipe for line in (one.lineage for one in dossier.artefacts.values())} == {
        "given",
        "slow",
        "int8_weights",
    }


def test_of_what_fails_nothing_stays(tmp_path: Path) -> None:
    dossier = seatrial.run(study(tmp_path, "{./slow.py: {fails: true}}"), quick=True)
    (told,) = (finding for finding in dossier.findings if finding.what == "run" and finding.value is None)
    assert "it was not to be" in told.note
    assert (tmp_path / "begun-0").exists()
    assert made(tmp_path) == []


@pytest.mark.parametrize("ended", [signal.SIGINT, signal.SIGKILL])
def test_what_is_interrupted_half_way_is_made_whole_by_the_next_run(tmp_path: Path, ended: signal.Signals) -> None:
    file = study(tmp_path, "./slow.py")
    (tmp_path / "wait").touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "seatrial", "run", str(file), "--quick"], cwd=tmp_path, stdout=subprocess.DEVNULL
    )
    until = time.monotonic() + 120
    while not (tmp_path / "begun-0").exists():
        assert time.monotonic() < until, "it never began"
        time.sleep(0.05)
    process.send_signal(ended)
    process.wait(timeout=120)
    left = made(tmp_path)
    assert all(name.startswith(".partial-") for name in left), (
        "something half-made lies where it would be taken for whole"
    )
    assert bool(left) == (ended == signal.SIGKILL), "nobody can tidy up after that, but the next `clean`"
    (tmp_path / "wait").unlink()
    dossier = seatrial.run(file, quick=True)
    (artefact,) = (one for one in dossier.artefacts.values() if one.lineage.recipe == "slow")
    whole = Path(artefact.files["model"])
    assert whole.read_bytes()[:-3] == (tmp_path / "linear.onnx").read_bytes()
    assert whole.is_relative_to(tmp_path.resolve() / ".seatrial" / "artefacts")
    seatrial.run(file, quick=True)
    assert [name for name in made(tmp_path) if not name.startswith(".partial-")] == [
        whole.parent.name,
        f"{whole.parent.name}/slow.onnx",
    ]


def test_a_worker_that_is_ended_lets_go_whoever_waits_for_it(tmp_path: Path) -> None:
    """Closing a pipe under a thread that waits on it never wakes that thread: it would wait until the order's time is over."""
    info = catalog.find("executors", "process")
    part = catalog.load(info)
    for turn in range(3):
        link = part.start(tmp_path / f"{turn}.log", None, catalog.options(info))
        link.ask(Order(order="hello"), 60)
        os.kill(link.pid, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(link.ask, Order(order="hello"), 600)
            link.close()
            with pytest.raises(WorkerCrashed):
                asked.result(timeout=60)
        with pytest.raises(WorkerCrashed, match="broken off"):
            link.ask(Order(order="hello"), 600)
