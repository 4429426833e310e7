"""A first look says that it is one, wherever its figures go; and so does a run whose budget was spent."""

import pytest
from small_study import STUDY, make, seatrial

from seatrial.contracts.dossier import Dossier
from seatrial.flow import study as flow
from seatrial.flow.changes import changes
from seatrial.flow.publish import render

TIMED = STUDY.replace("loads: [offline]", "loads: [{offline: {seconds: 0.05}}, {bursts: {rate: 500, seconds: 0.1}}]")
TIMED = TIMED.replace("rounds: 2", "rounds: 4").replace("[throughput, size]", "[throughput, latency, size]")


@pytest.fixture(scope="module")
def looks(tmp_path_factory):
    """A first look, and the whole that goes on from it."""
    file = make(tmp_path_factory.mktemp("looks"), TIMED)
    return flow.run(file, quick=True, only=["b1"]), flow.run(file, only=["b1"]), file


def timed(dossier: Dossier) -> list[str]:
    """How figures of rounds were got; `slow_start` is of starts."""
    found = [one for one in dossier.findings if "load" in one.at and one.value is not None and one.candidate]
    return [one.method for one in found if one.what != "slow_start"]


def test_a_first_look_is_informal_everywhere_and_the_whole_is_not(looks):
    look, whole, _ = looks
    assert (look.run.informal, whole.run.informal) == (True, False)
    assert look.verdict.sentence.startswith("An informal first look (`--quick`), 3 rounds at most.")
    assert "informal" not in whole.verdict.sentence
    assert timed(look)
    assert all("informal" in method for method in timed(look))
    assert not any("informal" in method for method in timed(whole))
    for name in ("html", "terminal", "markdown", "junit", "github", "sarif", "notebook", "json"):
        assert "informal first look" in render(look, name) or "informal" in render(look, name), name
    for name in ("html", "terminal", "markdown", "github", "sarif", "notebook"):
        assert "informal" not in render(whole, name), name
    assert any("informal" in note for note in changes(look, whole).notes)
    assert look.run.measured
    assert whole.run.reused, "what a first look measured is kept"


def test_the_command_line_says_so_too(looks):
    folder = looks[2].parent
    told = seatrial("gate", "study.yaml", "--quick", "--only", "b1", folder=folder)
    assert "informal first look" in told.stdout
    assert "informal" in seatrial("plan", "study.yaml", "--quick", folder=folder).stdout
    listed = seatrial("runs", folder=folder).stdout
    assert listed.count("informal") >= 2


def test_figures_under_loadgens_scenarios_say_what_they_are(looks):
    """And those under loads that it doesn't have don't."""
    methods = {(one.what, one.at["load"]): one.method for one in looks[1].findings if "load" in one.at and one.candidate and one.value is not None}  # fmt: skip
    assert "LoadGen-style, unverified" in methods["throughput", "offline"]
    assert "LoadGen" not in methods["latency.p50", "bursts"]
    assert "LoadGen-style, unverified" in render(looks[1], "html")


def test_a_budget_that_ends_a_run_is_told(tmp_path):
    file = make(tmp_path)
    dossier = flow.run(file, budget=0.0)
    assert dossier.run.out_of_time
    for name in ("html", "terminal", "markdown", "notebook"):
        assert "The budget was spent" in render(dossier, name), name
    whole = flow.run(file, budget=600.0)
    assert not whole.run.out_of_time
    assert "budget" not in render(whole, "terminal")
