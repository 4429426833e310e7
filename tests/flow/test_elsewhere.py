"""Models that aren't run as files here: outputs made elsewhere, functions and URLs, in whole studies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from small_study import make

from seatrial.contracts.candidate import PartRef
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, Origin, State
from seatrial.contracts.verdict import Outcome
from seatrial.errors import DataError, ModelError
from seatrial.flow import _picks, arrays, rows
from seatrial.flow import study as flow
from seatrial.flow.compare import Reading, compare
from seatrial.flow.keep import PREDICTION, Keeper
from seatrial.flow.read import read
from seatrial.testing._endpoint import Endpoint, reply

ROWS = 400
STUDY = """\
schema: 1
name: elsewhere
models:
  approved:
    forms: {{predictions: {recorded}}}
    task: classification
    inputs: {{}}
    outputs: {{logits: {{means: logits, classes: [red, green, blue]}}}}
  linear:
    forms: {forms}
    task: classification
    inputs: {{x: {{columns: x}}}}
    outputs: {{logits: {{means: logits, classes: [red, green, blue]}}}}
data:
  evaluation: {{from: {{npz: {{path: rows.npz}}}}, label: label, roles: confirm}}
candidates:
  - {{model: approved, runtime: recorded}}
  - {{model: linear, runtime: {runtime}, batch: 8}}
reference: {reference}
measure:
  {{loads: [offline], rounds: 1, meters: [throughput, memory, size, cold_start], metrics: [accuracy, log_loss, drop, flips, kl]}}
require:
  - drop_at_most: {{what: accuracy, margin: 5 pp}}
reports: [json]
"""


def weights(folder: Path) -> Any:
    """The linear model's, by least squares of what it says itself: nothing of our own reading is used."""
    import onnx

    return onnx.numpy_helper.to_array(onnx.load(folder / "linear.onnx").graph.initializer[0])


def study(folder: Path, recorded: str, forms: str = "{onnx: {path: linear.onnx}}", runtime: str = "onnxruntime", reference: str = "{model: approved}") -> Path:  # fmt: skip
    return make(folder, STUDY.format(recorded=recorded, forms=forms, runtime=runtime, reference=reference), ROWS)


def rewritten(file: Path, old: str, new: str) -> Path:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return file


def outputs(folder: Path) -> Any:
    """What an approved model that is a little off would have said of the study's rows."""
    x = np.load(folder / "rows.npz")["x"]
    return (x @ (weights(folder) + np.array([0.05, 0.0, -0.05], np.float32))).astype(np.float32)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dossier]:
    """A study whose approved model is known by its outputs alone, and its dossier."""
    folder = tmp_path_factory.mktemp("recorded")
    file = study(folder, "{from: {npz: {path: approved.npz}}}")
    np.savez(folder / "approved.npz", logits=outputs(folder))
    return file, flow.run(file)


def alone(folder: Path, recorded: str) -> Path:
    """A study of the approved model's outputs and nothing else: no worker is needed."""
    file = study(folder, recorded)
    text = file.read_text()
    start, end = text.index("  linear:"), text.index("data:")
    text = text[:start] + text[end:]
    file.write_text(text.replace("  - {model: linear, runtime: onnxruntime, batch: 8}\n", ""))
    return file


def of(dossier: Dossier, model: str) -> list[Finding]:
    (id_,) = [one.id for one in dossier.candidates if one.candidate.model == model]
    return [finding for finding in dossier.findings if finding.candidate == id_]


def one(dossier: Dossier, model: str, what: str) -> Finding:
    return next(finding for finding in of(dossier, model) if finding.what == what)


# --- outputs made elsewhere --------------------------------------------------------------------------------------------


def test_recorded_outputs_are_the_reference_of_a_candidate_run_now(recorded: tuple[Path, Dossier]) -> None:
    file, dossier = recorded
    table = np.load(file.parent / "rows.npz")
    approved, now = outputs(file.parent), table["x"] @ weights(file.parent)
    label = table["label"]
    assert one(dossier, "approved", "accuracy").value == pytest.approx(np.mean(approved.argmax(1) == label))
    assert one(dossier, "linear", "accuracy").value == pytest.approx(np.mean(now.argmax(1) == label))
    assert one(dossier, "linear", "flips").value == pytest.approx(np.mean(approved.argmax(1) != now.argmax(1)))
    assert one(dossier, "linear", "flips").value != 0
    drop = np.mean(approved.argmax(1) == label) - np.mean(now.argmax(1) == label)
    assert one(dossier, "linear", "accuracy.drop").value == pytest.approx(drop)
    assert dossier.verdict.outcome is Outcome.PASS, dossier.verdict.sentence
    assert dossier.verdict.recommended == next(e.id for e in dossier.candidates if e.candidate.model == "linear")


def test_whatever_rests_on_them_is_imported_and_nothing_else(recorded: tuple[Path, Dossier]) -> None:
    _, dossier = recorded
    for finding in of(dossier, "approved"):
        assert finding.origin in (Origin.IMPORTED, Origin.MISSING), finding.key
    stated = [finding for finding in of(dossier, "linear") if finding.value is not None]
    for finding in stated:
        assert finding.origin is (Origin.IMPORTED if finding.against else Origin.MEASURED), finding.key
    names = {finding.what for finding in stated if finding.against}
    assert {"accuracy.drop", "flips", "flips.lost", "flips.gained", "kl"} <= names
    assert {"accuracy", "log_loss", "throughput"} <= {finding.what for finding in stated} - names


def test_speed_memory_and_size_of_them_are_missing_with_the_reason(recorded: tuple[Path, Dossier]) -> None:
    file, dossier = recorded
    found = {finding.what: finding for finding in of(dossier, "approved")}
    for what in ("throughput", "speedup", "memory.peak", "size", "cold_start", "executed.device", "executed.precision"):
        assert found[what].state is State.UNSUPPORTED
        assert "made elsewhere" in found[what].note
    assert "run" not in found
    assert "the reference's outputs were made elsewhere" in one(dossier, "linear", "speedup").note
    assert one(dossier, "linear", "throughput").value is not None
    assert not list((file.parent / ".seatrial" / "logs").rglob("*approved*")), "a worker was started for it"
    assert not [finding for finding in of(dossier, "linear") if finding.what == "run"]


def test_a_second_run_measures_nothing_anew(recorded: tuple[Path, Dossier]) -> None:
    file, first = recorded
    again = flow.run(file)
    assert again.run.measured == 0
    assert again.run.reused > 0
    values = [{f.key: f.value for f in of(made, "linear") if f.what.startswith("flips")} for made in (first, again)]
    assert values[0] == values[1]


def test_two_recorded_models_are_compared_without_any_worker(tmp_path: Path) -> None:
    forms = "{predictions: {from: {parquet: {path: linear.parquet}}, columns: [r, g, b]}}"
    file = study(tmp_path, "{from: {npz: {path: approved.npz}}}", forms, "recorded")
    np.savez(tmp_path / "approved.npz", logits=outputs(tmp_path))
    logits = np.load(tmp_path / "rows.npz")["x"] @ weights(tmp_path)
    pl.DataFrame(dict(zip("rgb", logits.T, strict=True))).write_parquet(tmp_path / "linear.parquet")
    dossier = flow.run(rewritten(file, ", batch: 8", ""))
    assert one(dossier, "linear", "flips").value == pytest.approx(
        np.mean(outputs(tmp_path).argmax(1) != logits.argmax(1))
    )
    assert dossier.verdict.outcome is Outcome.PASS
    assert not list((tmp_path / ".seatrial").rglob("*.log"))


def keyed(folder: Path, ids: Any, **more: Any) -> None:
    """The study's rows with an `id`, and approved outputs under the ids given, in their order."""
    table = dict(np.load(folder / "rows.npz"))
    np.savez(folder / "rows.npz", **table, id=np.arange(ROWS) + 1000)
    logits = outputs(folder)
    order = np.asarray(ids) - 1000
    inside = (order >= 0) & (order < ROWS)
    values = np.where(inside[:, None], logits[np.clip(order, 0, ROWS - 1)], 9.0)
    np.savez(folder / "approved.npz", id=np.asarray(ids), logits=values, **more)


def test_a_key_brings_rows_together_whatever_their_order(tmp_path: Path, recorded: tuple[Path, Dossier]) -> None:
    _, in_order = recorded
    file = alone(tmp_path, "{from: {npz: {path: approved.npz}}, key: id}")
    shuffled = np.random.default_rng(1).permutation(ROWS + 37) + 1000
    keyed(tmp_path, shuffled)
    dossier = flow.run(file)
    for what in ("accuracy", "log_loss"):
        assert one(dossier, "approved", what).value == pytest.approx(one(in_order, "approved", what).value)
    told = one(dossier, "approved", "rows.imported")
    assert (told.value, told.method) == (
        ROWS,
        "outputs made elsewhere, matched by key `id`; 37 further rows of it are not judged",
    )


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (np.arange(ROWS - 1) + 1000, r"1 of 400 rows to be judged are not there, such as `1399`"),
        (np.r_[np.arange(ROWS), 3] + 1000, r"1 keys occur more than once, such as `1003`"),
        (np.arange(ROWS), r"400 of 400 rows to be judged are not there"),
    ],
    ids=["one gone", "one twice", "other rows"],
)
def test_keys_that_do_not_fit_are_refused(tmp_path: Path, ids: Any, words: str) -> None:
    file = alone(tmp_path, "{from: {npz: {path: approved.npz}}, key: id}")
    keyed(tmp_path, ids)
    with pytest.raises(DataError, match=words):
        flow.run(file)


def test_text_keys_match_numbers_written_as_text(tmp_path: Path) -> None:
    file = alone(tmp_path, "{from: {parquet: {path: a.parquet}}, columns: [r, g, b], key: name, data_key: id}")
    keyed(tmp_path, np.arange(ROWS) + 1000)
    columns: dict[str, Any] = dict(zip("rgb", outputs(tmp_path)[::-1].T, strict=True))
    pl.DataFrame(columns | {"name": [str(1000 + row) for row in range(ROWS)][::-1]}).write_parquet(
        tmp_path / "a.parquet"
    )
    right = np.mean(outputs(tmp_path).argmax(1) == np.load(tmp_path / "rows.npz")["label"])
    assert one(flow.run(file), "approved", "accuracy").value == pytest.approx(right)


@pytest.mark.parametrize(
    ("options", "columns", "words"),
    [
        (
            "{}",
            {"logits": np.zeros((ROWS - 1, 3))},
            r"399 rows of outputs can't be matched by their order with the 400",
        ),
        ("{}", {"scores": np.zeros((ROWS, 3))}, r"there is no column `logits`"),
        ("{columns: [a, b, c]}", dict.fromkeys("abc", np.full(ROWS, np.nan)), r"row 0 is NaN or infinite"),
        ("{columns: [a]}", {"a": np.array(["red"] * ROWS)}, r"`a` holds no numbers"),
        ("{decided: true, columns: [a]}", {"a": np.array(["red"] * ROWS)}, r"predicted classes .* are no logits"),
        ("{columns: {other: [a]}}", {"a": np.zeros(ROWS)}, r"names the output `other`"),
    ],
    ids=["fewer rows", "no such column", "NaN", "text", "classes as logits", "no such output"],
)
def test_outputs_that_do_not_fit_are_refused_before_anything_runs(
    tmp_path: Path, options: str, columns: dict[str, Any], words: str
) -> None:
    more = f", {options[1:-1]}" if options != "{}" else ""
    file = study(tmp_path, f"{{from: {{npz: {{path: approved.npz}}}}{more}}}")
    np.savez(tmp_path / "approved.npz", **columns)
    with pytest.raises((DataError, ModelError), match=words):
        flow.run(file)
    assert not [log for log in (tmp_path / ".seatrial").rglob("*.log") if "linear" in log.name]


def test_predicted_classes_are_judged_by_what_needs_no_more(tmp_path: Path) -> None:
    file = study(tmp_path, "{from: {npz: {path: a.npz}}, columns: [said], decided: true}", reference="{model: linear}")
    text = file.read_text().replace("means: logits", "means: scores", 1)
    file.write_text(text.replace("metrics: [accuracy", "metrics: [{top_k: {k: 2}}, accuracy"))
    said = outputs(tmp_path).argmax(1)
    np.savez(tmp_path / "a.npz", said=np.array(["red", "green", "blue"])[said])
    dossier = flow.run(file)
    right = np.mean(said == np.load(tmp_path / "rows.npz")["label"])
    assert one(dossier, "approved", "accuracy").value == pytest.approx(right)
    assert one(dossier, "approved", "flips").origin is Origin.IMPORTED
    for what in ("top_k", "log_loss"):
        assert one(dossier, "approved", what).value is None
    assert "predicted classes" in one(dossier, "approved", "top_k").note


def test_a_variant_of_recorded_outputs_is_said_to_be_impossible(tmp_path: Path) -> None:
    (tmp_path / "still.py").write_text(
        '"""Leaves a model as it is, by another name."""\n\n\ndef make(artefact, making, options):\n    return artefact\n'
    )
    file = alone(tmp_path, "{from: {npz: {path: approved.npz}}}")
    np.savez(tmp_path / "approved.npz", logits=outputs(tmp_path))
    rewritten(file, "runtime: recorded}", "runtime: recorded, variant: [as_is, ./still.py]}")
    dossier = flow.run(rewritten(file, "{model: approved}", "{model: approved, variant: as_is}"))
    lost = [one for one in dossier.findings if one.what == "run" and one.candidate]
    assert [one.state for one in lost] == [State.UNSUPPORTED]
    assert "can't be applied" in lost[0].note


def test_a_form_made_elsewhere_beside_one_that_runs_is_measured_not_refused(tmp_path: Path) -> None:
    """The approved model's own outputs of then against what the same model says now."""
    file = study(tmp_path, "{from: {npz: {path: approved.npz}}}")
    text = file.read_text()
    forms = "{onnx: {path: linear.onnx}, predictions: {from: {npz: {path: approved.npz}}}}"
    start, end = text.index("  approved:"), text.index("  linear:")
    text = (text[:start] + text[end:]).replace("{onnx: {path: linear.onnx}}", forms)
    text = text.replace("{model: approved, runtime: recorded}", "{model: linear, runtime: recorded}")
    file.write_text(text.replace("reference: {model: approved}", "reference: {runtime: recorded}"))
    np.savez(tmp_path / "approved.npz", logits=outputs(tmp_path))
    dossier = flow.run(file)
    assert not [finding for finding in dossier.findings if finding.what == "forms.difference"]
    flips = [finding for finding in dossier.findings if finding.what == "flips"]
    assert [finding.origin for finding in flips] == [Origin.IMPORTED]
    assert flips[0].value != 0


# --- functions and URLs in a study ----------------------------------------------------------------------------------------

FUNCTION = """\
import numpy as np
W = np.load("{weights}")
{more}

def predict(x):
    return {{"logits": x @ W}}
"""


def function(folder: Path, more: str = "") -> Path:
    np.save(folder / "w.npy", weights(folder))
    (folder / "score.py").write_text(FUNCTION.format(weights=folder / "w.npy", more=more))
    return folder / "score.py"


BOTH = "{onnx: {path: linear.onnx}, python: {function: 'score.py:predict', files: [w.npy]}}"


def beside(folder: Path, forms: str, runtime: str) -> Path:
    """A study of the linear model in two forms, both run, the ONNX file as the reference."""
    file = study(
        folder, "{from: {npz: {path: approved.npz}}}", forms, f"[onnxruntime, {runtime}]", "{runtime: onnxruntime}"
    )
    text = file.read_text()
    start, end = text.index("  approved:"), text.index("  linear:")
    text = (text[:start] + text[end:]).replace("  - {model: approved, runtime: recorded}\n", "")
    file.write_text(text)
    return file


def ran(dossier: Dossier, runtime: str) -> dict[str, Finding]:
    (id_,) = [one.id for one in dossier.candidates if one.candidate.runtime.name == runtime]
    return {finding.what: finding for finding in dossier.findings if finding.candidate == id_}


def test_a_function_is_proved_equal_to_the_file_and_measured_beside_it(tmp_path: Path) -> None:
    file = beside(tmp_path, BOTH, "python")
    function(tmp_path)
    dossier = flow.run(file)
    (same,) = [finding for finding in dossier.findings if finding.what == "forms.difference"]
    assert same.state is State.OK
    assert float(same.value) < 1e-5  # type: ignore[arg-type]
    found = ran(dossier, "python")
    assert (found["executed.device"].value, found["executed.precision"].value) == ("cpu", "unknown")
    assert found["throughput"].value is not None
    assert found["flips"].value == 0
    assert found["size"].value == (tmp_path / "w.npy").stat().st_size
    assert "run" not in found


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("import os\nif os.getpid(): raise RuntimeError('no licence')", "RuntimeError in line 4: no licence"),
        ("", "gave nothing"),
    ],
    ids=["import raises", "gives None"],
)
def test_a_function_that_fails_is_a_finding_and_the_others_go_on(tmp_path: Path, more: str, words: str) -> None:
    file = beside(tmp_path, BOTH, "python")
    code = function(tmp_path, more)
    if not more:
        rewritten(code, 'return {"logits": x @ W}', "x @ W")
    found = flow.run(file)
    (lost,) = [finding for finding in found.findings if finding.what == "run"]
    assert words in lost.note
    assert ran(found, "onnxruntime")["throughput"].value is not None


def test_the_function_is_imported_by_workers_alone_and_measured_anew_when_it_changes(tmp_path: Path) -> None:
    file = beside(tmp_path, BOTH, "python")
    code = function(tmp_path, f"import os; open(r'{tmp_path}/pids', 'a').write(f'{{os.getpid()}} ')")
    flow.run(file)
    import os

    pids = (tmp_path / "pids").read_text().split()
    assert pids
    assert str(os.getpid()) not in pids
    assert flow.run(file).run.measured == 0
    code.write_text(code.read_text() + "# changed\n")
    assert flow.run(file).run.measured > 0, "another function was taken for the same"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, Endpoint]]:
    """A study of the linear model in a file and behind a URL."""
    file = beside(tmp_path, "{onnx: {path: linear.onnx}, http: {url: 'URL', timeout: 2}}", "http")
    matrix = weights(tmp_path)
    endpoint = Endpoint(lambda values: {"logits": values["x"] @ matrix}, ("x",))
    yield rewritten(file, "URL", endpoint.url), endpoint
    endpoint.close()


def test_an_endpoint_is_measured_end_to_end_and_says_what_it_cannot(served: tuple[Path, Endpoint]) -> None:
    file, endpoint = served
    dossier = flow.run(file)
    found = ran(dossier, "http")
    assert (found["executed.device"].value, found["executed.precision"].value) == ("remote", "unknown")
    assert found["flips"].value == 0
    assert found["accuracy"].origin is Origin.MEASURED
    for what in ("throughput", "speedup"):
        assert found[what].value is not None
        assert "end to end" in found[what].method
    assert "end to end" not in ran(dossier, "onnxruntime")["throughput"].method
    for what in ("memory.peak", "size", "cold_start", "cold_start.import", "cold_start.load"):
        assert found[what].value is None
        assert "URL" in found[what].note
    assert ran(dossier, "onnxruntime")["memory.peak"].value is not None
    assert endpoint.bodies


def test_nothing_of_an_endpoint_is_reused_because_it_may_have_changed(served: tuple[Path, Endpoint]) -> None:
    file, endpoint = served
    first = flow.run(file)
    endpoint.model = lambda values: {"logits": -values["x"] @ weights(file.parent)}
    again = flow.run(file)
    assert ran(first, "http")["flips"].value == 0
    (difference,) = [finding for finding in again.findings if finding.what == "forms.difference"]
    assert difference.state is State.REFUSED


def test_an_endpoint_that_dies_on_the_way_is_a_finding_and_the_others_go_on(served: tuple[Path, Endpoint]) -> None:
    file, endpoint = served

    def dies(handler: Any, body: bytes) -> bool:
        if len(endpoint.bodies) < 90:
            return False
        reply(handler, b'{"error": "the device was lost"}', 500)
        return True

    endpoint.fault = dies
    dossier = flow.run(file)
    (lost,) = [finding for finding in dossier.findings if finding.what == "run"]
    assert lost.state is State.FAILED
    assert "answered 500" in lost.note
    assert "the device was lost" in lost.note
    others = ran(dossier, "onnxruntime")
    assert others["throughput"].value is not None
    assert "run" not in others


# --- labels, a chunk at a time ------------------------------------------------------------------------------------------------


def test_labels_of_text_are_made_numbers_chunk_by_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make(tmp_path)
    names = np.array(["red", "green", "blue"])
    table = dict(np.load(tmp_path / "rows.npz"))
    words = names[table["label"]]
    np.savez(tmp_path / "rows.npz", x=table["x"], label=words)
    whole = rows.prepare(read(file).study, tmp_path, "linear", tmp_path / "cache").evaluation
    monkeypatch.setattr(_picks, "MOST_CHUNK_ROWS", 7)
    monkeypatch.setattr(_picks, "SMALL_COLUMN_ROWS", 7)
    pieces = rows.prepare(read(file).study, tmp_path, "linear", tmp_path / "cache").evaluation
    for one in (whole, pieces):
        assert one.labels is not None
        assert one.labels.dtype.kind == "i"
        assert np.array_equal(names[np.asarray(one.labels)], words)
    assert whole.rows_hash == pieces.rows_hash


def test_a_missing_label_in_a_late_chunk_is_counted_and_placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make(tmp_path)
    table = dict(np.load(tmp_path / "rows.npz"))
    label = table["label"].astype(np.float64)
    label[[333, 390]] = np.nan
    np.savez(tmp_path / "rows.npz", x=table["x"], label=label)
    monkeypatch.setattr(_picks, "MOST_CHUNK_ROWS", 100)
    with pytest.raises(DataError, match=r"2 of 400 labels are missing \(not a number\), the first in row 333"):
        rows.prepare(read(file).study, tmp_path, "linear", tmp_path / "cache")


def test_labels_of_text_take_no_memory_for_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """300,000 of them would be 30 MB as Python strings; 12 bytes a row are held on the way, 20 at its end."""
    import tracemalloc

    count = 300_000
    names = [f"a rather long name of a class, number {index}" for index in range(3)]
    label = pl.Series(np.arange(count) % 3).replace_strict(dict(enumerate(names)))
    pl.DataFrame({"label": label}).write_parquet(tmp_path / "rows.parquet", row_group_size=20_000)
    text = make(tmp_path).read_text().replace("npz: {path: rows.npz}", "parquet: {path: rows.parquet}")
    text = text.replace("inputs: {x: {columns: x}}", "inputs: {}").replace("[red, green, blue]", str(names))
    (tmp_path / "study.yaml").write_text(text)
    asked = read(tmp_path / "study.yaml").study
    monkeypatch.setattr(_picks, "MOST_CHUNK_ROWS", 10_000)
    rows.prepare(asked, tmp_path, "linear", tmp_path / "cache", run=False)  # imports what it needs
    tracemalloc.start()
    got = rows.prepare(asked, tmp_path, "linear", tmp_path / "cache", run=False).evaluation
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert got.labels is not None
    assert np.array_equal(got.labels[:6], [0, 1, 2, 0, 1, 2])
    assert got.n == count
    assert peak < 12e6, f"{peak / 1e6:.1f} MB"


def test_outputs_kept_of_recorded_models_are_files_like_those_of_a_run(recorded: tuple[Path, Dossier]) -> None:
    folder = recorded[0].parent
    kept = [arrays.unpack(body)["outputs"]["logits"] for _, body in Keeper(folder).all(PREDICTION, "")]
    assert any(np.array_equal(one, outputs(folder)) for one in kept)


# --- two files compared are a study ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["order", "key", "classes"])
def test_what_compare_says_is_what_its_study_says_when_it_is_run(tmp_path: Path, way: str) -> None:
    random = np.random.default_rng(5)
    label = random.integers(0, 3, ROWS)
    one = random.normal(size=(ROWS, 3)) + 1.5 * np.eye(3)[label]
    other = one + random.normal(scale=0.4, size=one.shape)
    place = random.permutation(ROWS) if way == "key" else np.arange(ROWS)
    for name, logits, order in (("ref", one, np.arange(ROWS)), ("cand", other, place)):
        held: dict[str, Any] = {f"logit_{index}": logits[order, index] for index in range(3)}
        held = {"said": logits.argmax(1)} if way == "classes" else held
        pl.DataFrame(held | {"id": order, "y": label[order]}).write_parquet(tmp_path / f"{name}.parquet")
    columns = ("said",) if way == "classes" else ()
    reading = Reading("classification", label="y", key="id" if way == "key" else None, columns=columns)
    margin = PartRef(name="drop_at_most", options={"what": "accuracy", "margin": "2 pp"})
    made = compare(tmp_path / "ref.parquet", tmp_path / "cand.parquet", reading, [margin], out=tmp_path / "out")
    (tmp_path / "study.yaml").write_text(json.dumps(made.study))
    ran = flow.run(tmp_path / "study.yaml")
    for what in ("accuracy", "accuracy.drop", "flips", "flips.lost", "log_loss", "kl"):
        stated = [
            sorted((f.candidate, f.value, f.low, f.high, f.level, f.n, f.origin) for f in dossier.findings
                   if f.what == what and f.value is not None)
            for dossier in (made, ran)
        ]  # fmt: skip
        assert stated[0] == stated[1], what
        assert stated[0] or way == "classes"
    assert ran.verdict.outcome is made.verdict.outcome
    assert not list((tmp_path / ".seatrial").rglob("*.log")), "a worker was started"
