"""Simulated coverage of the intervals of `numerics`, scenes as in the tests, as a table of Markdown."""

from __future__ import annotations

import sys
from pathlib import Path

RUNS = 10_000


def table(runs: int = RUNS) -> str:
    """Rows are scenes, columns are figures, numbers the share of simulated intervals that hold the truth at a nominal .95."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "numerics"))
    import test_agreement
    import test_ranking

    tables = {name: test_agreement.coverage(name, runs) for name in test_agreement.SCENES}
    curves = {
        f"AUC {auc}, spread {spread}, {some} of {some + others}": test_ranking.coverage(
            auc, spread, (some, others), runs
        )
        for auc, spread, (some, others) in test_ranking.SCENES
    }
    return "\n\n".join(_markdown(found) for found in (tables, curves))


def _markdown(found: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(found.values())))
    lines = [f"| scene | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {scene} | {' | '.join(f'{one:.3f}' for one in of.values())} |" for scene, of in found.items()]
    return "\n".join(lines)
