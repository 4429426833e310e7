"""Names of people are counted through Presidio where it is installed, and never shown; where its model isn't, it says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.audit import Auditing
from seatrial.contracts.finding import Finding, State
from seatrial.flow.audit import choose
from seatrial.testing import _faulty
from seatrial.testing.audits import carry_out, table

PART = catalog.find("audits", "personal_names")
NAMES = ("Ingrid Solheim", "Yusuf Demir")


def model(folder: Path) -> Path:
    """A language model that knows two names: enough to try the way to it, for none can be fetched in a test."""
    spacy = pytest.importorskip("spacy")
    pytest.importorskip("presidio_analyzer")
    made = spacy.blank("en")
    ruler = made.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": name} for name in NAMES])
    made.to_disk(folder / "model")
    return folder / "model"


def test_it_looks_only_where_it_is_named() -> None:
    chosen, lost = choose(Auditing(), Path())
    assert PART.name not in [one.part.name for one in chosen] + [one.part for one in lost]


def test_names_are_counted_and_stand_nowhere(tmp_path: Path) -> None:
    columns = _faulty.clean(300)
    for row in range(30):
        columns["note"][row] = f"{NAMES[row % 2]} asked about letter {row}"
    given = {"model": str(model(tmp_path))}
    found: dict[str, Finding] = {}
    for chunk in (300, 70):  # carry_out fails where a cell stands in a finding or a file
        found = {one.key: one for one in carry_out(PART, given, [table(columns, "train", "train", chunk, label="y")])}
        assert found["audit.personal_names{table=train}"].value == 30
        assert found["audit.personal_names{table=train}"].origin == "estimated"
    assert found["audit.personal_names.kind{column=note,kind=person,table=train}"].value == 30
    clean = carry_out(PART, given, [table(_faulty.clean(300), "train", "train", label="y")])
    assert {one.severity for one in clean} <= {None, "fine"}


def test_a_language_model_that_is_not_there_is_said(tmp_path: Path) -> None:
    pytest.importorskip("presidio_analyzer")
    columns = {"note": np.array(["one", "two"] * 50, object)}
    (found,) = carry_out_missing(columns)
    assert found.state is State.NOT_INSTALLED
    assert "python -m spacy download no_such_model" in found.note


def carry_out_missing(columns: dict[str, np.ndarray]) -> list[Finding]:
    return carry_out(PART, {"model": "no_such_model"}, [table(columns, "train", "train")])
