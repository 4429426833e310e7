"""Sample dossiers: a realistic one, and those at the edges that a report must bear. Their numbers are made up."""

from __future__ import annotations

from typing import Any

from seatrial.contracts.candidate import PartRef
from seatrial.contracts.dossier import Dossier, Dropped
from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.verdict import Outcome, Verdict
from seatrial.testing._sample import ROWS, sample_dossier
from seatrial.testing._sample_quality import with_quality
from seatrial.testing._sample_training import with_training

__all__ = ["HOSTILE", "ROWS", "sample_dossier", "samples"]

HOSTILE = '<script>alert("1")</script>[bold]{{ 7 * 7 }}\x1b[2J&amp;'


def samples() -> dict[str, Dossier]:
    """Dossiers that a report must bear: a normal one, and those at the edges."""
    full = sample_dossier()
    return {
        "normal": full,
        "with care": _with_care(full),
        "in depth": with_quality(full),
        "imported": _imported(full),
        "training": with_training(full),
        "no findings": _with(full, findings=()),
        "one candidate": _only(full, 1),
        "all failed": _all_failed(full),
        "nothing passes": _judged(full, Outcome.FAIL),
        "open": _judged(full, Outcome.OPEN),
        "bare": _with(full, findings=(), dropped=(), environment={}, artefacts={}, study={"name": "bare"}),
        "hostile": _hostile(full),
    }


def _with(dossier: Dossier, **changed: Any) -> Dossier:
    return dossier.model_copy(update=changed)


def _only(dossier: Dossier, count: int) -> Dossier:
    kept = dossier.candidates[:count]
    ids = {entry.id for entry in kept}
    verdicts = tuple(one for one in dossier.verdict.candidates if one.candidate in ids)
    none = {
        "outcome": Outcome.OPEN,
        "recommended": None,
        "sentence": "There is nothing to compare.",
        "candidates": verdicts,
    }
    findings = tuple(finding for finding in dossier.findings if finding.candidate in ids)
    return _with(dossier, candidates=kept, findings=findings, verdict=_with_verdict(dossier, **none))


def _with_verdict(dossier: Dossier, **changed: Any) -> Verdict:
    return dossier.verdict.model_copy(update=changed)


def _all_failed(dossier: Dossier) -> Dossier:
    states = (State.CRASHED, State.HUNG, State.OUT_OF_MEMORY, State.NOT_INSTALLED, State.NOT_HERE, State.REFUSED)
    findings = tuple(
        missing("run", states[index % len(states)], f"the worker ended: case {index}", candidate=entry.id)
        for index, entry in enumerate(dossier.candidates)
    )
    return _judged(_with(dossier, findings=findings), Outcome.OPEN)


def _judged(dossier: Dossier, outcome: Outcome) -> Dossier:
    """The same, with every judgement of this outcome and none recommended."""
    settle = "about 2,000 more rows" if outcome is Outcome.OPEN else ""
    each = tuple(
        one.model_copy(
            update={
                "outcome": outcome,
                "judgements": tuple(
                    judgement.model_copy(update={"outcome": outcome, "settle": settle}) for judgement in one.judgements
                ),
            }
        )
        for one in dossier.verdict.candidates
    )
    sentence = {
        Outcome.FAIL: "None of the 10 candidates meets every requirement.",
        Outcome.OPEN: "There is not enough evidence to recommend any candidate.",
    }[outcome]
    verdict = _with_verdict(dossier, outcome=outcome, candidates=each, recommended=None, sentence=sentence)
    return _with(dossier, verdict=verdict)


def _hostile(dossier: Dossier) -> Dossier:
    """The same, with markup, template code and control characters in every text that a study or a plug-in could bring."""
    entries = tuple(entry.model_copy(update={"label": f"{HOSTILE} {entry.label}"}) for entry in dossier.candidates)
    findings = tuple(
        f.model_copy(update={"method": HOSTILE, "note": HOSTILE, "part": HOSTILE}) for f in dossier.findings
    )
    invented = Finding(what=HOSTILE, at={HOSTILE: HOSTILE}, value=HOSTILE, unit=HOSTILE, candidate=entries[1].id)
    judged = _judged(dossier, Outcome.FAIL).verdict
    each = tuple(
        one.model_copy(
            update={
                "judgements": tuple(
                    judgement.model_copy(update={"requirement": HOSTILE, "reason": HOSTILE, "settle": HOSTILE})
                    for judgement in one.judgements
                )
            }
        )
        for one in judged.candidates
    )
    return _with(
        dossier,
        candidates=entries,
        findings=(*findings, invented),
        dropped=(Dropped(id=HOSTILE, reason=HOSTILE),),
        study=dossier.study | {"name": HOSTILE, "description": HOSTILE},
        environment={HOSTILE: {HOSTILE: [HOSTILE]}},
        verdict=judged.model_copy(update={"candidates": each, "sentence": HOSTILE}),
    )


def _with_care(dossier: Dossier) -> Dossier:
    """The same, but the machine did other things while the recommended candidate was timed, and the run was interrupted."""
    best = dossier.verdict.recommended
    findings = tuple(
        f.model_copy(update={"state": State.DISTURBED}) if f.candidate == best and "load" in f.at else f
        for f in dossier.findings
    )
    return _with(dossier, findings=findings, run=dossier.run.model_copy(update={"interrupted": True}))


def _imported(dossier: Dossier) -> Dossier:
    """Two of them as outputs made elsewhere: what is counted on rows, and nothing that was run."""
    kept = [dossier.reference(), dossier.entry("openvino bf16")]
    entries = tuple(
        entry.model_copy(
            update={
                "artefact": None,
                "candidate": entry.candidate.model_copy(
                    update={"runtime": PartRef(name="predictions"), "device": "unknown", "precision": "unknown"}
                ),
            }
        )
        for entry in kept
    )
    ids = {entry.id for entry in entries}
    findings = tuple(
        f.model_copy(update={"origin": Origin.IMPORTED})
        for f in dossier.findings
        if f.candidate in ids and f.unit_of_replication == "rows"
    )
    verdicts = tuple(
        one.model_copy(update={"judgements": ()}) for one in dossier.verdict.candidates if one.candidate in ids
    )
    verdict = _with_verdict(
        dossier,
        outcome=Outcome.OPEN,
        candidates=verdicts,
        recommended=None,
        sentence="Nothing was required.",
        compared=1,
    )
    environment = {"outputs": "made elsewhere; no model was run", "rows": ROWS}
    return _with(
        dossier,
        candidates=entries,
        dropped=(),
        findings=findings,
        verdict=verdict,
        environment=environment,
        artefacts={},
        study={"name": "b.parquet against a.parquet"},
    )
