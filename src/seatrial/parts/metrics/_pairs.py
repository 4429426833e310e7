"""What metrics share that compare a candidate with the reference on the same rows."""

from __future__ import annotations

from seatrial.contracts.protocols import Batch
from seatrial.parts.metrics._counts import labels, predicted, reference


def discordant(batch: Batch) -> dict[str, int]:
    """Rows, `lost` rows that only the reference has right, `gained` rows that only the candidate has right."""
    truth = labels(batch)
    own, other = predicted(batch.answers) == truth, predicted(reference(batch)) == truth
    return {"rows": len(truth), "lost": int((other & ~own).sum()), "gained": int((own & ~other).sum())}
