"""Takes part in a secure evaluation: starts this party's process, waits for it, and tells what came of it as a dossier."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from seatrial.contracts.candidate import Candidate, PartRef
from seatrial.contracts.dossier import Dossier, Entry, Run
from seatrial.contracts.parties import Opened
from seatrial.contracts.record import Record
from seatrial.contracts.verdict import Outcome, Verdict
from seatrial.errors import PartyError, WorkerCrashed
from seatrial.flow.environment import look, version
from seatrial.flow.keep import Keeper, keep_dossier
from seatrial.flow.secure import keys
from seatrial.flow.secure.order import Order
from seatrial.flow.secure.told import sentence, told
from seatrial.flow.trial import now

MODULE = "seatrial.flow.secure.worker"


class Part(Record):
    """What one party has in the end: its record, and the dossier that reports read."""

    opened: Opened
    dossier: Dossier


def take_part(order: Order) -> Part:
    """Play this party's part to its end. Raises `SeatrialError`: `PartyError` names whoever ended it."""
    keys.check(order.terms, order.role, Path(order.keys))
    started = now()
    opened = _opened(order)
    return Part(opened=opened, dossier=_dossier(order, opened, started))


def keep(part: Part, folder: Path) -> Path:
    """Keep the dossier among the runs of this folder, where `seatrial report` finds it; returns the run's folder."""
    return keep_dossier(Keeper(folder), part.dossier)


def _opened(order: Order) -> Opened:
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, text=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            try:
                process.stdin.write(order.model_dump_json(by_alias=True) + "\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except BrokenPipeError:
                answer = ""
            finally:
                process.kill()
        if not answer:
            complaints.seek(0)
            last = complaints.read().strip().splitlines()[-1:] or ["it said nothing"]
            raise WorkerCrashed(f"this party's process ended without an answer: {last[0][:500]}")
    said = json.loads(answer)
    if "error" in said:
        raise PartyError(said["error"], next_step=said["next"])
    return Opened.model_validate(said["opened"])


def _dossier(order: Order, opened: Opened, started: str) -> Dossier:
    terms = order.terms
    candidate = Candidate(model="private", runtime=PartRef(name="three parties"), precision=f"fixed{terms.fraction}")
    entry = Entry(id=candidate.id, label=f"{candidate.runtime} {candidate.precision}", candidate=candidate, reference=True, eligible=False)  # fmt: skip
    return Dossier(
        run=Run(
            id=f"{started[:19].replace(':', '').replace('-', '')}-{terms.hash[:8]}-{order.role}",
            study_file="terms.json",
            started=started,
            finished=now(),
            seconds=round(opened.waited + opened.seconds, 3),
            measured=1,
            seatrial=version("seatrial"),
        ),
        study={"name": f"secure evaluation {terms.hash[:8]}", "terms": terms.model_dump(mode="json")},
        candidates=(entry,),
        findings=told(terms, opened, entry.id),
        verdict=Verdict(
            outcome=Outcome.OPEN,
            candidates=(),
            recommended=None,
            sentence=f"{sentence(terms, opened)} No requirement was stated.",
            confidence=0.95,
            compared=1,
            level=0.95,
        ),
        environment=look(["mpyc", "numpy", "cryptography"]),
    )
