"""What can be stated of each candidate: speed from its rounds, quality from its outputs, what ran, and what went wrong.

Every quantity is stated at the level for readers; those that a requirement reads are stated at the level that decides, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.plan import Plan
from seatrial.flow.alone import SAME
from seatrial.flow.attacked import attacked_findings
from seatrial.flow.backdoors import backdoor_findings
from seatrial.flow.cleaned import PREFIX
from seatrial.flow.counted import Judged
from seatrial.flow.decide import requirements_read
from seatrial.flow.elsewhere import NOT_RUN, as_imported, undecided
from seatrial.flow.quality import quality_findings
from seatrial.flow.representing import REWEIGHTED, reweighted
from seatrial.flow.robust import changed_findings
from seatrial.flow.rounds import speed_findings
from seatrial.flow.trial import Trial, Voyage, now
from seatrial.numerics.stopping import level_at_look, looks


def statements(voyage: Voyage, trials: list[Trial], judged: Mapping[str, Judged]) -> list[Finding]:
    """All findings about candidates, from what is known now. `judged` are the rows that judge, by model."""
    read = {what for what, _ in requirements_read(voyage.plan)}
    reference = reference_of(trials)
    return [finding for one in trials for finding in _of_one(voyage, one, reference, judged, read)]


def reference_of(trials: list[Trial]) -> Trial | None:
    """The reference's trial; None where its artefact could not be made."""
    return next((one for one in trials if one.planned.reference), None)


def level_over_rounds(plan: Plan, level: float) -> float:
    """The level of a bound on rounds: higher where the study may stop at several looks (alpha spending)."""
    return level_at_look(level, len(looks(*plan.rounds)))


def _of_one(
    voyage: Voyage, one: Trial, reference: Trial | None, judged: Mapping[str, Judged], read: set[str]
) -> list[Finding]:
    if one.failure is not None and one.failure.state is State.REFUSED:
        return [*_executed(one), one.failure]  # its figures are those of something else
    levels = [voyage.plan.levels.describe, voyage.plan.levels.gate] if read else [voyage.plan.levels.describe]
    over_rounds = [level_over_rounds(voyage.plan, level) for level in levels]
    stated = speed_findings(voyage, one, reference, over_rounds)
    if one.prediction is not None:
        rows = judged[one.planned.candidate.model]
        found = quality_findings(voyage, one, reference, rows, levels)
        if rows.weighted is not None:
            found += reweighted(quality_findings(voyage, one, reference, rows.weighted, levels))
        stated += sourced(voyage, found, one, reference)
        if rows.changes and not one.imported:
            stated += changed_findings(voyage, one, reference, rows, levels)
        if rows.siege is not None:
            model = voyage.plan.study.models[one.planned.candidate.model]
            stated += attacked_findings(one, reference, rows, model, levels)
        if rows.inquiry is not None:
            stated += backdoor_findings(one, rows, levels)
    nearest = {id(finding) for finding in _nearest(stated, levels[0])}
    shown = [finding for finding in stated if _plain(finding.what) in read or id(finding) in nearest]
    return [*shown, *_executed(one), *_with_the_batch(one), *_end(one)]


def _plain(what: str) -> str:
    """The name that a figure has of all rows as they are."""
    return what.removeprefix(PREFIX).removeprefix(REWEIGHTED)


def sourced(voyage: Voyage, found: list[Finding], one: Trial, reference: Trial | None) -> list[Finding]:
    """What was found from outputs, with their origin: what rests on outputs made elsewhere is imported, paired or not."""
    other = reference if reference is not one else None
    metrics = {
        info.name: info for info in (voyage.find("metrics", ref.name) for ref in voyage.plan.study.measure.metrics)
    }
    made = []
    for finding in found:
        sides = [one] + ([other] if other and finding.against else [])
        kept = [finding]
        if any(side.decided for side in sides):
            kept = undecided(kept, metrics)
        made += as_imported(kept) if any(side.imported for side in sides) else kept
    return made


def _nearest(stated: list[Finding], level: float) -> Iterable[Finding]:
    """Of all statements of the same quantity the one whose level is nearest to this."""
    found: dict[str, Finding] = {}
    for one in stated:
        key = one.key
        if key not in found or abs((one.level or level) - level) < abs((found[key].level or level) - level):
            found[key] = one
    return found.values()


def _executed(one: Trial) -> list[Finding]:
    """What really ran, as the session found out."""
    if one.imported:
        fields = {"candidate": one.id, "measured_at": now()}
        return [missing(f"executed.{name}", State.UNSUPPORTED, NOT_RUN, **fields) for name in ("device", "precision")]
    if one.facts is None:
        return []
    fields = {"candidate": one.id, "method": "read from the session", "measured_at": one.facts["at"]}
    told = "; ".join(filter(None, (one.facts["details"].get("note", ""), _untried(one))))
    notes = {"device": told, "precision": ""}
    return [
        Finding(what=f"executed.{name}", value=one.facts[name], note=note, **fields) for name, note in notes.items()
    ]


def _untried(one: Trial) -> str:
    """What of that which this candidate asks for, its runtime says that nobody had run when it was written."""
    candidate = one.planned.candidate
    options = (name for name, value in candidate.runtime.options.items() if value)
    asked = (candidate.device.partition(":")[0], candidate.precision, *options)
    gaps = ((name, one.runtime.cannot[name]) for name in dict.fromkeys(asked) if name in one.runtime.cannot)
    said = [f"`{name}` ({why})" for name, (gap, why) in gaps if gap == "not run here"]
    return f"nobody of Seatrial had run this before you did: {', '.join(said)}" if said else ""


def _with_the_batch(one: Trial) -> list[Finding]:
    """By how much answers change with the batch, where they do."""
    alone = (one.prediction or {}).get("alone")
    if one.prediction is None or not alone or alone["difference"] <= SAME * max(1.0, alone["scale"]):
        return []
    return [
        Finding(
            what="batch.difference",
            value=alone["difference"],
            better="lower",
            n=alone["rows"],
            unit_of_replication="rows",
            method=f"largest absolute difference of outputs of rows answered alone and in batches of {one.planned.candidate.batch}",
            note=f"answers change with the batch, by up to {alone['difference']:.3g} where the largest is {alone['scale']:.3g}",
            candidate=one.id,
            measured_at=one.prediction["at"],
        )
    ]


def _end(one: Trial) -> list[Finding]:
    """How it ended, where it didn't end well."""
    if one.failure is not None:
        return [one.failure, *one.shown]
    if one.prediction and (one.rounds or one.imported):
        return []
    return [missing("run", State.TOO_FEW, "the run ended before this candidate was measured", candidate=one.id)]
