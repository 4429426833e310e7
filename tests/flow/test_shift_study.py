"""Shift between two data sets of a study: what was planted is found, what chance does isn't, and what can't be compared is told."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from small_study import make

import seatrial
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.glossary import term
from seatrial.errors import DataError, StudyError
from seatrial.flow.read import read
from seatrial.flow.shifted import SOME, _Column, shift_findings

STUDY = """\
schema: 1
name: people
models:
  linear:
    forms: {{onnx: {{path: linear.onnx}}}}
    task: classification
    inputs: {{x: {{columns: [a, b, c, d]}}}}
    outputs: {{logits: {{means: logits, classes: [red, green, blue]}}}}
data:
  before: {{from: {{{kind}: {{path: before.{suffix}}}}}, label: label, roles: train{group}}}
  after: {{from: {{{kind}: {{path: after.{suffix}}}}}, label: label, roles: confirm{group}}}
candidates: [{{runtime: onnxruntime}}]
reference: {{runtime: onnxruntime}}
measure: {{loads: [offline], rounds: 1, meters: [size], metrics: [accuracy], slices: [town], shift: {shift}}}
reports: [json]
"""
SHIFT = "{between: [before, after]}"


def rows(seed: int, n: int = 800, **more: Any) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    made = {name: rng.normal(size=n).astype(np.float32) for name in "abcd"}
    made |= {"label": rng.integers(0, 3, n), "town": rng.choice(["Rye", "Ely", "Bath"], n, p=[0.5, 0.3, 0.2])}
    return made | more


def study(folder: Path, shift: str = SHIFT, kind: str = "parquet", group: str = "") -> Any:
    make(folder)
    file = folder / "people.yaml"
    suffix = {"parquet": "parquet", "csv": "csv", "npz": "npz"}[kind]
    file.write_text(STUDY.format(kind=kind, suffix=suffix, shift=shift, group=f", group: {group}" if group else ""))
    return file


def found(folder: Path, before: dict[str, Any], after: dict[str, Any], **stated: Any) -> list[Finding]:
    if stated.get("kind") == "npz":
        np.savez(folder / "before.npz", **before)
        np.savez(folder / "after.npz", **after)
    else:
        pl.DataFrame(before).write_parquet(folder / "before.parquet")
        pl.DataFrame(after).write_parquet(folder / "after.parquet")
    source = read(study(folder, **stated))
    return shift_findings(source.study, source.folder, 0.95)


def of(findings: list[Finding], what: str, column: str) -> Finding:
    (one,) = [one for one in findings if one.what == what and one.at.get("column") == column]
    return one


def shifted(findings: list[Finding], above: float = SOME) -> tuple[int, list[str]]:
    (one,) = [one for one in findings if one.what == "shift.columns" and one.at["above"] == above]
    return int(one.number), [name for name in one.note.split(", ") if name]


def test_nothing_is_compared_unless_asked(tmp_path: Path) -> None:
    assert found(tmp_path, rows(0), rows(1), shift="null") == []


def test_a_planted_shift_is_found_and_its_clean_twin_is_quiet(tmp_path: Path) -> None:
    moved = rows(1)
    moved["b"] = moved["b"] + np.float32(0.8)
    moved["town"] = np.random.default_rng(2).choice(["Rye", "Ely", "Bath"], 800, p=[0.2, 0.3, 0.5])
    made = found(tmp_path, rows(0), moved)
    assert shifted(made)[0] == 2
    assert set(shifted(made)[1]) == {"b", "town"}
    assert shifted(made, 0.25)[1] == ["b", "town"]
    mean = of(made, "shift.mean", "b")
    assert mean.low is not None and mean.high is not None and mean.low < 0.8 < mean.high  # noqa: PT018
    assert mean.high - mean.low < 0.3
    divergence = of(made, "shift.jensen_shannon", "town")
    assert (divergence.unit, divergence.n) == ("bits", 1600)
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    assert of(made, "shift.psi", "town").number == pytest.approx(np.sum((q - p) * np.log(q / p)), abs=0.12)
    assert {one.at["column"] for one in made if one.what == "shift.mean"} == set("abcd"), "words have no mean"
    assert shifted(found(tmp_path, rows(0), rows(1))) == (0, [])
    assert all(term(one.what) for one in made)


def test_a_significant_shift_that_is_small_is_no_alarm(tmp_path: Path) -> None:
    n = 400_000
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=n).astype(np.float32), (rng.normal(size=n) + 0.02).astype(np.float32)
    made = found(tmp_path, rows(0, n, a=one), rows(1, n, a=other), shift="{between: [before, after], columns: [a]}")
    assert "this is more" in of(made, "shift.psi", "a").note
    assert shifted(made)[0] == 0


@pytest.mark.parametrize("n", [60, 300])
def test_false_alarms_are_as_rare_as_said(tmp_path: Path, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 pairs without a shift: some column exceeds what is said of chance in at most 5 % of them."""
    from seatrial.flow import shifted as module

    runs, alarms = 200, 0
    source = read(study(tmp_path))
    columns = ("a", "b", "c", "d", "town")
    held: dict[str, dict[str, Any]] = {}
    monkeypatch.setattr(module.DataSet, "names", lambda self: [*columns, "label"])
    monkeypatch.setattr(module, "chosen", lambda pick, names: iter([held[pick.source.name]]))
    for run in range(runs):
        held.update(before=rows(2 * run, n), after=rows(2 * run + 1, n))
        held["before"]["town"], held["after"]["town"] = (held[x]["town"].astype(object) for x in ("before", "after"))
        made = shift_findings(source.study, source.folder, 0.95)
        alarms += any("this is more" in one.note for one in made if one.what == "shift.psi")
    bound = 0.05 * runs + 2.576 * math.sqrt(runs * 0.05 * 0.95)
    assert alarms <= bound


def test_more_gaps_are_a_shift(tmp_path: Path) -> None:
    gaps = rows(1)
    gaps["c"] = np.where(np.arange(800) % 3 == 0, np.nan, gaps["c"])
    made = found(tmp_path, rows(0), gaps)
    assert shifted(made) == (1, ["c"])
    mean = of(made, "shift.mean", "c")
    assert mean.low is not None and mean.low < 0 < (mean.high or 0)  # noqa: PT018
    assert mean.n == 800 + 533


def test_a_column_that_cant_be_read_keeps_no_other_from_being_compared(tmp_path: Path) -> None:
    gaps = rows(1)
    gaps["town"] = [None if at % 3 == 0 else town for at, town in enumerate(gaps["town"].tolist())]
    made = found(tmp_path, rows(0), gaps)
    assert "267 values are null" in of(made, "shift.psi", "town").note
    assert of(made, "shift.psi", "b").value is not None


def test_words_without_a_value_are_counted_as_such() -> None:
    one, other = _Column(), _Column()
    one.see(np.array(["Rye", None, float("nan"), "Ely"], object))
    other.see(np.array(["Rye", "Rye"], object))
    assert (one.missing, dict(one.words or {}), one.text) == (2, {"Rye": 1, "Ely": 1}, True)
    assert (other.missing, dict(other.words or {})) == (0, {"Rye": 2})


def test_a_column_that_is_empty_or_never_varies_is_told(tmp_path: Path) -> None:
    made = found(
        tmp_path, rows(0, a=np.ones(800), b=np.ones(800)), rows(1, a=np.full(800, 2.0), b=np.full(800, np.nan))
    )
    assert set(shifted(made)[1]) == {"a", "b"}
    assert of(made, "shift.mean", "a").state is State.TOO_FEW
    assert of(made, "shift.mean", "b").state is State.TOO_FEW


def test_long_texts_are_compared_by_their_length(tmp_path: Path) -> None:
    def texts(seed: int, longest: int) -> list[str]:
        rng = np.random.default_rng(seed)
        return ["".join(rng.choice(list("abcdefgh "), rng.integers(12, longest))) for _ in range(1500)]

    stated = {"shift": "{between: [before, after], columns: [a, mail]}"}
    made = found(tmp_path, rows(0, 1500, mail=texts(0, 40)), rows(1, 1500, mail=texts(1, 60)), **stated)
    assert shifted(made)[1] == ["length of mail"]
    assert of(made, "shift.mean", "length of mail").number > 0.5
    same = found(tmp_path, rows(0, 1500, mail=texts(0, 40)), rows(1, 1500, mail=texts(1, 40)), **stated)
    assert shifted(same)[0] == 0


def test_pictures_are_compared_by_how_they_look_and_wide_rows_by_each_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dark, light = rng.integers(0, 120, (400, 8, 8, 3), np.uint8), rng.integers(60, 180, (400, 8, 8, 3), np.uint8)
    one, other = rng.normal(size=(400, 3)), rng.normal([0.0, 0.0, 1.0], 1.0, (400, 3))
    wide = rng.normal(size=(800, 150))
    made = found(
        tmp_path,
        {"picture": dark, "x": one, "wide": wide[:400]},
        {"picture": light, "x": other, "wide": wide[400:] * 3},
        kind="npz",
        shift="{between: [before, after], columns: [picture, x, wide]}",
    )
    assert set(shifted(made)[1]) == {"brightness of picture", "x[2]", "mean of wide", "deviation of wide"}


def test_what_is_named_and_lacking_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column `twon`") as column:
        found(tmp_path, rows(0), rows(1), shift="{between: [before, after], columns: [twon]}")
    assert "`town`" in str(column.value)
    with pytest.raises(DataError, match="no data set `befor`") as data:
        found(tmp_path, rows(0), rows(1), shift="{between: [befor, after]}")
    assert "`before`" in str(data.value)
    with pytest.raises(StudyError, match="two different data sets"):
        found(tmp_path, rows(0), rows(1), shift="{between: [after, after]}")


def test_a_column_that_models_read_and_one_set_lacks_is_a_finding(tmp_path: Path) -> None:
    lacking = rows(1)
    lacking["towns"] = lacking.pop("town")
    made = found(tmp_path, rows(0), lacking)
    lost = of(made, "shift.psi", "town")
    assert lost.state is State.FAILED
    assert "`after` has no column `town`" in lost.note
    assert "`towns`" in lost.method
    assert shifted(made)[0] == 0


def test_words_against_numbers_are_told(tmp_path: Path) -> None:
    made = found(tmp_path, rows(0), rows(1, a=np.array(["low", "high"] * 400)))
    assert "numbers in `before` and words in `after`" in of(made, "shift.psi", "a").note
    assert of(made, "shift.psi", "b").value is not None


def test_rows_that_belong_together_widen_chance(tmp_path: Path) -> None:
    """40 users with 20 rows each that are alike: as rows they would be a shift, as users they aren't."""

    def users(seed: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        return rows(seed, a=np.repeat(rng.normal(size=40), 20), user=np.repeat(np.arange(40) + 1000 * seed, 20))

    apart = "{between: [before, after], columns: [a]}"
    alone = [found(tmp_path, users(2 * at), users(2 * at + 1), shift=apart) for at in range(5)]
    together = [found(tmp_path, users(2 * at), users(2 * at + 1), shift=apart, group="user") for at in range(5)]
    assert sum(shifted(one)[0] for one in alone) >= 3
    assert sum(shifted(one)[0] for one in together) == 0
    assert "as if each group" in of(together[0], "shift.mean", "a").method


def test_a_million_rows_in_chunks_give_what_arrays_give(tmp_path: Path) -> None:
    n = 1_000_000
    before, after = rows(0, n), rows(1, n)
    after["a"] = after["a"] * np.float32(1.5)
    made = found(tmp_path, before, after)
    assert shifted(made)[1] == ["a"]
    one, other = before["b"].astype(float), after["b"].astype(float)
    gap = (other.mean() - one.mean()) / math.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 2)
    assert of(made, "shift.mean", "b").number == pytest.approx(gap, abs=1e-9)
    assert of(made, "shift.psi", "town").n == 2 * n


def test_in_a_study(tmp_path: Path) -> None:
    pl.DataFrame(rows(0)).write_parquet(tmp_path / "before.parquet")
    pl.DataFrame(rows(1, d=np.random.default_rng(1).normal(1.0, 1.0, 800))).write_parquet(tmp_path / "after.parquet")
    dossier = seatrial.run(study(tmp_path))
    assert shifted(list(dossier.findings))[1] == ["d"]
    assert of(list(dossier.findings), "shift.mean", "d").number == pytest.approx(1.0, abs=0.2)
