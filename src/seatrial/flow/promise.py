"""What a training with noise promises of its rows (differential privacy), from the artefact's lineage to findings.

The promise outlives whatever is done to the model afterwards, unless that looks at the training rows again.

privacy.epsilon   at most so much does any one training row show (natural logarithm of a ratio of chances)
privacy.delta     the chance that it shows more
"""

from __future__ import annotations

from collections.abc import Iterator

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.finding import Finding, State, missing
from seatrial.flow.trial import Voyage, now

EPSILON, DELTA = "privacy.epsilon", "privacy.delta"


def promises(voyage: Voyage, artefact: Artefact, candidate: str) -> Iterator[Finding]:
    """Epsilon and delta of a candidate that was trained so, or why it promises nothing any more; nothing of others."""
    links = (*artefact.lineage.earlier, artefact.lineage)
    line = next((one for one in reversed(links) if "privacy" in one.found), None)
    if line is None:
        return
    told, of = line.found["privacy"], {"candidate": candidate, "part": line.recipe, "measured_at": now()}
    again = [one.recipe for one in links if one is not line and _looks_again(voyage, one.recipe)]
    if again:
        why = f"{again[-1]} learnt from the rows with the role `train` as well, and the two together promise nothing that was worked out"
        yield missing(EPSILON, State.UNSUPPORTED, why, better="lower", **of)
        return
    begun = (
        "; private only if the weights that it began with never saw these rows" if told["start"] == "weights" else ""
    )
    yield Finding(
        what=EPSILON,
        value=told["epsilon"],
        better="lower",
        note=f"with delta {told['delta']:.3g}, for one row among {line.found['rows']}{begun}",
        method=(
            f"privacy loss of {told['steps']} steps of the subsampled Gaussian mechanism, each row in a step with chance {told['share']:.4g}, "
            f"noise {told['noise']:.4g}; no more than the bound by Renyi divergence, {told['checked']:.4g}"
        ),
        **of,
    )
    yield Finding(what=DELTA, value=told["delta"], better="lower", method="as it was chosen for epsilon", **of)


def _looks_again(voyage: Voyage, recipe: str) -> bool:
    """Whether what made an artefact may learn from the training rows."""
    return recipe in catalog.parts("variants") and "train" in voyage.find("variants", recipe).accepts.get("rows", ())
