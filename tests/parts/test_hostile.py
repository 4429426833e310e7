"""Hostile files are refused before anything of them is loaded, with how to convert them; nothing planted in them ever runs."""

from __future__ import annotations

import json
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import models
import numpy as np
import onnx
import pytest

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Setting
from seatrial.contracts.study import Study
from seatrial.errors import DataError, ModelError, StudyError
from seatrial.flow import rows
from seatrial.flow.draft import draft
from seatrial.flow.read import read as read_study
from seatrial.testing import _models

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import _planted
import _planted_tables
import hostile


def model(kind: str, folder: Path, **options: object) -> Artefact:
    part = catalog.find("subjects", kind)
    return catalog.load(part).read(catalog.options(part, options), folder)


def table(kind: str, folder: Path, path: str, *names: str, **said: object) -> dict[str, np.ndarray]:
    part = catalog.find("datasets", kind)
    options = catalog.options(part, {"path": path} | said)
    module = catalog.load(part)
    pieces = list(module.chunks(options, folder, list(names) or list(module.columns(options, folder)), 16))
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "it ran"


# --- pickles, under every name ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["0", "4", "gzip", "zip", "pt2"])
@pytest.mark.parametrize("suffix", _planted.SUFFIXES)
def test_a_pickle_of_any_name_is_refused_at_every_door(tmp_path: Path, mark: Path, suffix: str, how: str) -> None:
    _planted.sound(tmp_path, tmp_path)
    name = f"evil{suffix}"
    (tmp_path / name).write_bytes(_planted.pickled(mark, how))
    for kind, options in (
        ("onnx", {"path": name}),
        ("torch", {"module": "net.py:build", "weights": name}),
        ("torch", {"export": name}),
    ):
        with pytest.raises(ModelError) as refused:
            model(kind, tmp_path, **options)
        assert refused.value.next_step
    with pytest.raises((ModelError, DataError)):
        draft(tmp_path / name)
    for kind in ("npz", "parquet"):
        with pytest.raises(DataError):
            table(kind, tmp_path, name)
    assert not mark.exists()
    assert not (tmp_path / "imported").exists()


def test_the_payload_does_run_where_it_is_loaded(mark: Path) -> None:
    pickle.loads(_planted.pickled(mark, "4"))
    assert mark.exists()


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".onnx", ".safetensors"])
def test_what_torch_saves_is_refused_with_how_to_convert_it(
    tmp_path: Path, mark: Path, suffix: str, legacy: bool
) -> None:
    import torch

    _planted.sound(tmp_path, tmp_path)
    file = tmp_path / f"weights{suffix}"
    torch.save({"w": torch.zeros(3), "x": _planted.Payload(mark)}, file, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ModelError, match="can run code") as refused:
        model("torch", tmp_path, module="net.py:build", weights=file.name)
    assert "save_file(torch.load(" in refused.value.next_step
    with pytest.raises(ModelError, match="can run code") as refused:
        model("onnx", tmp_path, path=file.name)
    assert "torch.onnx.export" in refused.value.next_step
    assert not mark.exists()


@pytest.mark.parametrize(
    ("suffix", "how"), [(".pkl", "skl2onnx"), (".joblib", "skl2onnx"), (".pt", "safetensors"), (".pth", "safetensors")]
)
def test_init_says_how_to_convert(tmp_path: Path, mark: Path, suffix: str, how: str) -> None:
    (tmp_path / f"m{suffix}").write_bytes(_planted.pickled(mark, "4"))
    with pytest.raises(ModelError, match=how):
        draft(tmp_path / f"m{suffix}")
    assert not mark.exists()


def test_a_pickle_in_a_column_is_refused_with_how_to_convert_it(tmp_path: Path, mark: Path) -> None:
    objects = np.array([_planted.Payload(mark)] * 3, object)
    np.save(tmp_path / "x.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "x.npz", x=objects)
    for name in ("x.npy", "x.npz", "."):
        with pytest.raises(DataError, match="would run code") as refused:
            table("npz", tmp_path, name, "x")
        assert "allow_pickle" in refused.value.next_step
    assert not mark.exists()


# --- a program that is trusted --------------------------------------------------------------------------------------------


def test_a_trusted_program_that_is_swapped_after_the_check_is_not_loaded(tmp_path: Path, mark: Path) -> None:
    file = tmp_path / "m.pt2"
    file.write_bytes(b"PK\x03\x04 the one that was looked at")
    artefact = model("torch", tmp_path, export="m.pt2", trust=_models.sha256(file))
    file.write_bytes(_planted.pickled(mark, "pt2"))
    runtime = catalog.find("runtimes", "torch")
    with pytest.raises(ModelError, match="has changed"):
        catalog.load(runtime).open(artefact, Setting(), catalog.options(runtime))
    with pytest.raises(ModelError, match="isn't the trusted one"):
        model("torch", tmp_path, export="m.pt2", trust=artefact.hashes["model"])
    assert not mark.exists()


def test_a_trusted_program_that_is_swapped_while_it_is_loaded_is_not_the_one_loaded(
    tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seatrial.parts.runtimes import _torch_module

    file, other = tmp_path / "m.pt2", tmp_path / "other.pt2"
    file.write_bytes(b"no program at all")
    other.write_bytes(_planted.pickled(mark, "pt2"))
    artefact = model("torch", tmp_path, export="m.pt2", trust=_models.sha256(file))
    check, loaded = _torch_module._same, []

    def swapped(*given: object) -> None:
        check(*given)
        other.replace(file)

    monkeypatch.setattr(_torch_module, "_same", swapped)
    monkeypatch.setattr("torch.export.load", lambda it: loaded.append(it.read()) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        _torch_module.built(artefact)
    assert loaded == [b"no program at all"]


# --- files that lie -------------------------------------------------------------------------------------------------------


def safetensors(header: object, body: int = 64, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(body)


def at(start: object, end: object) -> dict[str, object]:
    return {"dtype": "F32", "shape": [1], "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "content",
    [
        safetensors({"w": at(0, 64)}, length=2**63),
        safetensors({"w": at(0, 64)}, length=10**6),
        safetensors({"w": at(0, 64), "b": at(0, 64)}),
        safetensors({"w": at(0, 40), "b": at(30, 64)}),
        safetensors({"w": at(0, 30), "b": at(40, 64)}),
        safetensors({"w": at(-64, 64)}),
        safetensors({"w": at(64, 0)}),
        safetensors({"w": at(0, 2**70)}),
        safetensors({"w": at("a", "b")}),
        safetensors({"w": at(0.0, 64.0)}),
        safetensors({"w": at(0, 63)}),
        safetensors({"w": {"data_offsets": [64]}}),
        safetensors([1]),
        safetensors(b"[" * 100_000),
        safetensors(b"\xff\xfe"),
    ],
    ids=range(15),
)
def test_safetensors_that_lie_are_refused(tmp_path: Path, content: bytes) -> None:
    _planted.sound(tmp_path, tmp_path)
    model("torch", tmp_path, module="net.py:build", weights="w.safetensors")
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(ModelError) as refused:
        model("torch", tmp_path, module="net.py:build", weights="w.safetensors")
    assert refused.value.next_step


def test_what_safetensors_itself_writes_is_taken(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    _planted.sound(tmp_path, tmp_path)
    arrays = {"b": np.ones(3, np.float32), "a": np.zeros((0, 4)), "c": np.zeros((2, 2), np.int8), "d": np.float64([1])}
    for tensors in (arrays, {}):
        save_file(tensors, tmp_path / "w.safetensors", metadata={"format": "np"})
        assert model("torch", tmp_path, module="net.py:build", weights="w.safetensors").files


@pytest.mark.parametrize(("key", "value"), [("offset", "x"), ("offset", "-1"), ("length", "9" * 5000), ("length", "")])
def test_external_data_with_impossible_places_is_refused(tmp_path: Path, key: str, value: str) -> None:
    (tmp_path / "data.bin").write_bytes(bytes(16))
    models.pointing(tmp_path / "m.onnx", "data.bin")
    assert "data:data.bin" in model("onnx", tmp_path, path="m.onnx").files
    made = onnx.load(tmp_path / "m.onnx", load_external_data=False)
    entry = made.graph.initializer[0].external_data.add()
    entry.key, entry.value = key, value
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(ModelError, match="external data of `w` can't be used"):
        model("onnx", tmp_path, path="m.onnx")


@pytest.mark.parametrize("dims", [[10**12], [2**62, 2**62], [-1, 32]])
def test_a_tensor_that_says_it_is_huge_is_refused(tmp_path: Path, dims: list[int]) -> None:
    _models.mlp_file(tmp_path / "m.onnx")
    made = onnx.load(tmp_path / "m.onnx")
    made.graph.initializer[0].dims[:] = dims
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(ModelError, match="breaks the ONNX standard"):
        model("onnx", tmp_path, path="m.onnx")


def test_a_type_that_onnx_does_not_have_is_refused(tmp_path: Path) -> None:
    _models.mlp_file(tmp_path / "m.onnx")
    made = onnx.load(tmp_path / "m.onnx")
    made.graph.output[0].type.tensor_type.elem_type = 99
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(ModelError):
        model("onnx", tmp_path, path="m.onnx")


def test_an_archive_that_would_fill_the_memory_is_refused_unread(tmp_path: Path) -> None:
    _planted_tables.bomb(tmp_path / "rows.npz", megabytes=300)
    assert (tmp_path / "rows.npz").stat().st_size < 4 * 2**20
    with pytest.raises(DataError, match="as bombs do"):
        table("npz", tmp_path, "rows.npz")


@pytest.mark.parametrize(
    ("shape", "fortran", "words"),
    [
        ("(2, 10**12)", False, "can't be read"),
        ("(2, 1000000000000)", False, "can't be true"),
        ("(-2, 3)", False, "can't be true"),
    ],
)
def test_rows_of_impossible_size_are_refused(tmp_path: Path, shape: str, fortran: bool, words: str) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': {fortran}, 'shape': {shape}, }}\n"
    (tmp_path / "x.npy").write_bytes(_planted_tables.npy(header))
    with pytest.raises(DataError, match=words):
        table("npz", tmp_path, "x.npy")


def test_a_column_first_array_too_large_to_be_read_at_once_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.asfortranarray(np.random.default_rng(0).normal(size=(40, 9))))
    with pytest.raises(DataError, match="column first") as refused:
        table("npz", tmp_path, "x.npz", limits={"whole": 1000})
    assert "ascontiguousarray" in refused.value.next_step
    assert table("npz", tmp_path, "x.npz")["x"].shape == (40, 9)


@pytest.mark.parametrize(("offset", "value"), [(8, 1), (10, 99), (10, 12)], ids=["encrypted", "unknown", "other"])
def test_archives_packed_in_odd_ways_are_refused(tmp_path: Path, offset: int, value: int) -> None:
    _planted.sound(tmp_path, tmp_path)
    whole = bytearray((tmp_path / "rows.npz").read_bytes())
    there = whole.index(b"PK\x01\x02") + offset
    whole[there : there + 2] = value.to_bytes(2, "little")
    (tmp_path / "rows.npz").write_bytes(whole)
    with pytest.raises(DataError, match="can't be read as NumPy"):
        table("npz", tmp_path, "rows.npz")


@pytest.mark.parametrize("header", ["(" * 9000, "-" * 5000 + "1", "{'descr': '<f4'"])
def test_headers_that_break_the_parser_are_refused(tmp_path: Path, header: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", _planted_tables.npy(header))
    with pytest.raises(DataError, match="can't be read as NumPy"):
        table("npz", tmp_path, "x.npz")


def test_text_that_is_no_text_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.array([b"\xff\xfe"] * 3))
    with pytest.raises(DataError, match="decode"):
        table("npz", tmp_path, "x.npz")


def test_an_archive_without_columns_is_refused(tmp_path: Path) -> None:
    for arrays in ({}, {"alone": np.float64(3)}):
        np.savez(tmp_path / "x.npz", **arrays)
        with pytest.raises(DataError, match="no column"):
            table("npz", tmp_path, "x.npz")


# --- paths ----------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/mem").is_file(), reason="needs the proc file system")
def test_files_that_fail_when_they_are_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="can't be read"):
        model("onnx", tmp_path, path="/proc/self/mem")


def test_a_file_larger_than_onnx_can_be_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "m.onnx").open("wb") as file:
        file.truncate(2**31)  # a hole: it takes no room
    with pytest.raises(ModelError, match="larger than an ONNX file can be"):
        model("onnx", tmp_path, path="m.onnx")


@pytest.mark.parametrize("path", ["a" * 5000, "a\x00b", "/**/*.npz", "**.npz", "/dev/zero", "x/../../nowhere"])
def test_paths_that_lead_nowhere_are_refused(tmp_path: Path, path: str) -> None:
    for kind in ("npz", "parquet"):
        with pytest.raises(DataError):
            table(kind, tmp_path, path)
    with pytest.raises(ModelError):
        model("onnx", tmp_path, path=path)


# --- studies --------------------------------------------------------------------------------------------------------------


def refused_study(folder: Path, text: str) -> StudyError:
    (folder / "study.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(StudyError) as refused:
        read_study(folder / "study.yaml")
    assert str(refused.value).encode()
    return refused.value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a {<<: *a}", "nested"),
        ("a: " + "9" * 5000, "number"),
        ("a: 0.5_", "number"),
        ('a: "\\e[2J"', "U\\+001B"),
        ('"\\0": a', "U\\+0000"),
        ('a: "\\ud800"', "U\\+D800"),
        ("[" + "a, " * 150_000 + "]", "more than 50000 values"),
    ],
    ids=["merge of itself", "digits", "underscore", "escape", "null key", "surrogate", "many"],
)
def test_yaml_that_breaks_readers_is_refused_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    error = refused_study(tmp_path, text)
    assert error.where.startswith(f"{tmp_path / 'study.yaml'}:1:")
    with pytest.raises(StudyError, match=words):
        raise error


@pytest.mark.parametrize(
    ("limits", "words"),
    [({"memory": "9" * 400}, "too large"), ({"memory": f"{'9' * 308} GiB"}, "too large"), ({"open": "inf"}, "not a number"),
     ({"open": float("inf")}, "at most"), ({"open": "12 d"}, "not a unit"), ({"open": "400 h"}, "at most"), ({"block": float("nan")}, "more than")],
)  # fmt: skip
def test_limits_beyond_all_bounds_are_refused(tmp_path: Path, limits: dict[str, object], words: str) -> None:
    study = json.loads(json.dumps(_planted.STUDY))
    study["measure"]["limits"] = limits
    text = json.dumps(study).replace("Infinity", ".inf").replace("NaN", ".nan")
    assert any(words in line for line in refused_study(tmp_path, text).problems)


def test_a_model_without_inputs_is_refused(tmp_path: Path) -> None:
    _planted.sound(tmp_path, tmp_path)
    study = json.loads(json.dumps(_planted.STUDY))
    study["models"]["net"]["inputs"] = {}
    with pytest.raises(DataError, match="no inputs"):
        rows.prepare(Study.model_validate(study), tmp_path, "net", tmp_path / "cache")


def test_a_name_given_twice_is_no_warning(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    refused_study(tmp_path, "- &a x\n- &a y\n- *a\n")
    assert not recwarn.list


def test_a_study_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no file that could be read"):
        read_study(Path("/dev/zero"))
    (tmp_path / "long.yaml").write_bytes(b"# " + b"x" * 2**23)
    with pytest.raises(StudyError, match="at most"):
        read_study(tmp_path / "long.yaml")


def test_line_ends_of_every_kind_are_read_alike(tmp_path: Path) -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        (tmp_path / "study.yaml").write_bytes(b"\xef\xbb\xbfschema: 1" + end + b"nonsense: 2" + end)
        with pytest.raises(StudyError) as refused:
            read_study(tmp_path / "study.yaml")
        assert any(f"{tmp_path / 'study.yaml'}:2:1" in line for line in refused.value.problems)


# --- all at once ----------------------------------------------------------------------------------------------------------


def test_a_hundred_and_fifty_hostile_inputs() -> None:
    figures, bad = hostile.measure({"study": 80, "table": 35, "model": 35}, command_line=False)
    assert not bad, "\n".join(f"{one.what}: {one.case}\n{one.words}" for one in bad)
    assert {name: figure.ours for name, figure in figures.items()} == {
        "inputs": 150,
        "tracebacks": 0,
        "hangs": 0,
        "executed": 0,
    }


def test_the_fuzzer_sees_a_traceback_a_death_and_a_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = hostile.Worker()
    try:
        assert worker.try_(hostile.Case("no such kind", 0, tmp_path, "study.yaml")).what == "traceback"
        (tmp_path / "study.yaml").write_text("schema: 1")
        assert worker.try_(hostile.Case("study", 0, tmp_path, "study.yaml")).what == "fine"
        patience = hostile.LIMIT_S
        monkeypatch.setattr(hostile, "LIMIT_S", 0.0)
        assert worker.try_(hostile.Case("study", 1, tmp_path, "study.yaml")).what == "hang"
        monkeypatch.setattr(hostile, "LIMIT_S", patience)
        worker.process = subprocess.Popen(["sh", "-c", "read a"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)  # fmt: skip
        assert "died" in worker.try_(hostile.Case("study", 2, tmp_path, "study.yaml")).words
    finally:
        worker.end()
