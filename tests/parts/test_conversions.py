"""Conversions: what comes out is the same model, and what can't be converted is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import sklearn_models
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from threadpoolctl import threadpool_limits

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making, Setting
from seatrial.errors import ModelError, Unsupported
from seatrial.testing import conversions


def read(file: Path) -> Artefact:
    part = catalog.find("subjects", "sklearn")
    return catalog.load(part).read(catalog.options(part, {"path": file.name}), file.parent)


def convert(artefact: Artefact, folder: Path, **options: object) -> Artefact:
    part = catalog.find("conversions", "sklearn_to_onnx")
    return catalog.load(part).convert(artefact, Making(folder, 0), catalog.options(part, options))


def answers(runtime: str, artefact: Artefact, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    part = catalog.find("runtimes", runtime)
    session = catalog.load(part).open(artefact, Setting(), catalog.options(part))
    try:
        return session.predict(values)
    finally:
        session.close()


@pytest.mark.parametrize("name", list(catalog.parts("conversions")))
def test_exam(name: str) -> None:
    part = catalog.find("conversions", name)
    if gone := catalog.absent(part):
        pytest.skip(f"{', '.join(gone)} isn't installed")
    conversions.exam(part)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("fields['hashes'] = {'model': '0' * 64}", "isn't its SHA-256"),
        ("fields['format'] = 'torch'", "declares"),
        ("fields['lineage'] = made.lineage", "names the recipe"),
        ("fields['signature'] = made.signature.model_copy(update={'outputs': ()})", "the outputs are"),
        ("(folder / 'left').write_text('')", "behind"),
        ("perturb(file)", "off by"),
        ("import secrets; stamp(file, secrets.token_hex())", "the results differ"),
    ],
)
def test_exam_finds_what_is_wrong(tmp_path: Path, line: str, complaint: str) -> None:
    (tmp_path / "planted.py").write_text(PLANTED.replace("LINE", line))
    with pytest.raises(AssertionError, match=complaint):
        conversions.exam(catalog.find("conversions", "./planted.py", tmp_path))


PLANTED = '''"""A conversion with a planted fault."""
import hashlib, importlib
import onnx
from seatrial.contracts.part import PartOptions
NEEDS = ("skl2onnx",)
ACCEPTS = {"format": ("skops",)}
GIVES = {"format": ("onnx",)}
class Options(PartOptions): pass
honest = importlib.import_module("seatrial.parts.conversions.sklearn_to_onnx")
def perturb(file):
    model = onnx.load(file)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "coefficients": attribute.floats[0] += 0.5
    onnx.save(model, file)
def stamp(file, word):
    model = onnx.load(file); model.doc_string = word; onnx.save(model, file)
def convert(artefact, making, options):
    made = honest.convert(artefact, making, honest.Options())
    folder, file = making.folder, making.folder / "model.onnx"
    fields = {"lineage": made.lineage.model_copy(update={"recipe": "planted", "options": {}})}
    LINE
    fields.setdefault("hashes", {"model": hashlib.sha256(file.read_bytes()).hexdigest()})
    return made.model_copy(update=fields)
'''


@pytest.mark.parametrize("name", sklearn_models.NAMES)
def test_onnx_answers_as_scikit_learn_does(tmp_path: Path, name: str) -> None:
    artefact, values = read(sklearn_models.saved(name, tmp_path)), sklearn_models.values(name)
    made = convert(artefact, tmp_path / "made")
    native, got = answers("sklearn", artefact, values), answers("onnxruntime", made, values)
    model = sklearn_models.fitted(name)
    rows = sklearn_models.people().drop(columns="loan") if "people" in name else values["X"]
    with threadpool_limits(1):
        right = model.predict_proba(rows) if hasattr(model, "predict_proba") else model.predict(rows)[:, None]
    (output,) = native
    assert native[output] == pytest.approx(right, abs=1e-6)
    assert got[output] == pytest.approx(right, abs=5e-6)
    assert (list(got), got[output].dtype, got[output].shape) == ([output], native[output].dtype, native[output].shape)


def test_what_is_made_is_a_sound_file_that_says_what_the_model_said(tmp_path: Path) -> None:
    artefact = read(sklearn_models.saved("people", tmp_path))
    made = convert(artefact, tmp_path / "made", opset=18)
    part = catalog.find("subjects", "onnx")
    again = catalog.load(part).read(catalog.options(part, {"path": made.files["model"]}), tmp_path)
    assert again.signature == artefact.signature == made.signature
    versions = {one.domain: one.version for one in onnx.load(made.files["model"]).opset_import}
    assert versions[""] <= 18


def test_an_unknown_category_and_an_empty_word_are_answered_alike(tmp_path: Path) -> None:
    artefact, values = read(sklearn_models.saved("people", tmp_path)), sklearn_models.values("people")
    values["job"][:3, 0], values["town"][3:6, 0] = "astronaut", ""
    native, got = (
        answers(runtime, one, values)["probabilities"]
        for runtime, one in (("sklearn", artefact), ("onnxruntime", convert(artefact, tmp_path / "made")))
    )
    assert got == pytest.approx(native, abs=1e-6)


def test_what_has_no_converter_is_refused_with_the_reason(tmp_path: Path) -> None:
    model = make_pipeline(
        ColumnTransformer(
            [
                (
                    "town",
                    make_pipeline(SimpleImputer(strategy="most_frequent", add_indicator=True), OneHotEncoder()),
                    ["town"],
                )
            ]
        ),
        LogisticRegression(),
    )
    frame = sklearn_models.people()
    frame.loc[0, "town"] = np.nan
    skops.io.dump(model.fit(frame, frame["loan"]), tmp_path / "m.skops")
    with pytest.raises(Unsupported, match="skl2onnx can't convert this model: NotImplementedError") as refused:
        convert(read(tmp_path / "m.skops"), tmp_path / "made")
    assert refused.value.next_step


def test_splits_by_sets_of_categories_are_refused_because_they_would_be_dropped(tmp_path: Path) -> None:
    model = sklearn_models.fitted("histogram")
    tree = model._predictors[0][0]
    tree.nodes["is_categorical"][0], tree.nodes["bitset_idx"][0] = 1, 0
    tree.raw_left_cat_bitsets = np.ones((1, 8), np.uint32)
    skops.io.dump(model, tmp_path / "m.skops")
    with pytest.raises(Unsupported, match="sets of categories"):
        convert(read(tmp_path / "m.skops"), tmp_path / "made")


def test_a_file_that_changed_after_it_was_read_is_not_loaded(tmp_path: Path) -> None:
    file = sklearn_models.saved("logistic", tmp_path)
    artefact = read(file)
    sklearn_models.saved("forest", tmp_path).replace(file)
    with pytest.raises(ModelError, match="has changed"):
        convert(artefact, tmp_path / "made")
    with pytest.raises(ModelError, match="has changed"):
        answers("sklearn", artefact, sklearn_models.values("logistic"))
