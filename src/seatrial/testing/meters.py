"""The exam for meters: readings can be kept, and findings are what the meter says it gives, with bounds that hold their value."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.artefact import Artefact, Lineage, Signature
from seatrial.contracts.events import Events
from seatrial.contracts.finding import Finding
from seatrial.contracts.glossary import term
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Probe, Round


def exam(part: PartInfo) -> None:
    """Raises `AssertionError` where the meter doesn't do what meters do."""
    meter, options = catalog.load(part), catalog.options(part)
    load = part.accepts["load"][0]
    with tempfile.TemporaryDirectory() as folder:
        own = [meter.read(probe(Path(folder), load, seed, slow=1.0)) for seed in range(5)]
        other = [meter.read(probe(Path(folder), load, seed + 50, slow=2.0)) for seed in range(5)]
    for reading in own:
        json.dumps({name: value.tolist() if hasattr(value, "tolist") else value for name, value in reading.items()})
    alone = [Round(index, reading) for index, reading in enumerate(own)]
    paired = [Round(index, reading, theirs) for index, (reading, theirs) in enumerate(zip(own, other, strict=True))]
    for level in (0.95, 0.99):
        with_reference = list(meter.findings(paired, load, level, options))
        _sound(with_reference, part)
        assert {one.what for one in with_reference} >= set(part.gives["finding"]), (
            "a finding that it says it gives is absent"
        )
        _sound(list(meter.findings(alone, load, level, options)), part)
        assert not [one for one in meter.findings(alone, load, level, options) if one.against], (
            "a ratio to no reference"
        )
    _sound(list(meter.findings(alone[:1], load, 0.95, options)), part)


def probe(folder: Path, load: str, seed: int, slow: float) -> Probe:
    """What a meter sees after a block of 800 queries of about `slow` milliseconds."""
    rng = np.random.default_rng(seed)
    done = np.cumsum(rng.lognormal(0, 0.1, 800) * slow * 1e6).astype(np.int64)
    issued = np.concatenate([[0], done[:-1]])
    model = folder / "model.bin"
    model.write_bytes(b"0" * 1000)
    artefact = Artefact(
        format="onnx",
        files={"model": str(model)},
        hashes={"model": "0" * 64},
        signature=Signature(inputs=(), outputs=()),
        lineage=Lineage(recipe="exam"),
    )
    opening = {"import": 0.1 * slow, "load": 0.2 * slow, "first_answer": 0.05 + seed / 1000, "second_answer": 0.01}
    spent = {
        "queries": 800,
        "query": 1e-3 * slow,
        "wire": 8e-4 * slow,
        "server": (5 + seed % 3) * 1e-4 * slow,
        "way": "header",
    }
    return Probe(Events(issued=issued, done=done, samples=4) if load else None, opening, artefact, spent=spent)


def _sound(findings: list[Finding], part: PartInfo) -> None:
    for one in findings:
        where = f"{part.name}: {one.key}"
        assert one.candidate is None, f"{where} names a candidate: flow does that"
        known = term(one.what)
        share = known is not None and known.kind == "share"
        assert one.unit or one.better is None or one.value is None or share, f"{where} has no unit"
        assert one.method, f"{where} doesn't say its method"
        value: Any = one.value
        assert one.low is None or one.low <= value, f"{where}: the lower bound is above the value"
        assert one.high is None or value <= one.high, f"{where}: the upper bound is below the value"
