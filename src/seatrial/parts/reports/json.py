"""The whole dossier as one JSON file, for programs: every finding, judgement and artefact.

Its top-level fields are `schema, run, study, candidates, dropped, findings, verdict, environment, artefacts`, in this order;
`Dossier.model_validate_json` reads it back exactly. `schema` is raised when a field changes its meaning.
"""

from __future__ import annotations

from pydantic import Field

from seatrial.contracts.audited import Audited
from seatrial.contracts.changes import Changes
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.part import PartOptions

ACCEPTS = {"record": ("dossier", "changes", "audit")}
GIVES = {"suffix": ("json",), "file": ("dossier.json",)}
VERSION = 1


class Options(PartOptions):
    """How the file is laid out."""

    indent: int | None = Field(default=2, ge=0, le=8, description="spaces a level; `null` writes one line")


def render(dossier: Dossier, options: Options) -> str:
    """The dossier as JSON text, fields in the order in which `contracts/dossier.py` states them, ending in a newline."""
    return dossier.model_dump_json(by_alias=True, indent=options.indent) + "\n"


def render_changes(changes: Changes, options: Options) -> str:
    """What changed between two runs, as `contracts/changes.py` states it."""
    return changes.model_dump_json(by_alias=True, indent=options.indent) + "\n"


def render_audit(audited: Audited, options: Options) -> str:
    """What is wrong with data that was audited alone, as `contracts/audited.py` states it."""
    return audited.model_dump_json(by_alias=True, indent=options.indent) + "\n"
