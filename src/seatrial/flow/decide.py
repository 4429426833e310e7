"""Decide: hold every candidate's findings against the requirements, and choose one of those that pass.

    every requirement on a candidate   all must hold: fail if any fails, else open if any is open
    the study                          any eligible candidate may hold: pass if one passes, fail if all fail
    which one                          the best by `prefer`; without it only the single one that passes

Because any of the candidates may make the study pass, each bound is read at the plan's gate level, which holds for all of
them together. What is timed needs a higher level still where the study may stop at one of several looks: the error is spent
over them. Where nothing is required nothing can pass: the outcome is open. The words stand in templates/verdict.txt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from seatrial import catalog
from seatrial.contracts.finding import Finding, Origin, State
from seatrial.contracts.plan import Plan, Planned
from seatrial.contracts.protocols import Evidence
from seatrial.contracts.verdict import CandidateVerdict, Judgement, Outcome, Verdict, all_must_hold, any_may_hold
from seatrial.numerics.stopping import level_at_look, looks

_COUNTED_ONCE = ("rows", "clusters")
"""Replication of what doesn't grow with the rounds: looking again shows the same counts."""


class Requirement(NamedTuple):
    """A rule of the study, loaded: its name as written, its module, its options."""

    name: str
    rule: Any
    options: Any


class Choice(NamedTuple):
    """What `prefer` makes of the eligible candidates: ids best first, their figures in words, and who is tied with the pick."""

    order: list[str]
    words: dict[str, str]
    recommended: str | None
    tied: list[str]


def decide(plan: Plan, findings: Sequence[Finding]) -> Verdict:
    """The verdict of a study: on each planned candidate, on the study, and which candidate to take."""
    required = requirements(plan)
    judged = tuple(_candidate(plan, planned, findings, required) for planned in plan.candidates)
    choice = _choose(plan, judged, findings)
    outcome = any_may_hold([one.outcome for one in judged if one.eligible])
    return Verdict(
        outcome=outcome,
        candidates=judged,
        recommended=choice.recommended,
        sentence=_sentence(plan, judged, choice, outcome),
        confidence=plan.study.confidence,
        compared=plan.levels.compared,
        level=plan.levels.gate,
    )


def requirements(plan: Plan) -> list[Requirement]:
    """The study's rules, ready to judge. Raises `UnknownPart`, and pydantic's `ValidationError` for wrong options."""
    found = [(ref, catalog.find("rules", ref.name, Path(plan.folder))) for ref in plan.study.require]
    return [Requirement(str(ref), catalog.load(part), catalog.options(part, ref.options)) for ref, part in found]


def requirements_read(plan: Plan) -> list[tuple[str, dict[str, Any]]]:
    """The findings that requirements read, `what` and `at`, each once: these are owed at the gate level too."""
    read: list[tuple[str, dict[str, Any]]] = []
    for one in requirements(plan):
        if (needed := one.rule.needs(one.options)) not in read:
            read.append(needed)
    return read


def _candidate(
    plan: Plan, planned: Planned, findings: Sequence[Finding], required: list[Requirement]
) -> CandidateVerdict:
    evidence = _evidence(plan, planned, findings, plan.levels.gate)
    judgements = tuple(_judge(plan, one, evidence) for one in required)
    judgements += tuple(_unfinished(one) for one in evidence.findings if one.what == "run" and required)
    outcome = all_must_hold([one.outcome for one in judgements]) if required else Outcome.OPEN
    return CandidateVerdict(
        candidate=planned.candidate.id, outcome=outcome, eligible=planned.eligible, judgements=judgements
    )


def _unfinished(run: Finding) -> Judgement:
    """A candidate that crashed, was left out or was not measured to the end can't pass on what it had shown before."""
    return Judgement(
        requirement="measured to the end",
        rule="run",
        candidate=run.candidate or "",
        outcome=Outcome.OPEN,
        reason=f"{run.state.value.replace('_', ' ')}: {run.note}",
        findings=(run,),
        settle="`search: exhaustive` measures all" if run.state is State.LEFT_OUT else "run it again",
    )


def _judge(plan: Plan, required: Requirement, evidence: Evidence) -> Judgement:
    """What the rule says. A rule that raises leaves its requirement open; the study goes on."""
    try:
        what, _ = required.rule.needs(required.options)
        owed = replace(evidence, level=_level(plan, what, evidence.findings))
        judgement: Judgement = required.rule.judge(owed, required.options)
    except Exception as error:  # noqa: BLE001
        reason = f"the rule raised {type(error).__name__}: {error}"
        return Judgement(
            requirement=required.name,
            rule=required.name,
            candidate=evidence.candidate,
            outcome=Outcome.OPEN,
            reason=reason,
        )
    return judgement


def _level(plan: Plan, what: str, findings: Sequence[Finding]) -> float:
    """The level that a bound on this finding needs: the gate's, spent over the looks where it is measured round by round."""
    timed = any(one.what == what and one.unit_of_replication not in _COUNTED_ONCE for one in findings)
    return level_at_look(plan.levels.gate, len(looks(*plan.rounds)) if timed else 1)


def _evidence(plan: Plan, planned: Planned, findings: Sequence[Finding], level: float) -> Evidence:
    own = [finding for finding in findings if finding.candidate == planned.candidate.id]
    measured = {one.what for one in findings if one.candidate is not None}
    own += [one for one in findings if _of_all(one, measured, planned.candidate.model)]
    if planned.reference:
        own += _against_itself(planned.candidate.id, findings, {finding.key for finding in own})
    return Evidence(candidate=planned.candidate.id, findings=own, level=level)


def _of_all(finding: Finding, measured: set[str], model: str) -> bool:
    """Whether a finding counts for every candidate of this model: of the data, of the machine, of the model, and of nothing that
    is `measured` candidate by candidate. Who lacks a figure of their own isn't lent one that was found elsewhere."""
    if finding.candidate is not None or finding.what in measured | {"run"}:
        return False
    return str(finding.at.get("model", model)) == model


def _against_itself(reference: str, findings: Sequence[Finding], known: set[str]) -> list[Finding]:
    """Differences and ratios of the reference against itself, which are 0 and 1 by definition, where others were compared."""
    compared = {
        finding.key: finding
        for finding in findings
        if finding.against == reference and finding.better and finding.origin is not Origin.MISSING
    }
    return [
        Finding(
            what=one.what,
            at=one.at,
            slice=one.slice,
            candidate=reference,
            against=reference,
            value=1.0 if one.unit == "x" else 0.0,
            unit=one.unit,
            better=one.better,
            method="the reference against itself, by definition",
            part=one.part,
            part_version=one.part_version,
        )
        for key, one in compared.items()
        if key not in known
    ]


def orders(prefer: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The rule that orders (`prefer`, unless the study names another one under `rule`), and its options."""
    return str(prefer.get("rule", "prefer")), {name: value for name, value in prefer.items() if name != "rule"}


def preferred(plan: Plan) -> dict[str, Any] | None:
    """The options of the rule that orders, with their defaults."""
    if plan.study.prefer is None:
        return None
    name, given = orders(plan.study.prefer)
    made: dict[str, Any] = catalog.options(catalog.find("rules", name, Path(plan.folder)), given).model_dump()
    return made


def _choose(plan: Plan, judged: tuple[CandidateVerdict, ...], findings: Sequence[Finding]) -> Choice:
    """Rank the eligible candidates, and pick the first that passes; without a ranking only a single one can be picked."""
    eligible = [one.candidate for one in judged if one.eligible]
    passing = [one.candidate for one in judged if one.eligible and one.outcome is Outcome.PASS]
    only = passing[0] if len(passing) == 1 else None
    if plan.study.prefer is None:
        return Choice(eligible, {}, only, [])
    name, given = orders(plan.study.prefer)
    part = catalog.find("rules", name, Path(plan.folder))
    chooser, options = catalog.load(part), catalog.options(part, given)
    evidence = {
        planned.candidate.id: _evidence(plan, planned, findings, plan.levels.describe)
        for planned in plan.candidates
        if planned.eligible
    }
    order = chooser.order(list(evidence.values()), options)
    words = {id_: text for id_, one in evidence.items() if (text := chooser.words(one, options))}
    first = next((id_ for id_ in order if id_ in passing and id_ in words), only)
    return Choice(order, words, first, chooser.tied([evidence[id_] for id_ in passing], options) if first else [])


def _sentence(plan: Plan, judged: tuple[CandidateVerdict, ...], choice: Choice, outcome: Outcome) -> str:
    """One plain sentence for the terminal and the head of the report."""
    verdicts = {one.candidate: one for one in judged if one.eligible}
    ranked = [verdicts[id_] for id_ in choice.order]
    failed = Counter(
        judgement.requirement for one in ranked for judgement in one.judgements if judgement.outcome is Outcome.FAIL
    )
    text = _template().render(
        informal=plan.rounds[1] if plan.quick else 0,
        labels={planned.candidate.id: planned.label for planned in plan.candidates},
        outcome=outcome,
        ranked=ranked,
        by={name: [one for one in ranked if one.outcome.name == name] for name in Outcome.__members__},
        words=choice.words,
        pick=verdicts.get(choice.recommended or ""),
        tied=choice.tied,
        prefer=preferred(plan),
        required=bool(plan.study.require),
        hardest=failed.most_common(1),
    )
    return " ".join(text.split())


@cache
def _template() -> Any:
    """The words of the sentence. The engine is loaded when the first verdict is reached, not with this module."""
    from jinja2 import Environment, FileSystemLoader, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("verdict.txt")
