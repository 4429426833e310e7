"""Content hashes of real files, approval and lineage in a study, two versions of a table, rows that must be gone, and retention."""

from __future__ import annotations

import datetime
import json
import os
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_study import STUDY, make

from seatrial.apps.cli import main
from seatrial.contracts.finding import Origin
from seatrial.contracts.provenance import ASKED
from seatrial.errors import DataError, StudyError
from seatrial.flow import contents, keep
from seatrial.flow import study as flow
from seatrial.flow.provenance import provenance_findings, read_lineage
from seatrial.flow.publish import render
from seatrial.flow.read import read

SECRET = b"k" * 32


def frame(rows: int = 300) -> pl.DataFrame:
    random = np.random.default_rng(1)
    return pl.DataFrame(
        {
            "id": range(rows),
            "age": random.integers(0, 99, rows),
            "score": random.normal(size=rows),
            "name": [f"ä{one % 7}" for one in range(rows)],
        }
    )


def hash_of(path: Path, any_order: bool = False) -> str:
    return contents.content(contents.of_file(path), any_order).digest()


# --- content -----------------------------------------------------------------------------------------------------------------


def test_the_content_is_the_same_in_every_layout(tmp_path):
    table = frame()
    table.write_parquet(tmp_path / "a.parquet")
    table.select("name", "score", "age", "id").write_parquet(
        tmp_path / "b.parquet", row_group_size=7, compression="uncompressed"
    )
    table.write_csv(tmp_path / "c.csv")
    table.write_csv(tmp_path / "d.csv", separator=";", quote_style="always")
    table.write_ipc(tmp_path / "e.arrow", compression="zstd")
    (tmp_path / "f").mkdir()
    for part in range(3):
        table.slice(100 * part, 100).write_parquet(tmp_path / "f" / f"{part}.parquet")
    np.savez_compressed(
        tmp_path / "g.npz",
        **{name: table[name].to_numpy() for name in ("id", "age", "score")},
        name=np.array(table["name"]),
    )
    names = ("a.parquet", "b.parquet", "c.csv", "d.csv", "e.arrow", "f", "g.npz")
    assert len({hash_of(tmp_path / name) for name in names}) == 1
    table.reverse().write_parquet(tmp_path / "r.parquet")
    assert hash_of(tmp_path / "r.parquet") != hash_of(tmp_path / "a.parquet")
    assert hash_of(tmp_path / "r.parquet", any_order=True) == hash_of(tmp_path / "a.parquet", any_order=True)
    table.with_columns(age=pl.when(pl.col("id") == 7).then(1000).otherwise("age")).write_parquet(tmp_path / "x.parquet")
    for any_order in (False, True):
        assert hash_of(tmp_path / "x.parquet", any_order) != hash_of(tmp_path / "a.parquet", any_order)
    with pytest.raises(DataError, match="no data at"):
        hash_of(tmp_path / "nowhere.parquet")


# --- approval and lineage ----------------------------------------------------------------------------------------------------

LINEAGE = """\
description: a row is a point
owner: data@example.org
files: [{path: raw.bin, sha256: %s}, gone.bin]
transformations: [clean.py 1.2]
licence: CC-BY-4.0
consent: none needed, nobody is in it
retention: a year
delete_after: %s
"""


def study(folder: Path, data: str, require: str = "") -> Path:
    text = STUDY.replace("roles: confirm}", f"roles: confirm, {data}}}")
    file = make(folder, text)
    if require:
        file.write_text(text.replace("require:\n", f"require:\n  - {require}\n"))
    return file


def test_a_study_on_other_rows_than_were_approved_says_so(tmp_path):
    make(tmp_path)
    approved = hash_of(tmp_path / "rows.npz")
    source = read(study(tmp_path, f"approved: 'sha256:{approved}'"))
    found = {one.what: one for one in provenance_findings(source.study, source.folder)}
    assert found["data.content"].value == f"sha256:{approved}"
    assert found["data.content"].n == 400
    assert found["data.approved"].value is True
    rule = "at_least: {what: data.approved, bound: 1}"
    file = study(tmp_path, f"approved: {{sha256: {'f' * 64}, by: Ann, on: 2026-11-01}}", rule)
    dossier = flow.run(file, only=["*b1"])
    found = {one.what: one for one in dossier.findings}
    assert found["data.approved"].value is False
    assert "aren't the bytes that were approved by Ann on 2026-11-01" in found["data.approved"].note
    judged = [one for of in dossier.verdict.candidates for one in of.judgements if "data.approved" in one.requirement]
    assert {one.outcome.value for one in judged} == {"fail"}
    page = next((tmp_path / ".seatrial" / "runs").glob("*/report.html")).read_text()
    assert "the bytes that were approved by Ann" in page
    assert "Where the data comes from" in page
    assert "these aren't the bytes that were approved" in " ".join(render(dossier, "terminal").split())


def test_order_may_be_left_out_of_what_is_approved(tmp_path):
    file = make(tmp_path)
    approved = hash_of(tmp_path / "rows.npz", any_order=True)
    file = study(tmp_path, f"approved: {{sha256: {approved}, any_order: true}}")
    held = dict(np.load(tmp_path / "rows.npz"))
    np.savez(tmp_path / "rows.npz", **{name: column[::-1] for name, column in held.items()})
    source = read(file)
    assert {one.what: one.value for one in provenance_findings(source.study, source.folder)}["data.approved"] is True


def test_what_the_owner_states_is_declared_and_the_rest_is_asked_for(tmp_path):
    (tmp_path / "raw.bin").write_bytes(b"raw")
    digest = "sha256:" + __import__("hashlib").sha256(b"raw").hexdigest()
    yesterday = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=1)
    (tmp_path / "lineage.yaml").write_text(LINEAGE % (digest, yesterday))
    source = read(study(tmp_path, "lineage: lineage.yaml"))
    found = {one.what: one for one in provenance_findings(source.study, source.folder)}
    assert found["lineage.licence"].value == "CC-BY-4.0"
    assert found["lineage.licence"].origin is Origin.DECLARED
    assert found["lineage.collection"].origin is Origin.MISSING
    assert "add `collection:` in lineage.yaml" in found["lineage.collection"].note
    assert (found["lineage.files"].value, found["lineage.files"].n) == (True, 1)
    assert "gone.bin: not here" in found["lineage.files"].note
    assert found["lineage.overdue"].value == 1
    assert found["lineage.stated"].value == 7
    assert found["lineage.stated"].n == len(ASKED) + 1
    (tmp_path / "raw.bin").write_bytes(b"other")
    assert {one.what: one for one in provenance_findings(source.study, source.folder)}["lineage.files"].value is False


def test_features_have_version_owner_and_approval_where_the_lineage_says_so(tmp_path):
    (tmp_path / "lineage.yaml").write_text("features: {x: {version: '3', owner: risk team}}\nowner: Ann\n")
    text = STUDY.replace("roles: confirm}", "roles: confirm, lineage: lineage.yaml}")
    source = read(make(tmp_path, text))
    told = {
        one.what: one for one in provenance_findings(source.study, source.folder) if one.what.startswith("feature.")
    }
    assert {what: one.value for what, one in told.items()} == {"feature.version": "3", "feature.owner": "risk team", "feature.approval": None}  # fmt: skip
    assert told["feature.owner"].at == {"data": "evaluation", "feature": "x"}
    assert "add `approval:` under `features: {x: ...}` in lineage.yaml" in told["feature.approval"].note


def test_nothing_is_asked_where_the_study_says_nothing_of_it(tmp_path):
    source = read(make(tmp_path))
    assert provenance_findings(source.study, source.folder) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("owner: a\nlicense: MIT\n", "did you mean `licence`"),
        ("files: [{path: a, sha256: xyz}]\n", "no SHA-256"),
        ("a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)), "50000 values"),
        ("owner: " + "[" * 200 + "]" * 200, "nested more than"),
        ("owner: !!python/object/apply:os.system [x]\n", "tag"),
        ("", "empty"),
    ],
    ids=["typo", "hash", "laughs", "deep", "tag", "empty"],
)  # fmt: skip
def test_a_lineage_that_is_wrong_or_hostile_is_refused_with_its_place(tmp_path, content, words):
    (tmp_path / "lineage.yaml").write_text(content)
    with pytest.raises(StudyError) as refused:
        read_lineage(tmp_path / "lineage.yaml")
    assert "lineage.yaml" in str(refused.value)
    assert words in str(refused.value)
    with pytest.raises(StudyError, match=r"lineage\.yaml"):
        read(study(tmp_path, "lineage: lineage.yaml"))


def test_a_lineage_that_is_not_there_and_a_hash_that_is_none_are_faults_of_the_study(tmp_path):
    with pytest.raises(StudyError, match="can't be read"):
        read(study(tmp_path, "lineage: nowhere.yaml"))
    with pytest.raises(StudyError, match="no SHA-256"):
        read(study(tmp_path, "approved: abc"))


# --- two versions ------------------------------------------------------------------------------------------------------------

TABLES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=1, max_size=15)


@settings(max_examples=60, deadline=None)
@given(TABLES, TABLES)
def test_differences_against_brute_force(tmp_path_factory, before, after):
    folder = tmp_path_factory.mktemp("d")
    sides = []
    for name, rows in (("a", before), ("b", after)):
        pl.DataFrame(rows, schema=["id", "x"], orient="row").write_parquet(folder / f"{name}.parquet")
        first: dict[int, tuple[int, int]] = {}
        for number, (key, value) in enumerate(rows):
            first.setdefault(key, (number, value))
        sides.append(first)
    one, other = sides
    found = contents.difference(contents.of_file(folder / "a.parquet"), contents.of_file(folder / "b.parquet"), ["id"])
    assert set(found.rows["added"]) == {other[key][0] for key in other.keys() - one.keys()}
    assert set(found.rows["removed"]) == {one[key][0] for key in one.keys() - other.keys()}
    both = one.keys() & other.keys()
    assert set(found.rows["changed"]) == {other[key][0] for key in both if one[key][1] != other[key][1]}
    assert found.same == sum(one[key][1] == other[key][1] for key in both)
    assert found.repeated == (len(before) - len(one), len(after) - len(other))


def test_columns_that_come_go_or_change_their_type(tmp_path):
    table = frame(20)
    table.write_parquet(tmp_path / "a.parquet")
    table.drop("age").with_columns(pl.col("score").cast(pl.String), new=pl.lit(1)).write_parquet(tmp_path / "b.parquet")
    found = contents.difference(
        contents.of_file(tmp_path / "a.parquet"), contents.of_file(tmp_path / "b.parquet"), ["id"]
    )
    assert {one.name: (one.before, one.after) for one in found.columns} == {
        "age": ("int64", ""),
        "score": ("float64", "text"),
        "new": ("", "int32"),
    }
    assert not found.alike
    with pytest.raises(StudyError, match="no column `idd`"):
        contents.difference(contents.of_file(tmp_path / "a.parquet"), contents.of_file(tmp_path / "b.parquet"), ["idd"])


# --- rows that must be gone ----------------------------------------------------------------------------------------------------


def test_a_marked_row_is_found_until_it_is_gone(tmp_path):
    table = frame(100)
    table.write_parquet(tmp_path / "a.parquet")
    table.filter(~pl.col("id").is_in([7, 8])).sort("score").write_csv(tmp_path / "b.csv")
    source = contents.of_file(tmp_path / "a.parquet")
    marked = contents.marks(source, [8, 7], SECRET)
    assert contents.still_there(source, marked, list(source.columns), SECRET) == [7, 8]
    assert contents.still_there(source, marked, list(source.columns), b"other" * 8) == []
    assert contents.still_there(contents.of_file(tmp_path / "b.csv"), marked, list(source.columns), SECRET) == []
    with pytest.raises(StudyError, match="no row 100"):
        contents.marks(source, [100], SECRET)
    with pytest.raises(StudyError, match="could be guessed"):
        contents.marks(source, [1], b"short")


# --- the command -----------------------------------------------------------------------------------------------------------------


def told(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main.main(["data", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_command_hashes_compares_marks_and_shows_that_rows_are_gone(tmp_path, capsys):
    table = frame(50)
    table.write_parquet(tmp_path / "a.parquet")
    table.filter(pl.col("id") != 7).write_parquet(tmp_path / "b.parquet")
    (tmp_path / "key").write_bytes(SECRET)
    code, out, err = told(capsys, "hash", tmp_path / "a.parquet")
    assert code == 0
    assert hash_of(tmp_path / "a.parquet") in out
    assert "approved:" in err
    code, out, _ = told(capsys, "diff", tmp_path / "a.parquet", tmp_path / "b.parquet", "--key", "id")
    assert code == 1
    assert "7 of a.parquet" in out
    assert table["name"][7] not in out
    code, out, _ = told(capsys, "diff", tmp_path / "a.parquet", tmp_path / "a.parquet", "--key", "id", "--json")
    assert code == 0
    assert json.loads(out)["alike"] is True
    marks = ("--row", 7, "--key", "id", "--secret", tmp_path / "key")
    assert told(capsys, "mark", tmp_path / "a.parquet", *marks, "--out", tmp_path / "m.json")[0] == 0
    ask = ("--secret", tmp_path / "key", "--in", tmp_path)
    assert told(capsys, "gone", tmp_path / "m.json", tmp_path / "a.parquet", *ask)[0] == 1
    code, out, _ = told(capsys, "gone", tmp_path / "m.json", tmp_path / "b.parquet", *ask, "--json")
    assert code == 0
    assert json.loads(out)["gone"] is True
    told(capsys, "gone", tmp_path / "m.json", tmp_path / "b.parquet", *ask, "--out", tmp_path / "proof.json")
    proof = json.loads((tmp_path / "proof.json").read_text())
    assert proof["marked"]["of"] == {"sha256": hash_of(tmp_path / "a.parquet"), "rows": 50}
    assert proof["files"] == [{"file": str(tmp_path / "b.parquet"), "sha256": hash_of(tmp_path / "b.parquet"), "rows": 49, "still_there": []}]  # fmt: skip
    assert proof["looked_at"] >= proof["marked"]["marked_at"]
    assert table["name"][7] not in (tmp_path / "proof.json").read_text() + (tmp_path / "m.json").read_text()


def test_limits_can_be_set_on_the_command_line(tmp_path, capsys):
    frame(500).write_parquet(tmp_path / "a.parquet")
    code, _, err = told(capsys, "hash", tmp_path / "a.parquet", "--limit", "group=100")
    assert code == 4
    assert "more than 100" in err
    assert told(capsys, "hash", tmp_path / "a.parquet", "--limit", "group=1GiB")[0] == 0
    code, _, err = told(capsys, "hash", tmp_path / "a.parquet", "--limit", "grupp=1GiB")
    assert code == 2
    assert "did you mean `group`" in err
    assert "no NAME=VALUE" in told(capsys, "hash", tmp_path / "a.parquet", "--limit", "group")[2]


@pytest.mark.parametrize(
    "words",
    [["diff", "a.parquet", "b.parquet"], ["mark", "a.parquet", "--row", "1"], ["gone", "a.parquet", "b.parquet", "--secret", "key"], ["mark", "a.parquet", "--secret", "key"]],
)  # fmt: skip
def test_the_command_says_how_it_is_meant(tmp_path, capsys, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    frame(5).write_parquet("a.parquet")
    frame(5).write_parquet("b.parquet")
    Path("key").write_bytes(SECRET)
    code, _, err = told(capsys, *words)
    assert code == 2
    assert "next:" in err


# --- retention ---------------------------------------------------------------------------------------------------------------------


def test_what_is_older_than_asked_is_purged_with_the_arrays(tmp_path, capsys):
    file = make(tmp_path)
    flow.run(file, only=["*b1"])
    home = keep.home(tmp_path)
    assert keep.weigh_arrays(home)[1] > 0
    assert keep.clean(home, keep=5, before=time.time() - 86_400).runs == 0
    assert keep.weigh_arrays(home)[1] > 0
    for array in (home / "arrays").glob("*.npy"):
        os.utime(array, (1, 1))
    assert main.main(["clean", "--older-than", "30d", "--yes", "--in", str(tmp_path)]) == 0
    assert keep.weigh_arrays(home) == (0, 0)
    assert len(keep.runs(home)) == 1
    assert flow.run(file, only=["*b1"]).run.measured > 0, "what rested on them is measured again"
    assert main.main(["clean", "--older-than", "soon", "--yes", "--in", str(tmp_path)]) == 2
    assert keep.clean(home, keep=5, before=time.time() + 60).runs == 2


def _structured(folder):
    np.savez(folder / "rows.npz", x=np.zeros(3, [("a", "<f4"), ("b", "<i8")]))
    return folder / "rows.npz"


def _words_in_lists(folder):
    pl.DataFrame({"x": [["a", "b"], ["c", "d"]]}).write_ipc(folder / "rows.arrow")
    return folder / "rows.arrow"


@pytest.mark.parametrize("make", [_structured, _words_in_lists])
def test_a_column_that_no_table_here_can_hold_is_refused_in_words(tmp_path, make):
    with pytest.raises(DataError, match="`x`"):
        contents.content(contents.of_file(make(tmp_path)))
