"""Reading a study: right ones become what they say, wrong ones are told at their place, all faults at once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.errors import StudyError
from seatrial.flow import _yaml
from seatrial.flow._references import references
from seatrial.flow.read import read, schema_json

GOOD = """\
schema: 1
name: little
models:
  net:
    forms: {onnx: {path: net.onnx}}
    task: classification
    inputs: {x: {columns: [a, b], scale: {divide: 2, mean: [0.5, 1]}}}
    outputs: {y: {means: logits, classes: [no, yes, 3]}}
data:
  rows: {from: {parquet: {path: rows.parquet}}, label: label, roles: {draw: {confirm: 0.8, calibrate: 0.2}}}
candidates:
  - {runtime: [onnxruntime, {onnxruntime: {}}], variant: as_is, batch: [1, 32]}
  - runtime: onnxruntime
    threads: 2
reference: {runtime: onnxruntime, threads: 2}
measure:
  loads: [single_stream, {offline: {seconds: 0.2}}]
  metrics: [accuracy]
  limits: {open: 2 min, memory: 4 GiB}
require:
  - at_most: {what: latency.p99, bound: 5 ms, at: {load: single_stream}}
prefer: {what: size}
"""


def study(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "study.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def problems(tmp_path: Path, *changes: tuple[str, str], text: str = GOOD) -> list[str]:
    """Lines of problems, as `line:column: words`, after changes that must each have hit."""
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    with pytest.raises(StudyError) as caught:
        read(study(tmp_path, text))
    return [line.removeprefix(f"{tmp_path / 'study.yaml'}:") for line in caught.value.problems]


def test_a_good_study(tmp_path: Path) -> None:
    source = read(study(tmp_path, GOOD))
    made = source.study
    assert made.models["net"].outputs["y"].classes == ("no", "yes", 3), "`no` is a word"
    assert made.measure.limits.open == 120
    assert made.measure.limits.memory == 4 * 2**30
    assert made.measure.loads == (PartRef(name="single_stream"), PartRef(name="offline", options={"seconds": 0.2}))
    assert made.candidates[0].batch == (1, 32)
    assert made.candidates[1].threads == (2,)
    assert source.folder == tmp_path
    assert source.places["candidates", 1, "threads"] == f"{source.file}:14:14"
    assert source.where("candidates", 1, "batch") == f"{source.file}:13:5"


def test_only_what_was_given_is_kept_in_options(tmp_path: Path) -> None:
    """Defaults stay out, so that names of candidates stay short."""
    made = read(study(tmp_path, GOOD)).study
    assert made.require[0].options == {"what": "latency.p99", "bound": "5 ms", "at": {"load": "single_stream"}}
    assert str(made.candidates[0].runtime[1]) == "onnxruntime"


@pytest.mark.parametrize(
    ("old", "new", "at", "words"),
    [
        ("name: little", "nam: little", "nam", "`nam` is not known here; did you mean `name`?"),
        ("name: little\n", "", "schema", "`name` is missing"),
        ("task: classification", "task: clasification", "clasification", "did you mean `classification`?"),
        ("parquet: {path", "parkett: {path", "parkett", "no dataset `parkett`; did you mean `parquet`?"),
        ("path: rows", "pth: rows", "pth", "`pth` is not known here (an option of `parquet`); did you mean `path`"),
        ("{onnx: {path: net.onnx}}", "{onnx: {}}", "{}", "`path` is missing (an option of `onnx`)"),
        ("{onnx: {path", "{onx: {path", "onx", "no subject `onx`; did you mean `onnx`?"),
        ("means: logits", "means: logit", "logit,", "`logit` is not known in `models.net.outputs.y.means`; did you mean `logits`?"),
        ("yes, 3]", "yes, no]", "[no", "the class `no` stands twice"),
        ("divide: 2", "divide: two", "two", "`divide` is `two`, which is not a number"),
        ("mean: [0.5, 1]", "mean: grey", "grey", "`mean` is `grey`, which is not a number or a list"),
        ("confirm: 0.8", "confirm: 0.7", "{draw", "the shares to draw add up to 0.9, not to 1"),
        ("confirm: 0.8", "confirn: 0.8", "confirn", "`confirn` is not known in `data.rows.roles.draw.confirn`; did you mean `confirm`?"),
        ("[onnxruntime, {", "[onnxrutime, {", "onnxrutime", "no runtime `onnxrutime`; did you mean `onnxruntime`?"),
        ("{onnxruntime: {}}", "{onnxruntime: {spead: 2}}", "spead", "`spead` is not known here (an option of `onnxruntime`)"),
        ("{onnxruntime: {}}", "{onnxruntime: 3}", "3}]", "the options of `onnxruntime` are a block"),
        ("variant: as_is", "variant: as_si", "as_si", "did you mean `as_is`?"),
        ("threads: 2\nref", "threads: 0\nref", "0\nref", "`threads` is 0; it must be at least 1"),
        ("threads: 2\nref", "treads: 2\nref", "treads", "did you mean `threads`?"),
        ("seconds: 0.2", "seconds: -1", "-1", "`seconds` is -1; it must be more than 0"),
        ("[accuracy]", "[acuracy]", "acuracy", "did you mean `accuracy`?"),
        ("open: 2 min", "open: 2 parsec", "2 parsec", "`parsec` is not a unit known here"),
        ("open: 2 min", "open: 2 MB", "2 MB", "`2 MB` is not a time"),
        ("  limits: {", "  rounds: {least: 4, most: 2}\n  limits: {", "{least", "`most` (2) is less than `least` (4)"),
        ("at_most: {", "at_moost: {", "at_moost", "no rule `at_moost`; did you mean `at_most`?"),
        ("bound: 5 ms", "bound: 5 furlongs", "5 furlongs", "`furlongs` is not a unit known here"),
        ("{what: size}", "{wat: size}", "wat", "`wat` is not known here (an option of `prefer`); did you mean `what`?"),
        ("batch: [1, 32]", "model: ned, batch: 1", "ned", "there is no model `ned` in this study; did you mean `net`?"),
        ("reference: {", "reference: {model: ned, ", "ned", "did you mean `net`?"),
        ("{draw: {confirm: 0.8, calibrate: 0.2}}", "train", "data:", "no data set has rows to judge on"),
        ("schema: 1", "schema: 2", "2", "`2` is not known in `schema`; known here: 1"),
        ("columns: [a, b]", "layout: {stored: HWW, model: CHW}, columns: a", "{stored", "an axis stands twice"),
        ("columns: [a, b]", "layout: {stored: HWC, model: HW}, columns: a", "{stored", "stored axes C don't stand"),
        ("columns: [a, b]", "columns: {a: b}", "{a: b}", "`columns` is a block, which is not a word"),
        ("label: label", "label: [label]", "[label]", "`label` is a list, which is not a word"),
        ("name: little", "name:", "name", "`name` is empty, which is not a word"),
    ],
)  # fmt: skip
def test_a_fault_is_told_at_its_place(tmp_path: Path, old: str, new: str, at: str, words: str) -> None:
    found = problems(tmp_path, (old, new))
    before = GOOD.replace(old, new, 1).split(at)[0]
    place = f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
    told = [fault for fault in found if words in fault]
    assert told, found
    assert told[0].startswith(f"{place}: "), told[0]


def test_all_faults_are_told_at_once_and_in_order(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        ("name: little", "nam: little"),
        ("means: logits", "means: logit"),
        ("path: net.onnx", "pth: net.onnx"),
        ("threads: 2\nref", "threads: two\nref"),
        ("[accuracy]", "[acuracy]"),
    )
    places = [tuple(map(int, re.findall(r"\d+", fault)[:2])) for fault in found]
    assert places == sorted(places)
    for words in ("`nam`", "`name` is missing", "`logit`", "`pth`", "`path` is missing", "`two`", "`acuracy`"):
        assert any(words in fault for fault in found), (words, found)
    assert len(found) == 7
    assert not any("validation" in fault or "Input should" in fault or "type=" in fault for fault in found)


def test_one_fault_is_the_error_itself(tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        read(study(tmp_path, GOOD.replace("as_is", "as_iss")))
    assert caught.value.where.endswith("study.yaml:12:58")
    assert "did you mean `as_is`" in caught.value.next_step


@pytest.mark.parametrize("given", ["[1, 2]", "3", "text", "~"])
def test_what_is_no_block(tmp_path: Path, given: str) -> None:
    assert any("block" in fault for fault in problems(tmp_path, text=given))


def test_metrics_of_another_task(tmp_path: Path) -> None:
    metric = tmp_path / "far.py"
    metric.write_text('"""Somebody\'s own metric of distances."""\n\nACCEPTS = {"task": ("regression",)}\n')
    found = problems(tmp_path, ("[accuracy]", "[./far.py]"))
    assert found == ["18:13: `far` is a metric of regression; the task of `net` is classification"]


def test_a_threshold_where_answers_have_none(tmp_path: Path) -> None:
    (fault,) = problems(tmp_path, ("means: logits", "means: logits, threshold: 0.4"))
    assert "answers of the task classification have no threshold" in fault
    labels = GOOD.replace("task: classification", "task: multi_label").replace("[accuracy]", "[f1]")
    made = read(study(tmp_path, labels.replace("means: logits", "means: logits, threshold: 0.4")))
    assert made.study.models["net"].outputs["y"].threshold == 0.4


def test_a_local_file_is_a_part_with_options(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        '"""My own metric."""\nfrom pydantic import Field\nfrom seatrial.contracts.part import PartOptions\n\n'
        'class Options(PartOptions):\n    k: int = Field(default=1, description="how many")\n'
    )
    made = read(study(tmp_path, GOOD.replace("[accuracy]", "[{./mine.py: {k: 3}}]"))).study
    assert made.measure.metrics == (PartRef(name="./mine.py", options={"k": 3}),)
    assert problems(tmp_path, ("[accuracy]", "[{./mine.py: {q: 3}}]"))[0].startswith("18:26: `q` is not known")
    (tmp_path / "broken.py").write_text('"""Broken."""\n1 / 0\n')
    assert "ZeroDivisionError" in problems(tmp_path, ("[accuracy]", "[./broken.py]"))[0]
    assert "no file" in problems(tmp_path, ("[accuracy]", "[./gone.py]"))[0]


def test_anchors_and_merges(tmp_path: Path) -> None:
    text = GOOD.replace("- {runtime: [", "- &base {runtime: [").replace("  - runtime: onnxruntime\n", "  - <<: *base\n")
    made = read(study(tmp_path, text)).study
    assert made.candidates[1].batch == (1, 32)
    assert made.candidates[1].threads == (2,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(f"{n}: &{n} [{', '.join([f'*{p}'] * 10)}]\n" for p, n in zip("abcdefg", "bcdefgh", strict=True)), "more than 50000 values"),
        ("[" * 3000, "nested"),
        ("a: &a [*a]", "nested"),
        ("a: !!python/object/apply:os.system [ls]", "is a tag"),
        ("a: " + "x" * 5_000_000, "at most"),
        ("", "empty"),
        ("a: 1\na: 2", "the key `a` is said twice"),
        ("a: [1\nb: 2", "no YAML"),
        ("a: 1\n---\nb: 2", "no YAML"),
    ],
    ids=["laughs", "deep", "endless", "tag", "large", "empty", "twice", "open", "two"],
)  # fmt: skip
def test_hostile_files_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        read(study(tmp_path, text))


LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("text", "limit", "enough"),
    [(LAUGHS, "values", 26), ("a: " + "[" * 30 + "]" * 30, "depth", 32), ("a: " + "x" * 3000, "bytes", 3003)],
)
def test_limits_of_yaml_can_be_set_and_refuse_what_is_beyond(
    monkeypatch: pytest.MonkeyPatch, text: str, limit: str, enough: int
) -> None:
    monkeypatch.setenv("SEATRIAL_YAML_LIMITS", f"{limit}={enough - 10}")
    with pytest.raises(StudyError) as caught:
        _yaml.load(text, "some.yaml")
    assert f"SEATRIAL_YAML_LIMITS={limit}=" in caught.value.next_step
    monkeypatch.setenv("SEATRIAL_YAML_LIMITS", f" {limit}={enough} ,")
    assert _yaml.load(text, "some.yaml").content["a"]


def test_a_higher_limit_lets_more_through_than_is_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "a: " + "[" * 150 + "]" * 150
    with pytest.raises(StudyError, match="more than 60 deep"):
        _yaml.load(deep, "some.yaml")
    monkeypatch.setenv("SEATRIAL_YAML_LIMITS", "depth=199")
    assert _yaml.load(deep, "some.yaml").content["a"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("dept=3", "did you mean `depth`"),
        ("depth", "SEATRIAL_YAML_LIMITS=values"),
        ("depth=5000", "depth"),
        ("bytes=some", "bytes"),
    ],
)
def test_limits_of_yaml_that_are_none_are_told(monkeypatch: pytest.MonkeyPatch, given: str, words: str) -> None:
    monkeypatch.setenv("SEATRIAL_YAML_LIMITS", given)
    with pytest.raises(StudyError) as caught:
        _yaml.load("a: 1", "some.yaml")
    assert words in str(caught.value) + caught.value.next_step
    assert "environment" in caught.value.where


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    study(tmp_path, GOOD)
    with pytest.raises(StudyError) as caught:
        read(tmp_path / "studdy.yaml")
    assert "study.yaml" in caught.value.next_step
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudyError, match="can't be read"):
        read(tmp_path / "bytes.yaml")


# --- the schema for editors ------------------------------------------------------------------------------------------------


def test_the_schema_names_every_part_with_its_options() -> None:
    schema = schema_json()
    json.dumps(schema)
    for kind in catalog.kinds():
        for name, part in catalog.parts(kind).items():
            options = schema["$defs"][f"{kind}.{name}"]
            assert options["description"] == part.description
            assert set(options.get("properties", {})) == {
                field.alias or key for key, field in catalog.options_type(catalog.load(part)).model_fields.items()
            }
    assert {place.kind for place in references()} <= {*schema["$defs"]}


def test_every_reference_in_the_schema_leads_somewhere() -> None:
    schema = schema_json()
    for target in re.findall(r'"\$ref": "#/\$defs/([^"]+)"', json.dumps(schema)):
        assert target in schema["$defs"], target


@pytest.mark.parametrize(
    "change", [None, ("seconds: 0.2", "secnds: 0.2"), ("as_is", "as_if"), ("open: 2 min", "open: []")]
)
def test_the_schema_takes_what_is_right_and_refuses_what_is_wrong(
    tmp_path: Path, change: tuple[str, str] | None
) -> None:
    from ruamel.yaml import YAML

    content = YAML(typ="safe", pure=True).load(GOOD if change is None else GOOD.replace(*change))
    schema = schema_json()
    assert _valid(content, schema, schema) is (change is None)


def _valid(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """The part of JSON Schema that the study's schema uses."""
    if "$ref" in schema:
        return _valid(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    if "anyOf" in schema and not any(_valid(value, one, root) for one in schema["anyOf"]):
        return False
    if ("const" in schema and value != schema["const"]) or ("enum" in schema and value not in schema["enum"]):
        return False
    types = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    kind = schema.get("type")
    if kind == "null":
        return value is None
    if kind and (not isinstance(value, types[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return False
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        return False
    if isinstance(value, list):
        return all(_valid(one, schema.get("items", {}), root) for one in value)
    if isinstance(value, dict) and kind == "object":
        known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        if set(schema.get("required", ())) - set(value) or (more is False and set(value) - set(known)):
            return False
        rest = more if isinstance(more, dict) else {}
        return all(_valid(one, known.get(key, rest), root) for key, one in value.items())
    return True


def test_what_a_draft_leaves_open_is_named_by_line(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(
        "schema: 1\nname: x\nmodels:\n  m:\n    outputs:\n      FILL_IN: {means: logits, classes: [FILL_IN]}\n"
    )
    with pytest.raises(StudyError) as error:
        read(file)
    assert len(error.value.problems) == 2
    assert ":6:7" in error.value.problems[0]
    assert "FILL_IN" in error.value.problems[0]
