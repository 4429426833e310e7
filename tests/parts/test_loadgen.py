"""Our meters against MLPerf's LoadGen in all four scenarios: tests that it ran are read from a file, with what its summaries said.

`benchmarks/loadgen.py --record` makes the file anew.
"""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import loadgen

RUNS = json.loads(loadgen.RUNS.read_text())


def name(run):
    return f"{run['scenario']}-{len(run['queries'])}-{run['settings']['min_duration_ms']}"


@pytest.mark.parametrize("run", RUNS, ids=name)
def test_meters_say_what_loadgen_said(run):
    differing = [one for one in loadgen.compared(run) if not one.same]
    assert not differing


def test_every_scenario_has_valid_and_invalid_tests():
    seen = {(run["scenario"], run["said"]["valid"]) for run in RUNS}
    assert seen == {(scenario, valid) for scenario in loadgen.LOADS for valid in (True, False)}


def test_a_test_is_invalid_for_each_reason():
    said = [run["said"] for run in RUNS if not run["said"]["valid"]]
    assert all(any(not one[reason] for one in said) for reason in ("duration", "early", "constraints"))


def test_what_differs_would_be_told():
    (run, *_) = (one for one in RUNS if one["scenario"] == "MultiStream" and one["said"]["valid"])
    other = run | {"queries": [[begun, took + 1_000] for begun, took in run["queries"]]}
    assert {one.figure for one in loadgen.compared(other) if not one.same} == {"percentiles", "discards"}
    fewer = run | {"queries": run["queries"][:600]}
    assert "validity" in {one.figure for one in loadgen.compared(fewer) if not one.same}
