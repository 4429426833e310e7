"""Secure evaluation: the opened counts are the plain model's, nothing else is opened, and what may be said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from secure_parties import CNN, LINEAR, MLP, Table, plain, play, table, weights

from seatrial.contracts.finding import Origin, State
from seatrial.contracts.glossary import term
from seatrial.contracts.parties import ROLES
from seatrial.flow import publish
from seatrial.flow.secure.shares import MASKED
from seatrial.numerics.mersenne import PRIME

KINDS = {
    "linear": (LINEAR, (4,), {"counts": "correct"}),
    "mlp": (MLP, (4,), {"batch": 5}),
    "cnn": (CNN, (1, 4, 4), {"counts": "correct_per_class", "rows": 5}),
}


@pytest.fixture(scope="module", params=KINDS)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Table, dict[str, Any]]:
    nodes, shape, said = KINDS[request.param]
    at = table(tmp_path_factory.mktemp(request.param), nodes, shape, **said)
    return at, play(at)


def test_opened_counts_are_those_of_the_plain_model(played: tuple[Table, dict[str, Any]]) -> None:
    at, parts = played
    scores, counts = plain(at)
    best = np.sort(scores, axis=1)
    near = int((best[:, -1] - best[:, -2] <= 2 * at.terms.error).sum())
    wanted = {
        "confusion": counts,
        "correct_per_class": np.diag(counts)[None],
        "correct": np.array([[np.trace(counts)]]),
    }[at.terms.counts]
    for role in ("model", "data"):
        assert np.abs(np.array(parts[role].opened.counts) - wanted).sum() <= 2 * near
        assert near <= parts[role].opened.uncertain <= at.terms.rows
    assert near == 0


def test_nothing_but_the_agreed_counts_is_opened(played: tuple[Table, dict[str, Any]]) -> None:
    at, parts = played
    for role in ROLES:
        opened = parts[role].opened
        assert opened.agreed == (at.terms.counts, "uncertain")
        assert set(opened.masked) <= set(MASKED)
        assert opened.terms == at.terms.hash
    assert parts["helper"].opened.counts == ()
    assert parts["helper"].opened.uncertain is None


def test_findings_say_counts_cost_and_whom_one_trusts(played: tuple[Table, dict[str, Any]]) -> None:
    at, parts = played
    dossier = parts["data"].dossier
    found = {one.what: one for one in dossier.findings}
    _, counts = plain(at)
    assert found["secure.accuracy"].value == pytest.approx(np.trace(counts) / at.terms.rows)
    assert found["secure.accuracy"].low < found["secure.accuracy"].value < found["secure.accuracy"].high
    assert found["secure.trust"].origin is Origin.DECLARED
    assert "two who put together what they hold" in found["secure.trust"].note
    assert found["secure.seconds"].number > 0
    assert found["secure.bytes"].number > 1000
    assert 5 < found["secure.rounds"].number < 300
    assert all(term(what) is not None for what in found)
    kept = {one.what: one for one in parts["helper"].dossier.findings}
    assert kept["secure.accuracy"].state is State.WITHHELD
    assert "honest majority" in publish.render(dossier, "html")
    assert "answered rightly" in publish.render(dossier, "terminal")


def test_rows_that_fixed_point_may_turn_are_counted_and_no_others(tmp_path: Path) -> None:
    """Few digits, and two classes of almost one weight: every row that is answered otherwise is among the uncertain ones."""
    heavy = weights(1, 4, 3)
    best = int(heavy.sum(axis=0).argmax())
    heavy[:, best - 1] = heavy[:, best] + 0.1 * weights(11, 4)
    at = table(tmp_path, [("Gemm", [heavy, np.zeros(3, np.float32)], {})], rows=60, fraction=7, batch=60)
    parts = play(at)
    scores, counts = plain(at)
    ordered = np.sort(scores, axis=1)
    gap, margin = ordered[:, -1] - ordered[:, -2], at.terms.margin / 2**7
    moved = 2 * at.terms.error  # what the gap of two scores in fixed point may differ from that in float32
    surely, maybe = int((gap <= margin - moved).sum()), int((gap <= margin + moved).sum())
    opened = parts["data"].opened
    apart = int(np.abs(np.array(opened.counts) - counts).sum()) // 2
    assert 5 < int((gap <= moved).sum()) <= opened.uncertain
    assert surely <= opened.uncertain <= maybe < 60
    assert apart <= opened.uncertain


def test_a_share_alone_says_nothing_and_two_say_all() -> None:
    """The share that one party holds is spread evenly over the field, whatever was shared; any two give the secret."""
    thresha, finfields = pytest.importorskip("mpyc.thresha"), pytest.importorskip("mpyc.finfields")
    field = finfields.GF(PRIME)
    for secret in (0, 12345, PRIME - 1):
        split = thresha.np_random_split(field, np.full(4000, secret, object), 1, 3)
        for pid in range(3):
            high = np.array([one >> 85 for one in split[pid]], int)  # sixteen cells of equal size
            expected = 4000 / 16
            assert (
                (np.bincount(high, minlength=16) - expected) ** 2 / expected
            ).sum() < 45  # chi-squared, 15 degrees, p = 1e-4
        two = thresha.np_recombine(field, [(1, split[0]), (3, split[2])])
        assert (two.value == secret).all()
