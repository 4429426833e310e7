"""What the command `capacity` works out and says."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.apps import find
from seatrial.apps.cli import _out
from seatrial.errors import StudyError

if TYPE_CHECKING:
    from seatrial.contracts.dossier import Dossier, Entry
    from seatrial.flow.capacity import Desk, Offer
    from seatrial.flow.whatif import Swing

PLACE = {
    "cloud": "hired machines",
    "own": "machines of your own",
    "edge": "devices at the edge",
    "none": "none",
}
TODAY = {"today": "what is paid today"}


@dataclass(frozen=True)
class Asked:
    """A question to a stored run, with what it rests on."""

    dossier: Dossier
    entry: Entry
    desk: Desk
    offers: list[Offer]

    @property
    def best(self) -> Offer | None:
        """The cheapest place, or without any price the first that can be."""
        cheapest = self.desk.cheapest()
        return cheapest or next((one for one in self.offers if one.replicas is not None and not one.why), None)

    @property
    def possible(self) -> bool:
        """Whether anything keeps the bound."""
        return self.best is not None


def ask(
    run: str, folder: Path, candidate: str | None, file: Path | None, traffic: Path | None, said: Mapping[str, Any]
) -> Asked:
    """Read the run and what is asked of it. Raises a `SeatrialError`, with the next step, where it has nothing to use."""
    from seatrial.flow.arrivals import read_arrivals
    from seatrial.flow.asked import money
    from seatrial.flow.capacity import Desk
    from seatrial.flow.prices import stated
    from seatrial.flow.service import service

    dossier = find.dossier(run, folder)
    home = find.home(run, folder, dossier)
    entry = _entry(dossier, candidate)
    times = service(dossier.findings, [one.candidate for one in dossier.candidates], entry.id, home)
    wanted = money(dossier.study.get("money"), file, traffic, said)
    arrivals = wanted.traffic.arrivals
    known = None if arrivals is None else read_arrivals(home.parent / arrivals)
    desk = Desk(times, wanted, stated(wanted, home.parent), known)
    return Asked(dossier, entry, desk, desk.offers())


def tell(asked: Asked) -> None:
    """In words and tables, for people."""
    _out.say(_render("capacity.txt", asked))
    if len(asked.offers) > 1:
        _out.show(_out.heading("Places"), _places(asked))
    if asked.best is not None:
        _out.show("", _out.heading("If the traffic were another one"), _scaled(asked))
    if asked.best is not None and asked.best.month is not None:
        for line in _crossings(asked):
            _out.say(line)
        _out.show("", _out.heading("What would change it (money a month)"), _swings(asked))
    _out.show("", _out.heading("What this rests on"))
    for line in _render("assumptions.txt", asked).splitlines():
        _out.say(f"- {line.strip()}")


def data(asked: Asked) -> dict[str, Any]:
    """For machines: the findings, what would be if, and what it rests on."""
    from seatrial.flow.costs import findings, priced
    from seatrial.flow.outlook import changing
    from seatrial.flow.whatif import scaled

    price = [] if asked.desk.price is None else [priced(asked.desk.price, _today())]
    found = [*price, *findings(asked.desk), *changing(asked.desk)]
    return {
        "candidate": asked.entry.id,
        "recommended": asked.best.place if asked.best else None,
        "findings": [one.model_dump(mode="json") for one in found],
        "if": [one._asdict() for one in scaled(asked.desk)] if asked.best else [],
        "change": [one._asdict() for one in _changes(asked)],
        "rests_on": _render("assumptions.txt", asked).splitlines(),
    }


def tornado(asked: Asked) -> str:
    """What would change the recommendation, as a picture."""
    from seatrial.apps.cli._tornado import Bar, tornado_svg

    if asked.best is None or asked.best.month is None:
        raise StudyError("there is no cost to draw", next_step="say what an hour costs: `--price 1.20/h`")
    bars = [
        Bar(f"{one.name}: {one.low} / {one.high}", one.month_low, one.month_high, one.place_low != asked.best.place, one.place_high != asked.best.place)
        for one in _changes(asked)
        if one.tells
    ]  # fmt: skip
    unit = _currency(asked)
    return tornado_svg(
        bars, asked.best.month, f"{unit} a month: {PLACE[asked.best.place]}", "another place would be cheaper there"
    )


def _entry(dossier: Dossier, named: str | None) -> Entry:
    if named is None:
        return dossier.entry(dossier.verdict.recommended) if dossier.verdict.recommended else dossier.reference()
    try:
        return dossier.entry(named)
    except KeyError:
        from seatrial.catalog import nearest

        known = [one.label for one in dossier.candidates]
        near = nearest(named, known)
        step = f"did you mean `{near}`?" if near else f"there are {', '.join(known)}"
        raise StudyError(f"this run has no candidate `{named}`", next_step=step) from None


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


def _brief(asked: Asked) -> Desk:
    from seatrial.numerics.replicas import BRIEF

    return asked.desk.other(effort=BRIEF)


def _changes(asked: Asked) -> list[Swing]:
    from seatrial.flow.whatif import swings

    if asked.best is None or asked.best.month is None:
        return []
    return swings(asked.desk, asked.best.place)


def _currency(asked: Asked) -> str:
    return asked.desk.price.currency if asked.desk.price else asked.desk.money.currency


def _places(asked: Asked) -> Any:
    rows = []
    for one in asked.offers:
        month = "–" if one.month is None else _amount(one.month, "")
        range_ = "" if one.month_low in (None, one.month) else f"from {_amount(one.month_low or 0.0, '')}"
        count = "–" if one.replicas is None else str(one.replicas)
        lost = f"{_count(one.unreachable)} queries out of reach a month" if one.unreachable else ""
        rows.append((PLACE[one.place], count, month, range_, "; ".join(filter(None, (one.why, lost)))))
    return _out.table(("place", "replicas", f"{_currency(asked)} a month", "", ""), rows, right=("replicas", f"{_currency(asked)} a month"))  # fmt: skip


def _scaled(asked: Asked) -> Any:
    from seatrial.flow.whatif import scaled

    unit = f"{_currency(asked)} a month"
    rows = [
        (
            f"x {one.scale:g}",
            _rate(one.rate),
            "–" if one.replicas is None else str(one.replicas),
            PLACE[one.place],
            f"{one.busy:.0%}" if one.replicas else "–",
            "–" if one.month is None else _amount(one.month, ""),
        )
        for one in scaled(asked.desk)
    ]
    columns = ("traffic", "busiest, /s", "replicas", "where", "busy", unit)
    return _out.table(columns, rows, right=("traffic", "busiest, /s", "replicas", "busy", unit))


def _swings(asked: Asked) -> Any:
    rows = [
        (
            one.name,
            f"{one.low}: {_month(one.month_low)}",
            f"{one.high}: {_month(one.month_high)}",
            _instead(asked, one),
        )
        for one in _changes(asked)
        if one.tells
    ]
    return _out.table(("input", "low", "high", "then cheaper"), rows)


def _instead(asked: Asked, one: Swing) -> str:
    best = asked.best.place if asked.best else ""
    said = [f"{words}: {PLACE[place]}" for words, place in ((one.low, one.place_low), (one.high, one.place_high)) if place != best]  # fmt: skip
    return "; ".join(said)


def _month(value: float | None) -> str:
    return "can't be" if value is None else _amount(value, "")


def _crossings(asked: Asked) -> list[str]:
    from seatrial.flow.whatif import FEWEST, break_evens

    lines, names = [], PLACE | TODAY
    for (one, other), found in break_evens(_brief(asked)).items():
        if found is None:
            lines.append(
                f"Break-even: at no volume within reach does either stay cheaper, {names[one]} or {names[other]}."
            )
        elif found.volume == FEWEST:
            lines.append(
                f"Break-even: none; {names[one]} would cost less than {names[other]} at every volume that was looked at."
            )
        else:
            ends = f" ({_end(found.low)} to {_end(found.high)})" if found.low != found.high else ""
            lines.append(
                f"Break-even: from about {_count(found.volume)} queries a month on{ends}, {names[one]} would cost less than {names[other]}."
            )
    return lines


def _end(volume: float | None) -> str:
    return "never" if volume is None else _count(volume)


def _notes(asked: Asked) -> list[str]:
    """What is paid today, against what would be."""
    from seatrial.flow.capacity import once_and_monthly, paid_today
    from seatrial.numerics.money import payback_months

    today = paid_today(asked.desk)
    if today is None or asked.best is None or asked.best.month is None:
        return []
    once, running = once_and_monthly(asked.desk, asked.best)
    months = payback_months(once, today, running)
    unit = _currency(asked)
    if months is None:
        return [f"Today {_amount(today, unit)} a month are paid: changing over saves nothing."]
    return [f"Today {_amount(today, unit)} a month are paid: {_amount(once, unit)} spent once are paid back in {months:.2g} months (without interest)."]  # fmt: skip


def _failure(asked: Asked) -> list[str]:
    """What a machine's failure would do while it is busiest."""
    from seatrial.flow.capacity import EDGE, in_words

    if asked.best is None or asked.best.place == EDGE:
        return []
    if asked.desk.hosts(asked.best.replicas or 0) == 1:
        return ["Should its machine fail, nothing answers: a second one is for that, not for the traffic."]
    took = asked.desk.with_one_fewer(asked.best)
    if took is None:
        return ["Should a machine fail while it is busiest, the others don't keep up."]
    return [f"Should a machine fail while it is busiest, p{asked.desk.money.percentile:g} is {in_words(took.value)}."]


def _render(name: str, asked: Asked) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    from seatrial.flow.capacity import in_words
    from seatrial.flow.prices import doubt
    from seatrial.numerics.replicas import LONGEST

    desk, unit = asked.desk, _currency(asked)
    environment = Environment(
        autoescape=select_autoescape(),
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    times = desk.service.findings[0]
    read = sum(len(one) for one in desk.service.rounds)
    service = f"{read:,} answers to single queries in {len(desk.service.rounds)} rounds, {in_words(desk.service.mean)} on average ({desk.service.origin}, {times.measured_at[:10]}), drawn in blocks so that slow ones stay together."  # fmt: skip
    text = environment.get_template(name).render(
        desk=desk,
        best=asked.best,
        offers=asked.offers,
        label=asked.entry.label,
        words=PLACE,
        hourly=hourly[0] if (hourly := desk.by_the_hour()) is not None else None,
        notes=[*_failure(asked), *_notes(asked)],
        doubt=doubt(desk.price, _today()) if desk.price else "",
        longest=LONGEST,
        service=service,
        arrivals=desk.arrivals is not None,
        sizes=", ".join(map(str, desk.service.batches)),
        machine=asked.dossier.environment.get("cpu", "not said"),
        cores=asked.dossier.environment.get("cores"),
        threads=asked.entry.candidate.threads,
        state=desk.service.state.value,
        state_note=times.note,
        price=str(desk.price) if desk.price else "",
        time=in_words,
        count=_count,
        rate=_rate,
        share=lambda value: f"{value:.0%}",
        amount=lambda value: _amount(value, unit),
    )
    return str(text.strip())


def _rate(value: float) -> str:
    return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def _count(value: float) -> str:
    for factor, word in ((1e9, " billion"), (1e6, " million")):
        if value >= factor:
            return f"{value / factor:,.3g}{word}"
    return f"{value:,.0f}"


def _amount(value: float, unit: str) -> str:
    text = f"{value:,.0f}" if value >= 1000 else f"{value:,.2f}" if value >= 0.1 else f"{value:.2g}"
    return f"{text} {unit}".strip()
