"""The sample dossier with all that is found of quality in depth: groups of rows, people, how sure, spoilt inputs. Made up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from seatrial.contracts.dossier import Dossier, Entry
from seatrial.contracts.finding import Condition, Finding, State, missing
from seatrial.contracts.tally import Slice

RATES: dict[str, Any] = {"level": 0.95, "unit_of_replication": "rows"}
HARMED = "openvino bf16"
"""The candidate that loses in one group, and falls faster when inputs are blurred."""


def with_quality(dossier: Dossier) -> Dossier:
    """The same candidates, judged on 40 named groups of rows, by a search for groups, between people, by calibration, and on
    spoilt inputs."""
    reference = dossier.reference()
    failed = {finding.candidate for finding in dossier.findings if finding.what == "run" and finding.value is None}
    made = list(dossier.findings)
    for number, entry in enumerate(one for one in dossier.candidates if one.id not in failed):
        for finding in _all(entry, number):
            against = reference.id if finding.against else None
            made.append(
                finding.model_copy(
                    update={"candidate": entry.id, "against": against, "measured_at": "2026-11-04T10:17:20Z"}
                )
            )
    unsliced = "`camera`: the 8 most frequent of 11 values; 3 (214 rows) have no slice of their own"
    made.append(Finding(what="rows.unsliced", at={"number": 0}, value=unsliced, method="as found"))
    return dossier.model_copy(update={"findings": tuple(made)})


def _all(entry: Entry, number: int) -> Iterator[Finding]:
    yield from _groups(entry, number)
    yield from _searched(entry)
    yield from _people(entry, number)
    yield from _sure(number)
    yield from _spoilt(entry, number)
    if not entry.reference:
        yield Finding(what="explanations.agreement", against="reference", value=0.94, low=0.9, high=0.97, n=50, better="higher", method="mean rank correlation (Spearman) over 64 hidden parts", **RATES)  # fmt: skip


def groups() -> list[Slice]:
    """40 groups: values of columns, bins of numbers, and two columns at once."""
    sexes, cameras = ("F", "M"), tuple("abcdefgh")
    found: list[Slice] = [(_is("sex", sex),) for sex in sexes]
    found += [(_is("camera", camera),) for camera in cameras]
    found += [(_is("sex", sex), _is("camera", camera)) for sex in sexes for camera in cameras]
    edges = {"age": (None, 18, 30, 45, 60, None), "brightness of image": (None, 0.2, 0.4, 0.6, 0.8, None)}
    for column, sides in edges.items():
        for low, high in pairwise(sides):
            between = ((">=", low), ("<", high))
            found.append(tuple(Condition(column=column, relation=how, value=side) for how, side in between if side is not None))  # fmt: skip
    found += [(_is("country", country),) for country in ("AT", "DE", "FR")]
    return [*found, (Condition(column="country", relation="is", value="missing"),)]


def _is(column: str, value: str) -> Condition:
    return Condition(column=column, relation="==", value=value)


def _share(value: float, n: int) -> dict[str, Any]:
    half = 1.96 * math.sqrt(max(value * (1 - value), 1e-6) / n)
    return {"value": value, "low": max(0.0, value - half), "high": min(1.0, value + half), "n": n, **RATES}


def _groups(entry: Entry, number: int) -> Iterator[Finding]:
    for at, where in enumerate(groups()):
        n = (5_000, 1_250, 620, 1_900)[min(3, at // 2 if at < 2 else 1 if at < 10 else 2 if at < 26 else 3)]
        dark = any(one.column == "camera" and one.value == "c" for one in where)
        right = 0.905 - 0.004 * (at % 5) - (0.11 if dark else 0.0)
        lost = 0.0004 * ((at * 7 + number * 3) % 9 - 4) + (0.045 if dark and entry.label == HARMED else 0.0)
        right -= 0.0 if entry.reference else lost
        yield Finding(what="accuracy", slice=where, better="higher", method="Wilson score interval", **_share(right, n))
        yield Finding(what="f1", at={"average": "macro"}, slice=where, better="higher", method="jackknife", **_share(right - 0.01, n))  # fmt: skip
        yield Finding(what="log_loss", slice=where, value=1.9 * (1 - right), low=1.8 * (1 - right), high=2 * (1 - right), n=n, unit="nats", better="lower", method="mean with normal interval", **RATES)  # fmt: skip
        if not entry.reference:
            half = 1.96 * math.sqrt(0.012 / n)
            paired: dict[str, Any] = {"slice": where, "against": "reference", "better": "lower", "n": n, **RATES}
            yield Finding(what="accuracy.drop", value=lost, low=lost - half, high=lost + half, method="Tango score interval for paired proportions", **paired)  # fmt: skip
            yield Finding(what="f1.drop", at={"average": "macro"}, value=lost, low=lost - half, high=lost + half, method="paired difference, jackknife of 100 groups", **paired)  # fmt: skip


def _searched(entry: Entry) -> Iterator[Finding]:
    method = "exhaustive to depth 2; empirical-Bayes shrinkage; Fisher's exact test, one-sided; Holm over 3 slices"
    where = (_is("sex", "F"), _is("camera", "c"))
    rows = "rows to look at: 12, 60, 227, 402, 918"
    found: dict[str, Any] = {"better": "lower", "n": 312, "method": method, **RATES}
    yield Finding(what="slice.excess", slice=where, value=0.3, low=0.22, high=0.38, note=f"0.44 inside, 0.14 outside; adjusted p 2.6e-12; {rows}", **found)  # fmt: skip
    told: dict[str, Any] = {"better": "lower", "n": 10_000, "unit_of_replication": "rows", "method": method}
    searched = "118 slices of sex, camera, age searched, to 2 conditions"
    yield Finding(what="slice.excess.count", value=1, note=searched, **told)
    yield Finding(what="slice.excess.detectable", value=0.081, note="would most likely have been found", **told)
    if entry.reference:
        return
    if entry.label == HARMED:
        yield Finding(what="slice.hurt", against="reference", slice=where, value=0.061, low=0.028, high=0.094, note=f"0.058 inside, -0.003 outside; adjusted p 0.0004; {rows}", **found)  # fmt: skip
    yield Finding(what="slice.hurt.count", against="reference", value=int(entry.label == HARMED), note=searched, **told)
    yield Finding(what="slice.hurt.detectable", against="reference", value=0.024, **told)


def _people(entry: Entry, number: int) -> Iterator[Finding]:
    undecided = "; undecided, too few rows: M and h (14 rows)"
    for groups_, base, note in (
        ("sex", 0.031, "highest M, lowest F"),
        ("sex x camera", 0.094, f"highest M and a, lowest F and c{undecided}"),
    ):
        at = {"favourable": "Bag", "groups": groups_}
        gap = base + 0.0012 * (number % 4)
        common: dict[str, Any] = {"at": at, "n": 10_000, "note": note, **RATES}
        for what, value in (
            ("demographic_parity", gap),
            ("equal_opportunity", gap * 1.3),
            ("equalised_odds", gap * 1.4),
        ):
            yield Finding(what=what, value=value, low=max(0.0, value - 0.022), high=value + 0.022, better="lower", method="Newcombe intervals of shares", **common)  # fmt: skip
            if not entry.reference:
                grown = 0.0012 * (number % 4)
                yield Finding(what=f"{what}.drop", at=at, against="reference", value=grown, low=grown - 0.0016, high=grown + 0.0016, n=10_000, better="lower", method="paired difference, jackknife of 100 groups", **RATES)  # fmt: skip
        yield Finding(what="label_parity", value=base - 0.01, low=max(0.0, base - 0.03), high=base + 0.01, method="Newcombe intervals of shares", **common)  # fmt: skip
        yield Finding(what="demographic_parity.ratio", value=0.87, low=0.8, high=0.95, better="higher", method="smallest of the ratios, MOVER", **common)  # fmt: skip
    yield Finding(what="selection_rate", at={"class": "Bag"}, method="Wilson score interval", **_share(0.101, 10_000))
    lost = "only one group has enough rows"
    yield missing("equal_opportunity", State.TOO_FEW, lost, at={"favourable": "Bag", "groups": "country"})


def _sure(number: int) -> Iterator[Finding]:
    top = {"of": "top"}
    for place in range(10):
        said = 0.42 + 0.06 * place
        true = said - (0.05 + 0.004 * number) * (1 - said) * 2
        yield Finding(
            what="reliability", at=top | {"bin": place}, method="Wilson score interval", **_share(true, 1_000)
        )
        yield Finding(what="reliability.score", at=top | {"bin": place}, value=said, n=1_000, method="mean of the bin", unit_of_replication="rows")  # fmt: skip
    common: dict[str, Any] = {"at": top, "n": 10_000, "unit_of_replication": "rows"}
    yield Finding(what="ece", value=0.031 + 0.001 * number, better="lower", method="10 bins of equally many rows; chance alone gives 0.011", **common)  # fmt: skip
    for what, value, half in (("calibration_error", 0.0011, 0.0004), ("calibration.slope", 0.87, 0.03), ("calibration.intercept", -0.12, 0.04), ("calibration.offset", -0.16, 0.05)):  # fmt: skip
        better = "lower" if what == "calibration_error" else None
        yield Finding(what=what, value=value, low=value - half, high=value + half, level=0.95, better=better, method="likelihood", **common)  # fmt: skip
    for what, value in (("reliability", 0.0021), ("resolution", 0.612), ("uncertainty", 0.754)):
        yield Finding(what=f"brier.{what}", value=value, method="decomposition over bins", **common)


def _spoilt(entry: Entry, number: int) -> Iterator[Finding]:
    n = 500
    names = ("gaussian_noise", "shot_noise", "blur", "motion_blur", "brightness", "contrast", "jpeg", "occlusion")
    yield Finding(what="corrupted.accuracy", at={"corruption": "clean"}, better="higher", method="Wilson score interval", **_share(0.9, n))  # fmt: skip
    for at, name in enumerate(names):
        faster = 0.012 if name.endswith("blur") and entry.label == HARMED else 0.0005 * (number % 3)
        for severity in (1, 3, 5):
            value = 0.9 - (0.02 + 0.012 * at) * severity - faster * severity
            given: dict[str, Any] = {"at": {"corruption": name, "severity": severity}}
            yield Finding(what="corrupted.accuracy", better="higher", method="Wilson score interval", **given, **_share(value, n))  # fmt: skip
            if not entry.reference:
                lost = faster * severity
                yield Finding(what="corrupted.accuracy.drop", against="reference", value=lost, low=lost - 0.01, high=lost + 0.01, n=n, better="lower", method="Tango score interval for paired proportions", **given, **RATES)  # fmt: skip
        if not entry.reference:
            yield Finding(what="corrupted.extra_drop", at={"corruption": name}, against="reference", value=faster * 3, low=faster * 3 - 0.012, high=faster * 3 + 0.012, n=n, better="lower", method="paired rows, Student's interval of the mean", **RATES)  # fmt: skip
    yield missing("corrupted.accuracy", State.FAILED, "the candidate didn't answer these rows", at={"corruption": "jpeg", "severity": 4})  # fmt: skip
