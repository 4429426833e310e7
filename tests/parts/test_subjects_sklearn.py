"""The scikit-learn subject: what it says of a file is true, and a planted file is refused with nothing of it run."""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn_models
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.preprocessing import FunctionTransformer

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.trusted import TRUSTED
from seatrial.errors import ModelError
from seatrial.flow.draft import draft


def read(file: Path) -> Artefact:
    part = catalog.find("subjects", "sklearn")
    return catalog.load(part).read(catalog.options(part, {"path": file.name}), file.parent)


def refusal(file: Path) -> ModelError:
    with pytest.raises(ModelError) as raised:
        read(file)
    return raised.value


Schema = dict[str, Any]


def changed(file: Path, change: Callable[[Schema], object], members: dict[str, bytes] | None = None) -> Path:
    """A copy of a skops file with another tree of nodes, or other arrays."""
    target = file.with_name("changed.skops")
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w") as made:
        for name in source.namelist():
            content = (members or {}).get(name, source.read(name))
            if name == "schema.json":
                schema = json.loads(content)
                change(schema)
                content = json.dumps(schema).encode()
            made.writestr(name, content)
    return target


def attributes(schema: Schema) -> Schema:
    return schema["content"]["content"]


# --- what it says -------------------------------------------------------------------------------------------------------


def specs(signature_side: Any) -> list[tuple[str, str, str, tuple[int, ...]]]:
    return [(one.name, str(one.kind), one.dtype, one.shape) for one in signature_side]


def test_one_table_is_one_input(tmp_path: Path) -> None:
    artefact = read(sklearn_models.saved("histogram", tmp_path))
    assert specs(artefact.signature.inputs) == [("X", "dense", "float32", (4,))]
    assert specs(artefact.signature.outputs) == [("probabilities", "dense", "float32", (3,))]
    assert (artefact.format, artefact.lineage.options["classes"]) == ("skops", [0, 1, 2])


def test_named_columns_are_inputs_of_their_own_kinds(tmp_path: Path) -> None:
    artefact = read(sklearn_models.saved("people", tmp_path))
    assert specs(artefact.signature.inputs) == [
        ("age", "dense", "float32", (1,)),
        ("hours", "dense", "float32", (1,)),
        ("job", "text", "string", (1,)),
        ("town", "text", "string", (1,)),
        ("rooms", "dense", "int64", (1,)),
    ]
    assert artefact.lineage.options["classes"] == ["no", "yes"]


def test_columns_chosen_by_a_selector_and_the_remainder_are_inputs(tmp_path: Path) -> None:
    artefact = read(sklearn_models.saved("people_selected", tmp_path))
    assert [one.name for one in artefact.signature.inputs] == ["age", "hours", "job", "town", "rooms"]


def test_a_regressor_gives_values(tmp_path: Path) -> None:
    for name in ("linear", "forest_regression", "histogram_regression"):
        artefact = read(sklearn_models.saved(name, tmp_path))
        assert specs(artefact.signature.outputs) == [("values", "dense", "float32", (1,))]


def test_reading_loads_no_framework(tmp_path: Path) -> None:
    import subprocess

    file = sklearn_models.saved("people", tmp_path)
    code = (
        "import sys, pathlib; from seatrial import catalog; part = catalog.find('subjects', 'sklearn');"
        f"catalog.load(part).read(catalog.options(part, {{'path': {file.name!r}}}), pathlib.Path({str(tmp_path)!r}));"
        "assert not {'sklearn', 'skops', 'scipy', 'pickle5', 'joblib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", sklearn_models.NAMES)
def test_skops_loads_with_our_list_what_we_let_through(tmp_path: Path, name: str) -> None:
    file = sklearn_models.saved(name, tmp_path)
    read(file)
    assert type(skops.io.load(file, trusted=list(TRUSTED))) is type(sklearn_models.fitted(name))


# --- pickles ------------------------------------------------------------------------------------------------------------


class Bomb:
    """Runs `touch` when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("name", ["m.pkl", "m.pickle", "m.joblib", "m.skops", "m.bin"])
@pytest.mark.parametrize("how", ["pickle", "joblib", "zlib", "zip"])
def test_a_pickle_of_any_name_is_refused_with_how_to_convert_it(tmp_path: Path, name: str, how: str) -> None:
    file, marker = tmp_path / name, tmp_path / "it ran"
    if how == "pickle":
        file.write_bytes(pickle.dumps(Bomb(marker)))
    elif how == "zip":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Bomb(marker)))
    else:
        joblib.dump(Bomb(marker), file, compress=3 if how == "zlib" else 0)
    refused = refusal(file)
    assert "skops.io" in refused.next_step or "s.dump(" in refused.next_step
    with pytest.raises(ModelError):
        draft(file)
    assert not marker.exists()


# --- planted nodes --------------------------------------------------------------------------------------------------------


def function(module: str, name: str) -> Schema:
    return {"__class__": name, "__module__": module, "__loader__": "FunctionNode"}


def words(*given: object) -> Schema:
    content = [
        {
            "__class__": "str",
            "__module__": "builtins",
            "__loader__": "JsonNode",
            "content": json.dumps(one),
            "is_json": True,
        }
        for one in given
    ]
    return {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": content}


def planted(kind: str, marker: Path) -> Schema:
    command = f"touch {marker}"
    empty = {"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode", "content": {}}
    empty |= {"key_types": {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": []}}
    partial = {"func": function("posix", "system"), "args": words(command), "kwds": empty, "namespace": empty}
    return {
        "function": function("posix", "system"),
        "type": {"__class__": "Popen", "__module__": "subprocess", "__loader__": "TypeNode"},
        "object": {"__class__": "Popen", "__module__": "subprocess", "__loader__": "ObjectNode", "content": empty},
        "constructor": {
            "__class__": "Popen",
            "__module__": "subprocess",
            "__loader__": "ConstructorFromReduceNode",
            "content": words(command.split()),
        },
        "partial": {"__class__": "partial", "__module__": "functools", "__loader__": "PartialNode", "content": partial},
        "method": {
            "__class__": "Pipeline",
            "__module__": "sklearn.pipeline",
            "__loader__": "MethodNode",
            "content": {"func": "fit", "obj": empty},
        },
        "operator": {"__class__": "methodcaller", "__module__": "operator", "__loader__": "OperatorFuncNode", "attrs": words("system")},
        "disguised": function("sklearn.pipeline", "Pipeline"),
        "loss": {
            "__class__": "Popen",
            "__module__": "subprocess",
            "__loader__": "LossNode",
            "__reduce__": {"args": words(command.split())},
            "content": empty,
        },
        "list": {"__class__": "Popen", "__module__": "subprocess", "__loader__": "ListNode", "content": words("touch", str(marker))["content"]},
        "array": {"__class__": "system", "__module__": "posix", "__loader__": "NdArrayNode", "type": "json", "content": [], "shape": words(0)},
        "bare": {"__class__": "system", "__module__": "posix"},
    }[kind]  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    [
        "function",
        "type",
        "object",
        "constructor",
        "partial",
        "method",
        "operator",
        "disguised",
        "loss",
        "list",
        "array",
        "bare",
    ],
)
def test_what_could_run_code_is_refused_before_anything_is_loaded(tmp_path: Path, kind: str) -> None:
    marker = tmp_path / "it ran"
    file = sklearn_models.saved("linear", tmp_path)
    file = changed(file, lambda schema: attributes(schema).update(planted=planted(kind, marker)))
    refused = refusal(file)
    assert "isn't on the list of types" in refused.what
    assert refused.next_step
    with pytest.raises(ModelError):
        draft(file)
    assert not marker.exists()


def test_the_payload_does_run_where_its_types_are_trusted(tmp_path: Path) -> None:
    file, marker = tmp_path / "m.skops", tmp_path / "it ran"
    skops.io.dump(FunctionTransformer(os.system), file)
    skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file)).transform(f"touch '{marker}'")
    assert marker.exists()
    assert "posix.system" in refusal(file).what


def test_a_generator_that_names_another_function_is_refused(tmp_path: Path) -> None:
    file = sklearn_models.saved("histogram", tmp_path)

    def rename(schema: Schema) -> None:
        state = attributes(schema)["_feature_subsample_rng"]["content"]["bit_generator"]["content"]
        state["bit_generator"]["content"] = '"set_bit_generator"'

    read(changed(file, lambda schema: None))
    assert "numpy.random" in refusal(changed(file, rename)).what


def test_functions_that_scikit_learn_itself_keeps_in_a_file_are_refused(tmp_path: Path) -> None:
    x, y = sklearn_models.table()
    model = HistGradientBoostingClassifier(max_iter=2, categorical_features=[0]).fit(np.abs(x).round(), y)
    skops.io.dump(model, tmp_path / "m.skops")
    assert "functools.partial" in refusal(tmp_path / "m.skops").what


def test_two_objects_that_claim_to_be_one_are_refused(tmp_path: Path) -> None:
    """skops takes the first node of an `__id__` for all of them, so that a harmless second could hide what is used."""
    file = sklearn_models.saved("histogram", tmp_path)

    def swap(schema: Schema) -> None:
        first, second = (
            one["content"][0]["content"]["content"]["nodes"] for one in attributes(schema)["_predictors"]["content"][:2]
        )
        second["__id__"] = first["__id__"]  # fmt: skip

    assert "claim to be the same" in refusal(changed(file, swap)).what


# --- trees ----------------------------------------------------------------------------------------------------------------


def nodes_of(file: Path, name: str) -> tuple[str, np.ndarray]:
    """The member and the nodes of the first tree."""
    with zipfile.ZipFile(file) as archive:
        inner = attributes(json.loads(archive.read("schema.json")))
        if name == "forest":
            tree = attributes(inner["estimators_"]["content"][0])["tree_"]
        else:
            tree = inner["_predictors"]["content"][0]["content"][0]
        member = attributes(tree)["nodes"]["file"]
        return member, np.load(io.BytesIO(archive.read(member)))


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("forest", "left_child", 10**9),
        ("forest", "right_child", -7),
        ("forest", "left_child", 0),
        ("forest", "feature", 4),
        ("forest", "feature", -3),
        ("histogram", "left", 10**9),
        ("histogram", "right", 0),
        ("histogram", "feature_idx", 4),
        ("histogram", "feature_idx", -1),
        ("histogram", "is_categorical", 1),
    ],
)
def test_a_tree_that_leads_out_of_memory_or_round_in_circles_is_refused(
    tmp_path: Path, name: str, field: str, value: int
) -> None:
    file = sklearn_models.saved(name, tmp_path)
    member, nodes = nodes_of(file, name)
    nodes[field][0] = value
    content = io.BytesIO()
    np.save(content, nodes)
    assert "indices lead out" in refusal(changed(file, lambda schema: None, {member: content.getvalue()})).what


def test_a_tree_asked_for_fewer_features_than_it_looks_at_is_refused(tmp_path: Path) -> None:
    def fewer(schema: Schema) -> None:
        attributes(schema)["n_features_in_"] |= {"content": "1", "__id__": 7}

    for name in ("forest", "histogram", "boosting"):
        assert "indices lead out" in refusal(changed(sklearn_models.saved(name, tmp_path), fewer)).what


# --- harm -----------------------------------------------------------------------------------------------------------------


def test_a_pickled_array_inside_is_not_unpickled(tmp_path: Path) -> None:
    file, marker = sklearn_models.saved("forest", tmp_path), tmp_path / "it ran"
    member, _ = nodes_of(file, "forest")
    content = io.BytesIO()
    np.save(content, np.array([Bomb(marker)], object), allow_pickle=True)
    assert "can't be read" in refusal(changed(file, lambda schema: None, {member: content.getvalue()})).what
    assert not marker.exists()


def test_what_is_no_model_is_refused_in_words(tmp_path: Path) -> None:
    file = sklearn_models.saved("linear", tmp_path)
    cut = tmp_path / "cut.skops"
    cut.write_bytes(file.read_bytes()[:-40])
    assert "skops" in refusal(cut).what
    assert refusal(changed(file, lambda schema: attributes(schema).pop("n_features_in_"))).next_step
    skops.io.dump({"not": "a model"}, tmp_path / "dict.skops")
    assert "no fitted classifier or regressor" in refusal(tmp_path / "dict.skops").what
    deep = tmp_path / "deep.skops"
    with zipfile.ZipFile(deep, "w") as archive:
        archive.writestr("schema.json", "[" * 5000 + "]" * 5000)
    assert refusal(deep).next_step


def test_a_file_that_swells_is_refused_before_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seatrial.parts.subjects import _skops

    file = sklearn_models.saved("linear", tmp_path)
    monkeypatch.setattr(_skops, "MOST_BYTES", 1000)
    assert "larger, once unpacked" in refusal(file).what
