"""Signs that the attacks are weak and not the model strong: an evaluation with one of them says less than it seems to.

The checks follow Carlini et al. (2019), "On evaluating adversarial robustness", and Athalye, Carlini & Wagner (2018), "Obfuscated
gradients give a false sense of security". Every sign is stated, raised or not, with what was seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from seatrial.contracts.attack import SLACK
from seatrial.contracts.finding import Finding, State, missing
from seatrial.flow.besieged import Siege
from seatrial.flow.siege import OWN, smallest
from seatrial.flow.steps import Step
from seatrial.numerics.paired import mcnemar

FLAG = "attack.flag"
Made = Mapping[tuple[str, str], Sequence[tuple[Step, Mapping[str, Any]]]]
MOST = {
    "masked_gradient": 0.5,
    "zero_gradient": 0.1,
    "saturated": 0.5,
    "random": 0.0,
    "depends_on_others": 0.0,
    "unlimited_fails": 0.05,
}
"""The share of rows from above which a sign is raised."""
SAID = {
    "masked_gradient": ("flat", "rows whose answer doesn't change as a slope foretells when the input moves by a ten-thousandth of its range: an attacker who trusts the deployed artefact's own slope finds nothing, and others do"),
    "zero_gradient": ("zero", "rows where the lent gradient of the cross-entropy is zero"),
    "saturated": ("certain", "rows whose largest probability is 1 to the last digit, so that the cross-entropy has no slope"),
    "random": ("random", "rows that are answered differently when asked again"),
    "depends_on_others": ("beside", "rows that are answered differently beside other rows: a hit in one batch may be none in another, so that it counted when it came again in another"),
    "unlimited_fails": ("unbroken", "right rows that stay right although the attack may change everything"),
}  # fmt: skip
CHANCE = 0.02
"""Two-sided p-value (McNemar's mid-p) from below which black-box attacks count as better than white-box ones."""
RISEN = 0.5
"""The share of rows whose loss must rise."""


def doubts(made: Made, look: Mapping[str, Any], siege: Siege) -> Iterator[Finding]:
    """Each sign as a finding: raised or not, or why it couldn't be looked for."""
    yield from _looked(look)
    yield _black_box(made, siege)
    yield _no_rise(made)


def _looked(look: Mapping[str, Any]) -> Iterator[Finding]:
    seen = look.get("seen")
    if seen is None:
        why = str(look.get("failed", "the run ended before it was looked for"))
        for name in ("no_gradient", *SAID):
            yield missing(FLAG, State(look.get("state", State.TOO_FEW)), why, at={"flag": name})
        return
    rows = int(seen["rows"])
    told = "a form of the model lends gradients" if seen["lent"] else f"no gradient is to be had: {seen.get('why', 'no form of the model lends one')}"  # fmt: skip
    yield _flag("no_gradient", not seen["lent"], told, rows)
    for name, (key, words) in SAID.items():
        if key in seen:
            of = int(seen["all_rows"]) if key in ("random", "beside", "certain") else rows
            yield _flag(name, seen[key] > MOST[name], f"{seen[key]:.1%} of {of} {words}", of)
        else:
            why = "there is no gradient to look at" if rows else "no row is right before it is attacked"
            yield missing(FLAG, State.UNSUPPORTED, why, at={"flag": name})


def _black_box(made: Made, siege: Siege) -> Finding:
    """Whether attacks without the artefact's gradient fool rows that those with it don't, beyond chance."""
    at = {"flag": "black_box_beats_white_box"}
    worst: tuple[float, str] | None = None
    for norm, budgets in siege.budgets.items():
        white = _far([bodies for (_, by), bodies in made.items() if by == norm and bodies[0][0].lends == OWN])
        black = _far([bodies for (_, by), bodies in made.items() if by == norm and bodies[0][0].lends != OWN])
        if white is None or black is None:
            continue
        for budget in budgets:
            one, other = white <= budget + SLACK, black <= budget + SLACK
            alone, missed = int((other & ~one).sum()), int((one & ~other).sum())
            p = mcnemar(alone, missed) if alone > missed else 1.0
            told = f"{norm} {budget:g}: {alone} rows fell to black-box attacks or transfer alone, {missed} to white-box attacks alone"
            worst = min(worst, (p, told)) if worst else (p, told)
    if worst is None:
        return missing(FLAG, State.UNSUPPORTED, "attacks of both kinds weren't made", at=at)
    return _flag(at["flag"], worst[0] < CHANCE, worst[1], len(siege.rows))


def _far(bodies: Iterable[Sequence[tuple[Step, Mapping[str, Any]]]]) -> Any:
    found = [smallest(body) for made in bodies for _, body in made]
    return np.min(found, axis=0) if found else None


def _no_rise(made: Made) -> Finding:
    """Whether an attack's own loss stays where it began, on most rows."""
    told = [
        (body["came"]["risen"], step.label)
        for bodies in made.values()
        for step, body in bodies
        if body["came"]["risen"] is not None and body["came"]["slopes"] > 1
    ]
    if not told:
        return missing(FLAG, State.UNSUPPORTED, "no attack went along a gradient", at={"flag": "loss_does_not_rise"})
    least, which = min(told)
    return _flag(
        "loss_does_not_rise", least < RISEN, f"the loss rose on {least:.1%} of rows in {which}, the worst", None
    )


def _flag(name: str, raised: bool, note: str, n: int | None) -> Finding:
    return Finding(
        what=FLAG,
        at={"flag": name},
        value=bool(raised),
        note=note,
        n=n,
        unit_of_replication="rows" if n is not None else "",
        method="as seen on the attacked rows; raised above a stated share",
    )
