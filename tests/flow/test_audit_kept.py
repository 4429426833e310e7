"""What an audit found is kept: the same rows aren't looked at again; other rows, options, versions or statements are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seatrial
from seatrial import catalog
from seatrial.contracts.audit import Auditing, Table
from seatrial.contracts.finding import Finding
from seatrial.flow import audit as auditing
from seatrial.flow.audit_alone import audit_files, audit_of_study
from seatrial.flow.audit_kept import Kept
from seatrial.flow.audit_rows import InDoubt
from seatrial.flow.keep import AUDITED, Keeper, clean, home
from seatrial.testing import _faulty
from seatrial.testing.audits import table

KEY = b"k" * 32
LABELLED = {"label": "y", "group": "person", "order": "day"}
NAMES = ("duplicates", "outliers", "imbalance", "label_errors", "leakage")


def tables(columns: dict[str, Any] | None = None, **changed: Any) -> dict[str, Table]:
    whole = columns or _faulty.faulty(900)
    made = table(whole, "train", "train", 97, **LABELLED)
    other = table({name: values[300:500] for name, values in whole.items()}, "evaluation", "evaluation", **LABELLED)
    return {"train": replace(made, **changed), "evaluation": other}


def looked(
    folder: Path, given: dict[str, Table], run: str = "1", fresh: bool = False, **asked: Any
) -> tuple[list[Finding], InDoubt, Kept]:
    kept, doubts = Kept(Keeper(folder), fresh), InDoubt()
    wanted = Auditing.model_validate({"audits": NAMES} | asked)
    found = auditing.audit(given, wanted, folder, folder / run, KEY, doubt=doubts, kept=kept)
    return found, doubts, kept


@pytest.fixture
def first(tmp_path: Path) -> Path:
    _, _, kept = looked(tmp_path, tables())
    assert kept.measured == 8
    assert kept.reused == 0
    return tmp_path


def test_a_second_look_at_the_same_rows_measures_nothing_and_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, doubts, _ = looked(tmp_path, tables())
    for name in NAMES:
        module = catalog.load(catalog.find("audits", name))
        for begins in {"begin", "look"} & set(vars(module)):
            monkeypatch.setattr(module, begins, lambda *_: pytest.fail("it looks again"))
    after, again, kept = looked(tmp_path, tables(), "2")
    assert (kept.measured, kept.reused) == (0, 8)
    assert {one.key: told(one) for one in before} == {one.key: told(one) for one in after}
    assert {one.key: one.measured_at for one in before if one.part} == {
        one.key: one.measured_at for one in after if one.part
    }
    files = {path for one in after for path in one.artefacts.values()}
    assert files
    for path in files:
        assert path.startswith("2/")
        assert (tmp_path / path).read_text() == (tmp_path / path.replace("2/", "1/", 1)).read_text()
    assert doubts.marks.keys() == again.marks.keys() == {"train", "evaluation"}
    for name, kinds in doubts.marks.items():
        assert {kind: mark.tolist() for kind, mark in kinds.items()} == {
            kind: mark.tolist() for kind, mark in again.marks[name].items()
        }


def told(one: Finding) -> dict[str, Any]:
    return one.model_dump(exclude={"measured_at", "artefacts"}) | {"files": sorted(one.artefacts)}


def test_a_changed_cell_is_looked_at_anew_and_the_other_table_is_not(first: Path) -> None:
    columns = _faulty.faulty(900)
    columns["height"] = columns["height"].copy()
    columns["height"][0] += 1e-9
    found, _, kept = looked(first, tables(columns), "2")
    assert (kept.measured, kept.reused) == (5, 3)
    assert not any("/1/" in path for one in found for path in one.artefacts.values())


def test_rows_in_another_order_are_looked_at_anew(first: Path) -> None:
    columns = {name: values[::-1] for name, values in _faulty.faulty(900).items()}
    assert looked(first, tables(columns), "2")[2].measured >= 5


@pytest.mark.parametrize(
    "asked",
    [
        {"level": 0.9},
        {"alarm": 0.05},
        {"memory": 2**29},
        {"seed": 1},
        {"sensitive": ["town"]},
        {"statistics": {"height": {"mean": 1.0}}},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_what_is_stated_for_all_audits_counts(first: Path, asked: dict[str, Any]) -> None:
    assert looked(first, tables(), "2", **asked)[2].reused == 0


def test_an_option_counts_for_its_audit_alone(first: Path) -> None:
    option = next(iter(catalog.options_type(catalog.load(catalog.find("audits", "outliers"))).model_fields))
    usual = getattr(catalog.options(catalog.find("audits", "outliers")), option)
    named = [one if one != "outliers" else {one: {option: usual * 2}} for one in NAMES]
    assert looked(first, tables(), "2", audits=named)[2].measured == 2


@pytest.mark.parametrize(
    "changed",
    [{"label": None}, {"group": None}, {"role": "tune"}, {"ignored": ("person",)}],
    ids=lambda one: next(iter(one)),
)
def test_what_columns_mean_counts(first: Path, changed: dict[str, Any]) -> None:
    assert looked(first, tables(**changed), "2")[2].measured >= 5 - ("label" in changed)


def test_a_version_counts(first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = catalog.find("audits", "duplicates")
    newer = info.model_copy(update={"version": info.version + 1})
    known = catalog.find
    monkeypatch.setattr(
        auditing.catalog,
        "find",
        lambda kind, name, folder=None: newer if name == "duplicates" else known(kind, name, folder),
    )
    assert looked(first, tables(), "2")[2].measured == 2


def test_fresh_looks_again_and_keeps_what_it_finds(first: Path) -> None:
    assert looked(first, tables(), "2", fresh=True)[2].measured == 8
    assert looked(first, tables(), "3")[2].reused == 8


LOCAL = '''"""Counts {what}."""
from seatrial.contracts.audit import told
from seatrial.contracts.finding import Severity
ACCEPTS = {{"tables": ("all",)}}
def look(ground, options):
    {body}
    yield from told("mine", 1, 2, Severity.FINE, "{what}")
'''


def test_a_local_audit_that_was_edited_looks_anew_and_one_that_failed_is_tried_again(tmp_path: Path) -> None:
    def with_file(text: str) -> Kept:
        name = f"v{len(list(tmp_path.glob('v*')))}"
        (tmp_path / "mine.py").write_text(text)
        (tmp_path / name).mkdir()
        return looked(tmp_path, tables(), name, audits=["./mine.py"])[2]

    assert with_file(LOCAL.format(what="one", body="pass")).measured == 1
    assert with_file(LOCAL.format(what="one", body="pass")).reused == 1
    assert with_file(LOCAL.format(what="other", body="pass")).measured == 1
    import sys

    for name in [one for one in sys.modules if one.startswith("seatrial_local_mine")]:
        del sys.modules[name]
    broken = LOCAL.format(what="broken", body="raise RuntimeError('no')")
    assert (with_file(broken).measured, with_file(broken).reused) == (0, 0)


def test_what_is_kept_holds_no_cell_and_goes_with_the_rest(first: Path) -> None:
    keeper = Keeper(first)
    bodies = keeper.store.all(AUDITED)
    assert bodies
    cells = {
        word
        for chunk in tables()["train"].chunks()
        for piece in chunk.columns.values()
        for word in piece.words
        if len(word) > 5
    }
    assert not [word for word in cells if word in str(bodies)]
    clean(home(first), keep=0)
    assert looked(first, tables(), "2")[2].reused == 8
    clean(home(first), keep=0, before=1e12)
    assert looked(first, tables(), "3")[2].measured > 0  # those whose rows are gone
    clean(home(first), everything=True)
    assert looked(first, tables(), "4")[2].reused == 0


@settings(max_examples=15, deadline=None)
@given(
    cells=st.lists(st.one_of(st.none(), st.floats(allow_nan=False, width=32)), min_size=3, max_size=3),
    at=st.integers(0, 2),
    other=st.floats(allow_nan=False, width=32),
)
def test_rows_are_the_same_exactly_if_every_cell_is(
    tmp_path_factory: pytest.TempPathFactory, cells: list[float | None], at: int, other: float
) -> None:
    folder = tmp_path_factory.mktemp("cells")
    changed = [*cells]
    changed[at] = other
    pl.DataFrame({"a": pl.Series(cells, dtype=pl.Float64)}).write_parquet(folder / "one.parquet")
    pl.DataFrame({"a": pl.Series(changed, dtype=pl.Float64)}).write_parquet(folder / "two.parquet")
    asked = Auditing(audits=("duplicates",))
    audit_files({"rows": folder / "one.parquet"}, {}, asked)
    assert audit_files({"rows": folder / "two.parquet"}, {}, asked).reused == (cells == changed)


STUDY = """\
schema: 1
name: kept
models:
  elsewhere:
    forms: {predictions: {from: {parquet: {path: rows.parquet}}, columns: [score]}}
    task: classification
    outputs: {score: {means: probabilities, classes: ["0", "1"]}}
data:
  rows: {from: {parquet: {path: rows.parquet}}, label: y, roles: confirm}
candidates: [{runtime: recorded}]
reference: {runtime: recorded, eligible: true}
measure: {loads: [], meters: [], metrics: [accuracy]}
audit: {audits: [duplicates, imbalance]}
require: [{at_least: {what: accuracy, bound: 0.1}}]
reports: [json]
"""


def test_a_second_run_of_a_study_audits_nothing_and_judges_the_same_rows_as_doubtful(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = pl.DataFrame({"x": rng.normal(size=80), "score": rng.random(80), "y": rng.integers(0, 2, 80)})
    pl.concat([rows, rows[:20]]).write_parquet(tmp_path / "rows.parquet")
    (tmp_path / "study.yaml").write_text(STUDY)
    runs = [seatrial.run(tmp_path / "study.yaml") for _ in range(2)]
    assert [one.run.measured for one in runs] == [2, 0]
    assert [one.run.reused for one in runs] == [0, 2]
    without = [
        {one.key: one.value for one in run.findings if one.what.startswith(("cleaned.", "audit."))} for run in runs
    ]
    assert without[0] == without[1]
    assert any(key.startswith("cleaned.accuracy") for key in without[0])
    assert audit_of_study(tmp_path / "study.yaml").reused == 2
    assert seatrial.run(tmp_path / "study.yaml", fresh=True).run.measured == 2
