"""The command line without measuring: help, errors, looking, and what stays quiet."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from small_study import on_a_terminal
from small_study import seatrial as command

import seatrial
from seatrial import catalog
from seatrial.apps.cli import _machine, _plan, main, progress, run
from seatrial.contracts.finding import Origin, State
from seatrial.contracts.glossary import FINDINGS, WORDS, term
from seatrial.contracts.part import GAPS
from seatrial.contracts.progress import Event
from seatrial.contracts.rows import Role
from seatrial.contracts.verdict import Outcome
from seatrial.errors import StudyError

ALL = [command.__name__ for commands in main.COMMANDS.values() for command in commands]


def called(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command line, in this process."""
    code = main.main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


# --- help ------------------------------------------------------------------------------------------------------------


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = called(capsys, "--help")
    assert code == 0
    assert set(ALL) == {
        "init",
        "plan",
        "run",
        "gate",
        "compare",
        "audit",
        "inspect",
        "data",
        "sign",
        "verify",
        "report",
        "capacity",
        "runs",
        "clean",
        "parts",
        "explain",
        "doctor",
        "hardware",
    }
    assert all(f" {name} " in out for name in ALL)


def test_no_command_is_a_call_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = called(capsys)
    assert code == 0
    assert "doctor" in out


@pytest.mark.parametrize("name", ALL)
def test_every_command_speaks_json(name: str) -> None:
    group: Any = typer.main.get_command(main.app)
    assert "--json" in [opt for param in group.commands[name].params for opt in param.opts]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert called(capsys, "--version") == (0, f"seatrial {seatrial.__version__}\n", "")


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rnu", "x.yaml"], "did you mean `seatrial run`?"),
        (["exlpain", "flips"], "did you mean `seatrial explain`?"),
        (["run", "--bugdet", "3"], "`seatrial run --help`"),
        (["run"], "STUDY"),
        (["clean", "--keep", "many"], "keep"),
        (["parts", "metricks"], "did you mean `metrics`?"),
        (["explain", "accuracyy"], "did you mean `accuracy`?"),
        (["run", "nowhere.yaml"], "there is no study nowhere.yaml"),
        (["run", "nowhere.yaml", "--budget", "ten"], "--budget"),
        (["init", "nowhere.onnx"], "nowhere.onnx"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_exit_2_with_the_next_step(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    code, out, err = called(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "next: " in err
    assert said in err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("words.yaml", b"just words\n"),
        ("list.yaml", b"- a\n- b\n"),
        ("empty.yaml", b""),
        ("tab.yaml", b"\t- a: b\n"),
        ("bytes.yaml", bytes(range(256))),
        ("rows.csv", b"y,p0,p1\n" + b"1,0.25,0.75\n" * 20_000),
        ("keys.yaml", b"".join(b"wrong%d: 1\n" % at for at in range(500))),
        ("long.yaml", b"schema: 1\nname: " + b"x" * 100_000 + b"\nmodels: 3\n"),
        ("key.yaml", b"schema: 1\n" + b"y" * 100_000 + b": 3\n"),
    ],
)
def test_whatever_is_no_study_is_refused_on_a_page_with_the_next_step(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    for word in ("plan", "run", "gate"):
        code, out, err = called(capsys, word, str(tmp_path / name))
        kept = word == "gate" and not name.endswith(
            ".yaml"
        )  # what is no study may be a dossier, which can't be evaluated
        assert (code, out) == (4 if kept else 2, "")
        assert err.startswith("error: ")
        assert err.rstrip("\n").splitlines()[-1].startswith("next: ")
        assert len(err) < 6_000, "what stood in the file is no error message"


def test_a_run_that_is_not_there_cannot_be_evaluated(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = called(capsys, "gate", "latest", "--in", str(tmp_path))
    assert code == 4
    assert "--in FOLDER" in err


def test_what_nobody_foresaw_is_a_line_and_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken() -> list[str]:
        raise RuntimeError("the mast fell\nin a storm")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(catalog, "kinds", broken)
    code, out, err = called(capsys, "parts")
    assert (code, out) == (4, "")
    assert "RuntimeError: the mast fell" in err
    assert "Traceback" not in err
    (file,) = (tmp_path / ".seatrial" / "errors").iterdir()
    assert str(file.name) in err
    assert "Traceback" in file.read_text()
    assert "in a storm" in file.read_text()


@pytest.mark.parametrize(
    ("text", "wanted"), [("10m", 600.0), ("90 s", 90.0), ("90", 90.0), ("1.5 h", 5400.0), (None, None)]
)
def test_a_budget_is_a_time(text: str | None, wanted: float | None) -> None:
    assert run.seconds(text) == wanted


@pytest.mark.parametrize("text", ["5 MB", "soon", "-3", "0", ""])
def test_what_is_no_time_is_no_budget(text: str) -> None:
    with pytest.raises(StudyError, match="--budget"):
        run.seconds(text)


# --- looking ---------------------------------------------------------------------------------------------------------


def test_parts_are_those_of_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    listed = json.loads(called(capsys, "parts", "--json")[1])
    assert {kind: [part["name"] for part in parts] for kind, parts in listed.items()} == {
        kind: list(catalog.parts(kind)) for kind in catalog.kinds()
    }


@pytest.mark.parametrize("kind", catalog.kinds())
def test_every_part_can_be_explained(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    for info in catalog.parts(kind).values():
        code, out, _ = called(capsys, "explain", f"{kind}.{info.name}", "--json")
        (part,) = json.loads(out)["parts"]
        assert code == 0
        assert (part["kind"], part["name"], part["description"]) == (kind, info.name, info.description)
        assert set(part["cannot"]) == set(info.cannot)


def test_a_part_is_explained_with_its_options_and_gaps(capsys: pytest.CaptureFixture[str]) -> None:
    info = catalog.find("runtimes", "onnxruntime")
    out = called(capsys, "explain", "onnxruntime")[1]
    for name, field in catalog.options_type(catalog.load(info)).model_fields.items():
        assert name in out
        assert str(field.description).split()[0] in out
    assert all(gap in out for gap, _ in info.cannot.values())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("p99", "latency.p99"),
        ("flips", "flips.lost"),
        ("FLIPS", "Equal accuracy can hide"),
        ("not enough evidence", "would settle it"),
        ("bf16", "16 bits"),
        ("runtimes", "onnxruntime"),
        ("study.measure", "rounds"),
        ("study.candidates", "precision"),
    ],
)
def test_words_findings_kinds_and_blocks_are_explained(
    capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    code, out, _ = called(capsys, "explain", name)
    assert code == 0
    assert said in out


@pytest.mark.parametrize("kind", catalog.kinds())
def test_a_file_of_ones_own_is_explained_as_its_kind(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str
) -> None:
    name, info = next(iter(catalog.parts(kind).items()))
    copy = tmp_path / f"my_{name}.py"
    copy.write_text(Path(info.path).read_text())
    (part,) = json.loads(called(capsys, "explain", str(copy), "--json")[1])["parts"]
    assert (part["kind"], part["source"], part["description"]) == (kind, "local file", info.description)


def test_explain_study_says_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    out = called(capsys, "explain", "study")[1]
    assert all(f"\n{name} " in out for name in ("schema", "models", "candidates", "from", "least", "eligible"))


def test_the_schema_of_a_study_is_a_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(called(capsys, "explain", "study", "--json")[1])
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"models", "candidates", "reference"} <= set(schema["required"])


def test_the_glossary_knows_every_word_of_the_contracts() -> None:
    words = {*map(str, Origin), *map(str, Role), *map(str, Outcome), *GAPS, *map(str, State)} - {"ok"}
    assert words <= set(WORDS)


def test_the_glossary_knows_every_finding_that_parts_give() -> None:
    given = {
        name
        for kind in catalog.kinds()
        for part in catalog.parts(kind).values()
        for name in part.gives.get("finding", ())
    }
    assert not {name for name in given if term(name) is None}
    assert term("environment.cpu") == FINDINGS["environment"]
    assert term("nonsense") is None


def test_doctor_says_what_is_here_and_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(called(capsys, "doctor", "--json")[1])
    assert found["machine"]["cores_usable"] >= 1
    assert found["machine"]["memory_bytes"] > 2**28
    runtimes = {part["name"]: part for part in found["parts"] if part["kind"] == "runtimes"}
    assert set(runtimes) == set(catalog.parts("runtimes"))
    assert runtimes["onnxruntime"]["devices"]["cpu"] == ""
    assert all(bool(part["install"]) == bool(part["missing"]) for part in found["parts"])


def test_what_is_missing_is_said_with_the_command_that_adds_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "absent", lambda part: list(part.needs))
    for words in (["doctor"], ["parts", "runtimes"], ["explain", "runtimes.openvino"]):
        assert "pip install 'seatrial[openvino]'" in called(capsys, *words)[1]
    assert "openvino missing" in called(capsys, "doctor")[1]


def test_processor_features_are_read_from_flags() -> None:
    intel = {"model name": "A processor", "flags": "fpu avx2 avx512f avx512_bf16 amx_tile amx_bf16 amx_int8"}
    assert _machine.features(intel) == ["avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8"]
    assert _machine.features({"Features": "fp asimd i8mm bf16"}) == ["asimd", "i8mm", "bf16"]
    assert _machine.features({}) == []


# --- quiet and plain -------------------------------------------------------------------------------------------------


def test_a_reader_who_leaves_early_is_no_error(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "seatrial", "explain", "study", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0
    assert not (tmp_path / ".seatrial").exists()


def test_no_colour_without_a_terminal(tmp_path: Path) -> None:
    for words in (["--help"], ["parts", "runtimes"], ["explain", "flips"], ["rnu"]):
        done = command(*words, folder=tmp_path)
        assert "\x1b[" not in done.stdout + done.stderr


def test_colour_on_a_terminal_unless_somebody_objects(tmp_path: Path) -> None:
    code, shown = on_a_terminal("rnu", folder=tmp_path)
    assert code == 2
    assert "\x1b[1;31merror:" in shown
    for words, variables in ((["rnu", "--no-color"], {}), (["rnu"], {"NO_COLOR": "1"}), (["rnu"], {"TERM": "dumb"})):
        assert "\x1b[" not in on_a_terminal(*words, folder=tmp_path, **variables)[1]


def test_lines_do_not_flood(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock) / 100)
    watch = progress.Lines()
    for done in range(5_000):
        watch(Event(stage="round", label="fast", done=done, total=5_000))
    watch(Event(stage="note", note="the harbour is in sight"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "measuring, 0 of 5000 done: fast"
    assert lines[-1] == "the harbour is in sight"
    assert 3 <= len(lines) <= 12


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "0.2 s"), (9.96, "10.0 s"), (42, "42 s"), (200, "3 min 20 s"), (3900, "1 h 5 min")]
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert _plan.duration(seconds) == text


# --- the front door and the look-up pages ------------------------------------------------------------------------------


def test_the_front_door_offers_a_dozen_names() -> None:
    assert len(seatrial.__all__) <= 15
    for name in seatrial.__all__:
        assert getattr(seatrial, name) is getattr(seatrial, name)
        assert name in dir(seatrial)
        if name != "__version__":
            assert inspect.getdoc(getattr(seatrial, name))
    with pytest.raises(AttributeError, match="it offers run, plan"):
        seatrial.sail  # noqa: B018


def test_the_look_up_pages_are_as_the_code_says() -> None:
    generator = Path(__file__).parents[2] / "tools" / "docs.py"
    done = subprocess.run([sys.executable, generator, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
