"""Secure evaluation when a party dies, falls silent, lies or is somebody else: all others end with an error that says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from secure_parties import MLP, Table, cards, order, save, start, table

from seatrial.contracts.parties import CALLED, ROLES
from seatrial.errors import DataError, ModelError, PartyError, StoreError, StudyError
from seatrial.flow.secure import bringing, keys, party, shares
from seatrial.flow.secure import terms as written
from seatrial.numerics.mersenne import PRIME

WORKER = "from seatrial.flow.secure.worker import main\nfrom seatrial.flow.secure import bringing, protocol, shares\nfrom seatrial.flow.secure.circuit import Circuit\nimport os, signal\n"
AT_COUNTS = """
kept = Circuit.counts
def harm(self, *given):
    {harm}
    return kept(self, *given)
Circuit.counts = harm
main()
"""


@pytest.fixture(scope="module")
def agreed(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return table(tmp_path_factory.mktemp("faults"), MLP, rows=4, batch=2)


@pytest.fixture
def at(agreed: Table) -> Table:
    """Fresh ports for each test."""
    terms = agreed.terms.model_copy(update={"parties": cards(agreed.folder)})
    return agreed._replace(terms=terms)


@pytest.fixture
def processes() -> Iterator[dict[str, Any]]:
    running: dict[str, Any] = {}
    yield running
    for process in running.values():
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def others(at: Table, processes: dict[str, Any], victim: str, program: str, **said: Any) -> dict[str, str]:
    """The errors of the two other parties, where `victim` runs this program with this order."""
    for role in ROLES:
        own = order(at, role, wait=20.0, **(said if role == victim else {}))
        processes[role] = start(own, WORKER + program) if role == victim else start(own)
    answers = {role: json.loads(processes[role].stdout.readline()) for role in ROLES if role != victim}
    assert all("error" in answer for answer in answers.values()), answers
    return {role: answer["error"] for role, answer in answers.items()}


def named(errors: dict[str, str], victim: str, said: str) -> None:
    """At least one party saw it, and the others pass on whom it named."""
    assert any(error.startswith(f"{CALLED[victim]} {said}") for error in errors.values()), errors
    assert all(CALLED[victim] in error and said in error for error in errors.values()), errors


@pytest.mark.parametrize("victim", ["data", "helper"])
def test_a_party_that_dies_ends_it_for_all(at: Table, processes: dict[str, Any], victim: str) -> None:
    program = AT_COUNTS.format(harm="os.kill(os.getpid(), signal.SIGKILL)")
    named(others(at, processes, victim, program), victim, "is gone")


@pytest.mark.parametrize("victim", ["model", "helper"])
def test_a_party_that_stops_answering_ends_it_for_all(at: Table, processes: dict[str, Any], victim: str) -> None:
    program = AT_COUNTS.format(harm="os.kill(os.getpid(), signal.SIGSTOP)")
    at = at._replace(terms=at.terms.model_copy(update={"patience": 4.0}))
    named(others(at, processes, victim, program), victim, "hasn't answered for 4 seconds")


def test_a_party_that_is_there_and_does_nothing_ends_it_for_all(at: Table, processes: dict[str, Any]) -> None:
    program = "import asyncio\nasync def idle(self, *given): await asyncio.sleep(1000)\nCircuit.counts = idle\nmain()"
    at = at._replace(terms=at.terms.model_copy(update={"longest": 5.0}))
    errors = others(at, processes, "data", program)
    assert all("until the 5 seconds were over" in error for error in errors.values()), errors
    assert all(CALLED["data"] in error for error in errors.values()), errors


def test_a_party_that_says_other_shapes_ends_it_for_all(at: Table, processes: dict[str, Any]) -> None:
    program = "bringing.Brought.shapes = property(lambda self: [[9, 4], [9, 3]])\nmain()"
    named(others(at, processes, "data", program), "data", "brings arrays of other shapes")


def test_a_party_that_sends_fewer_numbers_than_it_said_is_found_out(at: Table, processes: dict[str, Any]) -> None:
    program = "kept = shares.dumps\nshares.dumps = lambda numbers: kept(numbers)[:-12]\nmain()"
    named(others(at, processes, "model", program), "model", "sent 19 numbers where 20 were agreed on")


def test_a_party_whose_shares_change_their_shape_later_is_found_out(at: Table, processes: dict[str, Any]) -> None:
    program = AT_COUNTS.format(harm="whole = shares.dumps; shares.dumps = lambda numbers: whole(numbers)[:-12]")
    named(others(at, processes, "helper", program), "helper", "sent shares of another shape than agreed")


def test_what_would_be_unpickled_is_not_run(at: Table, processes: dict[str, Any], tmp_path: Path) -> None:
    """MPyC as it comes would have run this; here it is no share."""
    mark = tmp_path / "ran"
    harm = f"""shares.dumps = lambda numbers: (lambda bad: (bad + b'.' * 2**20)[: 12 * numbers.size])(b"cposix\\nsystem\\n(S'touch {mark}'\\ntR.")"""
    errors = others(at, processes, "data", AT_COUNTS.format(harm=harm))
    assert not mark.exists()
    assert all(CALLED["data"] in error for error in errors.values()), errors


def test_other_terms_end_it_for_all(at: Table, processes: dict[str, Any]) -> None:
    other = at.terms.model_copy(update={"patience": 21.0})
    errors = others(at, processes, "helper", "main()", terms=other)
    assert all("has other terms" in error for error in errors.values()), errors
    assert "has other terms" in json.loads(processes["helper"].stdout.readline())["error"]


def test_somebody_else_at_the_address_is_refused(at: Table, processes: dict[str, Any], tmp_path: Path) -> None:
    keys.make(tmp_path / "else", "helper")  # the same name, another key
    false = at.terms.parties[2].model_copy(update={"certificate": (tmp_path / "else" / "party.crt").read_text()})
    terms = at.terms.model_copy(update={"parties": (*at.terms.parties[:2], false)})
    errors = others(at, processes, "helper", "main()", terms=terms, keys=str(tmp_path / "else"))
    assert any("isn't the helper of these terms" in error for error in errors.values()), errors


def test_somebody_else_who_connects_is_not_let_in(at: Table, tmp_path: Path, processes: dict[str, Any]) -> None:
    keys.make(tmp_path / "else", "model")
    false = at.terms.parties[0].model_copy(update={"certificate": (tmp_path / "else" / "party.crt").read_text()})
    terms = at.terms.model_copy(update={"parties": (false, *at.terms.parties[1:])})
    processes["data"] = start(order(at, "data", wait=6.0))
    processes["model"] = start(order(at, "model", terms=terms, keys=str(tmp_path / "else"), wait=5.0))
    error = json.loads(processes["data"].stdout.readline())["error"]
    assert "the model's owner and the helper didn't come within 6 seconds" in error
    assert "whose certificate isn't in the terms" in error


def test_what_does_not_speak_tls_is_not_let_in(at: Table, processes: dict[str, Any]) -> None:
    processes["helper"] = start(order(at, "helper", wait=4.0))
    card = at.terms.card("helper")
    knock = f"import socket, time\nfor _ in range(100):\n try: socket.create_connection(('{card.host}', {card.port})).sendall(b'GET / HTTP/1.1' * 50); break\n except OSError: time.sleep(.1)"
    subprocess.run(["python3", "-c", knock], check=True)
    assert "didn't come within 4 seconds" in json.loads(processes["helper"].stdout.readline())["error"]


# --- before anything is sent -------------------------------------------------------------------------------------------


def test_a_key_that_the_terms_do_not_name_is_refused(at: Table) -> None:
    with pytest.raises(StudyError, match="isn't the one that the terms name"):
        party.take_part(order(at, "data", keys=str(at.folder / "helper")))
    with pytest.raises(StudyError, match="holds no key"):
        party.take_part(order(at, "data", keys=str(at.folder)))


def test_a_key_is_written_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = keys.make(tmp_path, "Harbour Ltd")
    assert (tmp_path / "party.key").stat().st_mode & 0o077 == 0
    assert keys.called(file.read_text()) == "Harbour Ltd"
    with pytest.raises(StoreError, match="can't be written"):
        keys.make(tmp_path, "Harbour Ltd")
    with pytest.raises(StudyError, match="no certificate"):
        keys.fingerprint("a letter")


def test_what_a_party_brings_is_checked_against_the_terms(at: Table, tmp_path: Path) -> None:
    louder = [(kind, [one * 3 for one in arrays], options) for kind, arrays, options in MLP]
    with pytest.raises(ModelError, match="isn't the network of the terms"):
        bringing.weights(at.terms, save(tmp_path / "louder.onnx", (4,), louder))
    for rows, said in {
        (3, 1.0): "3 rows of 4 numbers, and the terms say 4 of 4",
        (4, 1.5): "outside of 0 to 1",
        (4, np.nan): "outside of 0 to 1, or none",
    }.items():
        np.savez(tmp_path / "rows.npz", x=np.full((rows[0], 4), rows[1]), y=np.zeros(rows[0], int))
        with pytest.raises(DataError, match=said):
            bringing.rows(at.terms, tmp_path / "rows.npz", ["x"], "y")
    np.savez(tmp_path / "rows.npz", x=np.ones((4, 4)), y=np.array(["a", "b", "c", "d"]))
    with pytest.raises(DataError, match="classes that the terms don't name"):
        bringing.rows(at.terms, tmp_path / "rows.npz", ["x"], "y")


def test_columns_and_words_become_rows_and_classes(at: Table, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b,c,d,kind\n0,1,0.5,0.25,b\n1,1,1,1,a\n0,0,0,0,c\n0,0,0,1,c\n")
    brought = bringing.rows(at.terms, tmp_path / "rows.csv", ["a", "b", "c", "d"], "kind")
    assert brought.arrays[0][0].tolist() == [0, 4096, 2048, 1024]
    assert brought.arrays[1].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert brought.shapes == bringing.agreed(at.terms, "data")


def test_terms_are_one_file_for_all(at: Table) -> None:
    read = written.read(at.folder / "terms.json")
    assert read.hash == written.read(at.folder / "terms.json").hash
    assert len(read.hash) == 64
    assert read.hash != read.model_copy(update={"rows": 5}).hash
    (at.folder / "twice.json").write_text(read.model_dump_json(by_alias=True).replace('"rows":4', '"rows":"many"'))
    with pytest.raises(StudyError, match="rows"):
        written.read(at.folder / "twice.json")


# --- the guard -----------------------------------------------------------------------------------------------------------


def test_nothing_is_opened_but_behind_masks_or_by_agreement() -> None:
    runtime = SimpleNamespace(output=lambda *given, **said: "opened")
    guard = shares.Guard(runtime)

    def np_trunc() -> Any:
        return runtime.output(np.zeros(3))

    def sneak() -> Any:
        return runtime.output(np.zeros(3))

    assert np_trunc() == "opened"
    assert guard.masked == Counter(np_trunc=3)
    with pytest.raises(PartyError, match="isn't agreed on"):
        sneak()
    assert guard.open("confusion", np.zeros(3), [0, 1]) == "opened"
    assert guard.agreed == ["confusion"]


def test_shares_are_numbers_of_fixed_width_and_nothing_else() -> None:
    numbers = np.array([0, 1, PRIME - 1, 2**80 + 7], object)
    assert shares.loads(shares.dumps(numbers)).tolist() == numbers.tolist()
    assert len(shares.dumps(numbers)) == 4 * shares.WIDTH
    with pytest.raises(PartyError, match="no shares"):
        shares.loads(b"x" * 13)
    with pytest.raises(PartyError, match="no shares"):
        shares.loads(b"\xff" * 12)
    with pytest.raises(TypeError, match="only arrays"):
        shares.dumps({"os": os.system, "signal": signal.SIGKILL})


def test_drawn_numbers_are_spread_evenly_and_never_come_twice() -> None:
    drawn = shares.Drawn()
    for numbers in (
        [drawn.randbelow(PRIME) for _ in range(20_000)],
        shares.common(b"k", b"w", (200, 100)).ravel().tolist(),
    ):
        spread(numbers)
    assert {drawn.randbelow(3) for _ in range(200)} == {0, 1, 2}
    assert (shares.common(b"k", b"w", (3, 2)).ravel() == shares.common(b"k", b"w", (6,))).all()
    assert (shares.common(b"k", b"w", (6,)) != shares.common(b"k", b"v", (6,))).all()


def spread(numbers: list[int]) -> None:
    assert len(set(numbers)) == len(numbers)
    assert 0 <= min(numbers) <= max(numbers) < PRIME
    for shift in (0, 40, 85):  # sixteen cells each of the lowest, middle and highest bits
        cells = np.bincount([one >> shift & 15 for one in numbers], minlength=16)
        assert ((cells - 1250) ** 2 / 1250).sum() < 45  # chi-squared, 15 degrees, p = 1e-4
