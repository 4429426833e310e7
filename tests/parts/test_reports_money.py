"""What money reports show: places, break-evens, the tornado; and nothing where nothing is stated."""

import pytest

from seatrial import catalog
from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.parts.reports import _money
from seatrial.parts.reports._view import view
from seatrial.testing.dossiers import HOSTILE, sample_dossier


def stated(what, value, candidate, low=None, high=None, unit="EUR", **at):
    bounds = {} if low is None else {"low": low, "high": high, "level": 0.95}
    return Finding(what=what, value=value, at=at, candidate=candidate, unit=unit, origin=Origin.DECLARED, **bounds)


def priced(note="a row of 2025"):
    dossier = sample_dossier()
    id_ = dossier.verdict.recommended
    found = [
        Finding(what="money.price", at={"price": "aws/x"}, value=1.5, unit="EUR", origin=Origin.DECLARED, note=note),
        stated("capacity.replicas", 3, id_, 2, 3, "", place="cloud"),
        stated("capacity.replicas", 3, id_, 3, 3, "", place="own"),
        stated("money.month", 3288.0, id_, 2192.0, 3288.0, place="cloud"),
        stated("money.month", 2100.0, id_, 2100.0, 2100.0, place="own").model_copy(update={"origin": Origin.ESTIMATED}),
        stated("money.per_million", 12.5, id_, 8.3, 12.5, place="cloud"),
        missing("money.month", State.UNSUPPORTED, "an answer alone takes 90 ms", at={"place": "edge"}, candidate=id_),
        stated("money.break_even", 4.1e6, id_, 3.9e6, 5e6, "queries", place="own", against="cloud"),
        stated("money.if", 1600.0, id_, place="own", input="traffic", to="half"),
        stated("money.if", 4000.0, id_, place="own", input="traffic", to="twice"),
        stated("money.if.cheapest", "cloud", id_, unit="", place="own", input="traffic", to="half"),
        stated("money.if", 2000.0, id_, place="own", input="own: kwh", to="0.2"),
        missing("money.if", State.UNSUPPORTED, "then this place can't keep the bound", at={"place": "own", "input": "own: kwh", "to": "0.4"}, candidate=id_),
        stated("money.if", 2100.0, id_, place="own", input="network delay", to="1 ms"),
    ]  # fmt: skip
    return dossier.model_copy(update={"findings": (*dossier.findings, *found)})


def test_places_crossings_and_what_would_change_it():
    told = _money.section(view(priced()))
    assert [(place.name, place.best) for place in told.places] == [("hired machines", False), ("machines of your own", True), ("devices at the edge", False)]  # fmt: skip
    assert told.places[2].why == "an answer alone takes 90 ms"
    assert told.places[0].cells[0][:2] == ("3", "2–3"), "machines are whole"
    assert "estimated" in "".join(line for line, _ in _money.brief(told)), "and what is guessed is said"
    assert told.sentences == (
        "From about 4,100,000 queries a month on (3,900,000–5,000,000), machines of your own would cost less than hired machines.",
        "With traffic at half, hired machines would cost less.",
    )
    assert [bar.name for bar in told.bars] == ["traffic", "own: kwh"], "what moves nothing has no bar"
    traffic, kwh = told.bars
    assert traffic.left < told.middle < traffic.right
    assert [end.other for end in traffic.ends] == ["hired machines", ""]
    assert (kwh.ends[1].x, kwh.ends[1].text) == (None, "can't be")


@pytest.mark.parametrize("name", ["html", "terminal"])
def test_reports_show_it(name):
    part = catalog.find("reports", name)
    text = catalog.load(part).render(priced(), catalog.options(part, {"width": 160} if name == "terminal" else {}))
    for words in (
        "machines of your own",
        "2,100",
        "With traffic at half",
        "a row of 2025",
        "an answer alone takes 90 ms",
    ):
        assert words in text, words
    hostile = catalog.load(part).render(priced(HOSTILE), catalog.options(part))
    assert name == "terminal" or "<script>alert" not in hostile
    assert "\x1b[2J" not in hostile


def test_where_nothing_is_stated_nothing_is_said():
    assert _money.section(view(sample_dossier())) is None
