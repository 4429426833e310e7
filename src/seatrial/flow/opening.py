"""Inside the worker: a session of an artefact, with the steps that stand before the model around it, so that they are timed, judged and attacked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Session, Setting


def opened(runtime: Any, artefact: Artefact, setting: Setting, options: Any, base: Path) -> Session:
    """The session; the first step is the outermost. Raises what the runtime raises, and `MissingPackage` for what a step needs."""
    session: Session = runtime.open(artefact, setting, options)
    for step in reversed(artefact.before):
        info = catalog.find("variants", step.name, base)
        catalog.require(info)
        session = catalog.load(info).around(session, step.options)
    return session
