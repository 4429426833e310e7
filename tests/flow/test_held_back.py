"""The best of several is confirmed on rows that had no part in the choice."""

from pathlib import Path

import numpy as np
from small_study import STUDY, make

import seatrial
from seatrial.contracts.candidate import Candidate, PartRef
from seatrial.contracts.finding import Finding
from seatrial.contracts.plan import Levels, Plan, Planned
from seatrial.flow.held_back import CHOSEN, HELD, held_back
from seatrial.flow.read import read


def plan(folder: Path, candidates: int) -> Plan:
    source = read(make(folder))
    planned = tuple(
        Planned(
            candidate=Candidate(model="linear", runtime=PartRef(name="onnxruntime"), batch=number + 1),
            label=str(number),
            form="onnx",
        )
        for number in range(candidates)
    )
    return Plan(
        study=source.study, folder=str(folder), file="", candidates=planned, dropped=(), levels=Levels(), rounds=(1, 1)
    )


def test_the_winner_is_not_flattered(tmp_path: Path):
    """Twelve equally good candidates: the best looks better on the rows that chose it, and as good as it is on the others."""
    made, rng = plan(tmp_path, 12), np.random.default_rng(0)
    truth, rows, chosen, confirmed = 0.8, 400, [], []
    for _ in range(400):
        findings = [
            Finding(
                what="accuracy",
                candidate=one.candidate.id,
                slice=half,
                value=rng.binomial(rows, truth) / rows,
                level=0.95,
                better="higher",
            )
            for one in made.candidates
            for half in (CHOSEN, HELD)
        ]
        (best,) = held_back(made, findings)
        assert best.what == "best.accuracy"
        confirmed.append(best.value)
        chosen.append(max(one.value for one in findings if one.slice == CHOSEN))
    error = (truth * (1 - truth) / rows / 400) ** 0.5
    assert abs(np.mean(confirmed) - truth) < 4 * error
    assert np.mean(chosen) - truth > 10 * error


def test_a_study_that_holds_back(tmp_path: Path):
    study = STUDY.replace("rounds: 2,", "rounds: 1, hold_back: true,").replace(
        "reports: [json, html]", "reports: [json]"
    )
    dossier = seatrial.run(make(tmp_path, study))
    best = dossier.find(
        "best.accuracy", candidate=next(one.candidate for one in dossier.findings if one.what == "best.accuracy")
    )
    assert best is not None
    assert "on the other half" in best.note
    halves = [one for one in dossier.findings if one.what == "accuracy" and one.slice in (CHOSEN, HELD)]
    assert sum(one.n for one in halves if one.candidate == best.candidate and one.level == 0.95) == 400
