"""What stands before and after the model within the clock: the same rows, the same answers, and it is said."""

import numpy as np
import pytest
from small_study import STUDY, make

from seatrial.contracts.messages import Order
from seatrial.contracts.study import Input, Model
from seatrial.flow import _inputs, processing
from seatrial.flow import study as flow
from seatrial.flow.publish import render

MODEL = Model(
    forms={"onnx": {"path": "m.onnx"}},
    task="classification",
    inputs={
        "x": {
            "columns": "x",
            "layout": {"stored": "HWC", "model": "CHW"},
            "scale": {"divide": 255, "mean": [0.1, 0.2, 0.3], "std": 0.5},
        }
    },
    outputs={"y": {"means": "logits"}},
)


class Sees:
    """A session that keeps what it is given, and answers with the mean of each channel."""

    def predict(self, values):
        self.seen = values
        return {"y": values["x"].mean(axis=(2, 3))}


def test_a_load_drives_rows_as_stored_and_the_session_gets_them_ready():
    session, rows = Sees(), np.random.default_rng(0).integers(0, 256, (3, 5, 4, 3), dtype=np.uint8)
    driven = processing.within(session, Order(order="block", settings=processing.asked(MODEL)))
    answers = driven.predict({"x": rows})
    expected = (rows.transpose(0, 3, 1, 2) / 255 - np.array([0.1, 0.2, 0.3]).reshape(3, 1, 1)) / 0.5
    assert session.seen["x"].dtype == np.float32
    assert session.seen["x"] == pytest.approx(expected, abs=1e-6)
    assert np.array_equal(session.seen["x"], _inputs.ready(Input.model_validate(MODEL.inputs["x"]), rows, "x"))
    assert answers["probabilities"].sum(axis=1) == pytest.approx(1.0), "logits have become probabilities"


def test_without_the_word_a_load_drives_the_session_itself():
    session = Sees()
    assert processing.within(session, Order(order="block", settings={"cores": [0]})) is session


def of(dossier, what):
    return [one for one in dossier.findings if one.what == what and one.value is not None and not one.slice]


def test_a_study_says_it_measures_it_apart_and_answers_the_same(tmp_path):
    inside = STUDY.replace("measure: {", "measure: {processing: inside, ", 1)
    assert inside != STUDY
    outside = flow.run(make(tmp_path, STUDY))
    dossier = flow.run(make(tmp_path, inside))
    assert dossier.run.measured, "other figures than those without it"
    assert {processing.SAID in one.method for one in of(dossier, "throughput")} == {True}
    assert {processing.SAID in one.method for one in of(outside, "throughput")} == {False}
    assert "is within the clock" in " ".join(render(dossier, "html").split())
    assert "is outside the clock" in " ".join(render(outside, "html").split())
    assert not [one for one in dossier.findings if one.what == "run" and "otherwise" in one.note]
    assert [one.value for one in of(dossier, "accuracy")] == [one.value for one in of(outside, "accuracy")]
    assert flow.run(make(tmp_path, inside)).run.measured == 0
