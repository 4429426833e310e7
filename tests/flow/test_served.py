"""A model on a server of the Open Inference Protocol, in a process of its own, against the file that it serves: whole studies."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_study import make

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, Origin, State
from seatrial.contracts.progress import Event
from seatrial.flow import forms
from seatrial.flow import study as flow
from seatrial.testing import v2_server
from seatrial.testing._endpoint import reply

STUDY = """\
schema: 1
name: served
models:
  linear:
    forms:
      onnx: {path: linear.onnx}
      remote_v2: {url: 'URL', timeout: 2}
    task: classification
    inputs: {x: {columns: x}}
    outputs: {logits: {means: logits, classes: [red, green, blue]}}
data:
  evaluation: {from: {npz: {path: rows.npz}}, label: label, roles: confirm}
candidates:
  - {runtime: onnxruntime, batch: 8}
  - {runtime: [{remote_v2: {tensors: json}}, {remote_v2: {tensors: binary}}], batch: 8}
reference: {runtime: onnxruntime}
measure: {loads: [{offline: {seconds: 0.05}}], rounds: 2, meters: [throughput, memory, network], metrics: [accuracy, drop, flips]}
reports: [json]
"""


def found(dossier: Dossier, tensors: str) -> dict[str, Finding]:
    (id_,) = [one.id for one in dossier.candidates if one.candidate.runtime.options.get("tensors", "") == tensors]
    return {finding.what: finding for finding in dossier.findings if finding.candidate == id_}


def lost(dossier: Dossier) -> list[Finding]:
    return [finding for finding in dossier.findings if finding.what == "run" and finding.candidate]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """The study, and the process that serves its model."""
    file = make(tmp_path, STUDY)
    command = [sys.executable, "-m", "seatrial.testing.v2_server", str(tmp_path / "linear.onnx"), "--name", "linear"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1]
        file.write_text(STUDY.replace("URL", url))
        yield file, server
        server.kill()


def test_a_served_model_agrees_with_its_file_and_the_network_is_told_apart(process: tuple[Path, Any]) -> None:
    file, _ = process
    dossier = flow.run(file)
    assert not lost(dossier)
    (same,) = [finding for finding in dossier.findings if finding.what == "forms.difference"]
    assert same.state is State.OK
    for tensors in ("json", "binary"):
        served = found(dossier, tensors)
        assert served["flips"].value == 0
        assert (served["executed.device"].value, served["executed.precision"].value) == ("remote", "unknown")
        assert "end to end" in served["throughput"].method
        assert "URL" in served["memory.peak"].note
        assert served["network.time"].origin is Origin.ESTIMATED
        assert served["network.time"].number > 0
        assert 0 < served["network.share"].number <= 1
        assert "round trip of an empty request" in served["network.share"].method
    here = found(dossier, "")
    assert here["network.share"].state is State.UNSUPPORTED
    assert here["throughput"].value is not None


def test_a_server_that_is_killed_on_the_way_is_a_finding_and_the_others_go_on(process: tuple[Path, Any]) -> None:
    file, server = process

    def kill(event: Event) -> None:
        if event.stage == "round" and event.done >= 3:
            server.kill()

    dossier = flow.run(file, watch=kill)
    ended = lost(dossier)
    assert {one.state for one in ended} == {State.FAILED}
    assert all("connection to" in one.note for one in ended)
    assert found(dossier, "")["throughput"].value is not None


@pytest.fixture
def here(tmp_path: Path) -> Iterator[tuple[Path, v2_server.ServerV2]]:
    """The study and its server in this process, where faults can be planted."""
    file = make(tmp_path, STUDY)
    server = v2_server.of_onnx(str(tmp_path / "linear.onnx"), "linear")
    file.write_text(STUDY.replace("URL", server.url).replace("rounds: 2", "rounds: 1"))
    yield file, server
    server.close()


def test_a_server_that_states_its_time_gives_a_measured_share(here: tuple[Path, v2_server.ServerV2]) -> None:
    file, server = here
    server.states = "header"
    dossier = flow.run(file)
    for tensors in ("json", "binary"):
        assert found(dossier, tensors)["network.share"].origin is Origin.MEASURED
        assert found(dossier, tensors)["flips"].value == 0


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        ("slow", "gave no answer within 2 s"),
        ("error", "the device was lost"),
        ("not ready", "isn't ready"),
        ("name", "did you mean `logit`"),
    ],
)
def test_what_a_server_does_wrong_is_a_finding_with_words(here: tuple[Path, v2_server.ServerV2], plant: str, words: str) -> None:  # fmt: skip
    file, server = here

    def late(handler: Any, body: bytes) -> bool:
        if len(server.requests) > 60:
            if plant == "slow":
                time.sleep(2.5)
            reply(handler, b'{"error": "the device was lost"}', 500)
            return True
        return False

    if plant in ("slow", "error"):
        server.fault = late
    elif plant == "name":
        server.outputs = {"logit": server.outputs["logits"]}
    else:
        server.health["ready"] = 503
    dossier = flow.run(file)
    told = [one for one in dossier.findings if one.origin is Origin.MISSING and words in f"{one.note} {one.method}"]
    assert told
    assert {one.state for one in lost(dossier)} == {State.FAILED}
    assert found(dossier, "")["throughput"].value is not None


def test_a_server_that_serves_another_model_is_refused(here: tuple[Path, v2_server.ServerV2]) -> None:
    file, server = here
    honest = server.model
    server.model = lambda values: {name: answer + 0.5 for name, answer in honest(values).items()}
    dossier = flow.run(file)
    assert {one.state for one in lost(dossier)} == {State.REFUSED}
    assert all("is not the same model" in one.note for one in lost(dossier))
    assert found(dossier, "")["throughput"].value is not None


def test_a_server_that_answers_wrongly_from_some_moment_on_is_found_out(here: tuple[Path, v2_server.ServerV2]) -> None:
    """It was the same model when it was compared, and is another one when it is measured."""
    file, server = here
    honest = server.model

    def turned(values: Any) -> Any:
        answers = honest(values)
        late = len(server.requests) > 60
        return {name: np.roll(answer, 1, axis=1) if late else answer for name, answer in answers.items()}

    server.model = turned
    dossier = flow.run(file)
    for tensors in ("json", "binary"):
        assert found(dossier, tensors)["flips"].value == 1.0
        assert found(dossier, tensors)["accuracy"].value < found(dossier, "")["accuracy"].value
    assert found(dossier, "")["throughput"].value is not None


def test_outputs_that_one_form_alone_gives_hinder_no_comparison_unless_the_study_names_them() -> None:
    one, other = {"logits": 1, "label": 2, "both": 3}, {"logits": 4, "both": 5, "more": 6}
    assert forms._without_extras(one, other, ["logits"]) == [{"logits": 1, "both": 3}, {"logits": 4, "both": 5}]
    kept = forms._without_extras(one, other, ["logits", "label"])
    assert kept == [{"logits": 1, "label": 2, "both": 3}, {"logits": 4, "both": 5}], "what is named must be in both"
