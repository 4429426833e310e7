"""Suspicious training rows: which rows are named, what is said of clean ones, and what can't be looked at."""

from __future__ import annotations

import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.audit import Ground
from seatrial.contracts.finding import Severity, State
from seatrial.testing import _backdoored
from seatrial.testing._faulty import table

BACKDOORS = ("spectral_signatures", "activation_clustering")


def found(name: str, columns: dict, label: str = "y", **options: float):
    """The findings by name, and the rows that were named."""
    part, named = catalog.find("audits", name), []
    one = table(columns, "train", "train", label=label)
    ground = Ground({"train": one}, keep_rows=lambda called, of, rows: named.extend(rows) or "rows.csv")
    told = {made.what: made for made in catalog.load(part).look(ground, catalog.options(part, options))}
    return told, np.array(named, int)


@pytest.mark.parametrize("name", BACKDOORS)
@pytest.mark.parametrize("share_of", ["pictures", "bytes", "words"])
def test_the_planted_rows_are_named_and_few_others(name: str, share_of: str):
    x, labels, planted = _backdoored.poisoned(_backdoored.ROWS, 3)
    pictures = (255 * x[:, 0]).astype(np.uint8) if share_of == "bytes" else x[:, 0]
    y = np.array([f"class {one}" for one in labels], object) if share_of == "words" else labels
    told, rows = found(name, {"picture": pictures, "y": y})
    assert told[f"audit.{name}"].severity is Severity.SERIOUS
    assert planted[rows].mean() > 0.8
    assert np.isin(np.flatnonzero(planted), rows).mean() > 0.9


@pytest.mark.parametrize("name", BACKDOORS)
def test_flipped_labels_alone_plant_no_backdoor(name: str):
    x, labels = _backdoored.pictures(_backdoored.ROWS, 5)
    labels = np.where(np.random.default_rng(0).random(len(labels)) < 0.1, (labels + 3) % 8, labels)
    told, _ = found(name, {"picture": x[:, 0], "y": labels})
    assert told[f"audit.{name}"].value == 0


def test_neighbours_name_flipped_labels_and_leave_most_others():
    x, labels = _backdoored.pictures(_backdoored.ROWS, 5)
    wrong = np.random.default_rng(0).random(len(labels)) < 0.08
    told, rows = found("neighbour_disagreement", {"picture": x[:, 0], "y": np.where(wrong, (labels + 3) % 8, labels)})
    assert np.isin(np.flatnonzero(wrong), rows).mean() > 0.9
    assert wrong[rows].mean() > 0.9
    share = told["audit.neighbour_disagreement.share"]
    assert share.low <= wrong.mean() <= share.high


@pytest.mark.parametrize("name", [*BACKDOORS, "neighbour_disagreement"])
def test_what_cannot_be_looked_at_is_said(name: str):
    words = np.array(["a", "b"] * 200, object)
    told, _ = found(name, {"note": words, "y": np.arange(400) % 2})
    assert told[f"audit.{name}"].state is State.UNSUPPORTED
    told, _ = found(name, {"picture": np.zeros((50, 4, 4)), "y": np.arange(50) % 2})
    assert told[f"audit.{name}"].state is State.TOO_FEW


def test_of_many_rows_some_are_drawn_and_it_is_said(monkeypatch):
    from seatrial.parts.audits import _represented, neighbour_disagreement

    monkeypatch.setattr(_represented, "MOST", 500)
    monkeypatch.setattr(neighbour_disagreement, "MOST", 500)
    x, labels, planted = _backdoored.poisoned(_backdoored.ROWS, 3)
    for name in (*BACKDOORS, "neighbour_disagreement"):
        told, rows = found(name, {"picture": x[:, 0], "y": labels})
        assert told[f"audit.{name}"].n == 500
        assert "500 of 1200 rows" in told[f"audit.{name}"].note
        if name in BACKDOORS:
            assert planted[rows].mean() > 0.8, "numbers are those of the table"
