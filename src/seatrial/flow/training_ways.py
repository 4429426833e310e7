"""The ways to train that a study asks for: every combination, their short names, the reference, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, product
from math import prod

from seatrial.contracts.money import Price
from seatrial.contracts.study import Study
from seatrial.contracts.training import Learning, Way
from seatrial.errors import StudyError
from seatrial.flow._faults import suggest
from seatrial.flow.prices import find

MOST_WAYS = 1_000


def ways(asked: Learning) -> list[Way]:
    """Every combination of every block, each once; at most `MOST_WAYS`."""
    found: dict[str, Way] = {}
    names = list(Way.model_fields)
    combinations = (values for block in asked.ways for values in product(*(getattr(block, name) for name in names)))
    for values in islice(combinations, MOST_WAYS):
        way = Way(**dict(zip(names, values, strict=True)))
        found.setdefault(way.id, way)
    return list(found.values())


def references(asked: Learning, listed: Sequence[Way]) -> list[Way]:
    """The ways that the study's reference fits; the first one where it states none. One alone is right."""
    if asked.reference is None:
        return [*listed[:1]]
    said = {name: value for name in Way.model_fields if (value := getattr(asked.reference, name)) is not None}
    return [one for one in listed if all(getattr(one, name) == value for name, value in said.items())]


def short_names(listed: Sequence[Way]) -> list[str]:
    """Precision always, of all else (the trainers' options too) what tells ways apart: `bf16 compiled b64 x2`."""
    marks = {"device": "{}", "threads": "t{}", "batch": "b{}", "workers": "x{}"}
    differing = [name for name in marks if len({getattr(one, name) for one in listed}) > 1]
    several = len({_called(one) for one in listed}) > 1
    made = []
    for one in listed:
        words = [*([_called(one)] if several else []), one.precision, *_apart(one, listed)]
        made.append(" ".join([*words, *(marks[name].format(getattr(one, name)) for name in differing)]))
    return made


def priced(asked: Learning) -> Price | None:
    """What an hour of the machine costs, as stated or of the price table; None where the study says nothing. Raises `StudyError`."""
    if asked.price is not None:
        return find(asked.price)
    if asked.price_per_hour is None:
        return None
    return Price(name="this machine", hour=asked.price_per_hour, currency=asked.currency, kind="stated")


def estimate(study: Study, opening: float, block: float) -> float:
    """Seconds that training may take, where a worker opens in `opening` and a block lasts `block`; of whole trainings the opening alone."""
    asked = study.training
    if asked is None:
        return 0.0
    listed = ways(asked)
    opened = sum(one.workers for one in listed) * (1 + asked.seeds)
    return opened * opening + len(listed) * asked.rounds * block


def wrong(study: Study) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What is wrong with the study's `training`: the path in the file, the fault, the next step."""
    asked = study.training
    if asked is None:
        return
    if asked.model is not None and asked.model not in study.models:
        what = f"there is no model `{asked.model}` in this study"
        yield ("training", "model"), what, suggest(asked.model, list(study.models))
    try:
        priced(asked)
    except StudyError as error:
        yield ("training", "price"), error.what, error.next_step
    count = sum(prod(len(getattr(block, name)) for name in Way.model_fields) for block in asked.ways)
    if count > MOST_WAYS:
        what = f"the study asks for {count} ways to train; at most {MOST_WAYS} can be measured"
        yield ("training", "ways"), what, "list fewer"
        return
    listed = ways(asked)
    fitting = references(asked, listed)
    if len(fitting) != 1:
        shown = ", ".join(one.id for one in (fitting or listed)[:5])
        what = f"the reference of `training` fits {len(fitting)} ways to train; it must be one"
        yield ("training", "reference"), what, f"single one out of {shown}"


def _called(way: Way) -> str:
    """The trainer, or the function that the study names in its stead."""
    return str(way.trainer.options.get("call", way.trainer.name))


def _apart(way: Way, listed: Sequence[Way]) -> list[str]:
    """The options of its trainer that ways of the same trainer differ in: `compiled`, `learning_rate=0.1`."""
    alike = [other.trainer.options for other in listed if _called(other) == _called(way)]
    names = dict.fromkeys(name for options in alike for name in options)
    apart = [name for name in names if len({str(options.get(name)) for options in alike}) > 1]
    own = {name: value for name in apart if (value := way.trainer.options.get(name)) not in (None, False)}
    return [name if value is True else f"{name}={value}" for name, value in own.items()]
