"""Privacy in real runs: an overfitted model is found out, one that never saw the rows isn't; who may not be asked isn't."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import seatrial
from seatrial.contracts.confiding import Permission, Privacy
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.study import Data
from seatrial.flow.privacy_leave import refusal
from seatrial.flow.privacy_rows import halves

NET = """\
import torch

def net():
    return torch.nn.Sequential(torch.nn.Linear(20, 48), torch.nn.ReLU(), torch.nn.Linear(48, 3))
"""
LEAVE = "permitted: {owner: Harbour Ltd, dated: 2026-11-01, words: These rows were made up and may be tried.}"
RECIPE = 'trainer: {torch_module: {module: "net.py:net", optimiser: adam, learning_rate: 0.005}}, epochs: 60, batch: 50, shadows: 16'  # fmt: skip
STUDY = """\
schema: 1
name: told
models:
  net: &net
    forms: {onnx: {path: net.onnx}}
    task: classification
    inputs: {x: {columns: [COLUMNS]}}
    outputs: {logits: {means: logits, classes: [red, green, blue]}}
  other:
    <<: *net
    forms: {onnx: {path: other.onnx}}
data:
  rows: {from: {npz: {path: rows.npz}}, label: label, roles: {column: role}}
candidates:
  - {model: [net, other], runtime: onnxruntime, batch: 64}
  - {model: net, runtime: onnxruntime, variant: int8_dynamic, batch: 64}
reference: {model: net, variant: as_is}
measure: {loads: [], meters: [], rounds: 1, privacy: {PRIVACY}}
reports: [json, html]
"""
MEMBERS, OUTSIDERS = 400, 600
COLUMNS = [f"c{number}" for number in range(20)]
METHODS = "methods: [loss_threshold, lira, rmia, {model_extraction: {steps: 150}}, {model_inversion: {steps: 20, pairs: 10}}, attribute_inference], attribute: c0, budgets: [30, 250, 9000]"  # fmt: skip


def trained(folder: Path, x: Any, y: Any, name: str) -> None:
    """A network that learnt these rows by heart, as ONNX."""
    import torch

    torch.manual_seed(77)
    torch.set_num_threads(1)
    net = torch.nn.Sequential(torch.nn.Linear(20, 48), torch.nn.ReLU(), torch.nn.Linear(48, 3))
    fit = torch.optim.Adam(net.parameters(), 0.005)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(60):
        for rows in torch.randperm(len(y)).split(50):
            fit.zero_grad()
            torch.nn.functional.cross_entropy(net(inputs[rows]), labels[rows]).backward()
            fit.step()
    kept = {f"{kind}{at}": value.detach().numpy() for at in (0, 2) for kind, value in (("w", net[at].weight.T.contiguous()), ("b", net[at].bias))}  # fmt: skip
    nodes = [
        helper.make_node("Gemm", ["x", "w0", "b0"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "w2", "b2"], ["logits"]),
    ]
    ends = [helper.make_tensor_value_info(one, TensorProto.FLOAT, ["rows", size]) for one, size in (("x", 20), ("logits", 3))]  # fmt: skip
    graph = helper.make_graph(nodes, name, ends[:1], ends[1:], [numpy_helper.from_array(v, k) for k, v in kept.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / f"{name}.onnx")  # fmt: skip


def study(folder: Path, privacy: str, alone: bool = False) -> Path:
    """`net` learnt the members; `other` learnt rows that nobody asks about; `alone`: the former by itself, as it is."""
    rng = np.random.default_rng(1)
    rows = MEMBERS + OUTSIDERS
    x = rng.normal(size=(rows + MEMBERS, 20)).astype(np.float32)
    x[:, 0] = np.sign(x[:, 0])
    y = (x @ rng.normal(size=(20, 3)) + rng.normal(scale=6, size=(rows + MEMBERS, 3))).argmax(axis=1)
    role = np.repeat(["train", "confirm"], [MEMBERS, OUTSIDERS])
    np.savez(
        folder / "rows.npz",
        label=y[:rows],
        role=role,
        person=np.arange(rows),
        **dict(zip(COLUMNS, x[:rows].T, strict=True)),
    )
    trained(folder, x[:MEMBERS], y[:MEMBERS], "net")
    if not alone:
        trained(folder, x[rows:], y[rows:], "other")
    (folder / "net.py").write_text(NET)
    file = folder / "study.yaml"
    text = STUDY.replace("[net, other]", "net").replace("  - {model: net, runtime: onnxruntime, variant: int8_dynamic, batch: 64}\n", "") if alone else STUDY  # fmt: skip
    file.write_text(text.replace("{PRIVACY}", f"{{{privacy}}}").replace("COLUMNS", ", ".join(COLUMNS)))
    return file


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dossier]:
    file = study(tmp_path_factory.mktemp("told"), f"{LEAVE}, {RECIPE}, {METHODS}")
    return file, seatrial.run(file)


def found(dossier: Dossier, what: str, **at: Any) -> dict[str, Finding]:
    """By the candidate's label."""
    labels = {one.id: one.label for one in dossier.candidates}
    return {labels[one.candidate]: one for one in dossier.findings if one.what == what and one.at.items() >= at.items()}


def test_an_overfitted_model_is_found_out_and_one_that_never_saw_the_rows_is_not(told):
    rates = {name: found(told[1], "privacy.tpr", method=name, fpr=0.01) for name in ("lira", "loss_threshold", "rmia")}
    for name, by in rates.items():
        for label, one in by.items():
            if label.startswith("other"):
                assert one.low <= 0.01 <= one.high, f"{name}: {one.value}"
            elif name == "lira":
                assert one.low > 0.01, f"{label}: {one.low}"
                assert one.low > rates["loss_threshold"][label].value
    apart = found(told[1], "privacy.auc", method="lira")
    assert all(one.low > 0.7 for label, one in apart.items() if label.startswith("net"))
    assert all(one.low <= 0.5 <= one.high for label, one in apart.items() if label.startswith("other"))


def test_it_says_both_rates_how_many_were_members_and_what_cannot_be_resolved(told):
    for one in found(told[1], "privacy.tpr", method="lira", fpr=0.01).values():
        assert "400 members and 600 outsiders" in one.note
        assert "40.0% were members" in one.note
    for one in found(told[1], "privacy.fpr", method="lira", fpr=0.01).values():
        assert one.value == 0.01
        assert one.low < 0.01 < one.high
    for one in found(told[1], "privacy.tpr", fpr=0.001).values():
        assert one.state is State.TOO_FEW
        assert "600 outsiders are too few for a rate of 0.001, which needs" in one.note
    (shadows,) = [one for one in told[1].findings if one.what == "privacy.shadows" and one.at["model"] == "net"]
    assert shadows.value == 16
    assert "in one pass" in shadows.note


def test_the_quantised_model_is_held_against_the_float_one_on_the_same_rows(told):
    for what in ("privacy.tpr.change", "privacy.auc.change"):
        changes = found(told[1], what, method="lira")
        assert [label for label in changes if label.startswith("net")]
        for label, one in changes.items():
            assert one.low <= one.value <= one.high
            if "int8" in label:
                assert abs(one.value) < 0.1
    assert not [label for label in found(told[1], "privacy.auc.change") if label == told[1].reference().label]


def test_a_value_is_guessed_against_an_imputer_that_never_saw_the_model(told):
    """The network that learnt the members by heart gives their value away; the other one has no more of them than of outsiders."""
    gains = {rows: found(told[1], "privacy.attribute.gain", rows=rows) for rows in ("members", "outsiders")}
    imputed = found(told[1], "privacy.attribute.imputed", rows="members")
    guessed = found(told[1], "privacy.attribute.guessed", rows="members")
    assert {one.value for label, one in imputed.items() if label.startswith("net")} == {
        next(iter(imputed.values())).value
    }
    for label, one in gains["members"].items():
        assert one.at["column"] == "c0"
        assert one.value == pytest.approx(guessed[label].value - imputed[label].value)
        assert one.low <= one.value <= one.high
    mine = [label for label in gains["members"] if label.startswith("net")]
    assert all(gains["members"][label].low > 0 for label in mine)
    assert all(gains["members"][label].value > gains["outsiders"][label].value for label in mine)
    assert [label for label in found(told[1], "privacy.attribute.gain.change") if "int8" in label]


def test_a_copy_gets_better_with_what_is_bought_and_no_more_is_bought_than_there_are_rows(told):
    few, many = (found(told[1], "privacy.extraction.agreement", queries=budget) for budget in (30, 250))
    assert not found(told[1], "privacy.extraction.agreement", queries=9000), "there are 300 rows to ask with"
    for label, one in many.items():
        assert few[label].value < one.value
        assert one.n == 300
        assert "most frequent class alone" in one.note
    drawn = found(told[1], "privacy.inversion.likeness")
    assert all(one.n == 3 and -1 <= one.value <= 1 for one in drawn.values())


def test_nothing_is_asked_twice_and_nothing_of_single_rows_is_kept(told):
    file, dossier = told
    again = seatrial.run(file)
    assert again.run.measured == 0
    assert {one.key: one.value for one in again.findings if one.what.startswith("privacy")} == {one.key: one.value for one in dossier.findings if one.what.startswith("privacy")}  # fmt: skip
    assert not list(file.parent.rglob("memberships.csv"))
    longest = max(len(value) for one in dossier.findings for value in [json.dumps(one.model_dump(mode="json"))])
    assert longest < 5000, "a finding that speaks of a thousand rows would be longer"
    for path in (file.parent / ".seatrial" / "arrays").glob("*.npy"):
        kept = np.load(path)
        assert kept.dtype.kind != "f" or kept.ndim > 1 or len(kept) < 20, f"{path.name}: one number a row, {kept.shape}"


def test_without_a_recipe_the_baseline_alone_is_tried(tmp_path: Path):
    tried = "methods: [loss_threshold, lira, attribute_inference, model_extraction], rates: 0.05, budgets: 9000"
    file = study(tmp_path, f"{LEAVE}, {tried}", alone=True)
    file.write_text(file.read_text().replace("roles: {column: role}", "roles: {column: role}, group: person"))
    dossier = seatrial.run(file)
    assert all("rows come in groups" in one.note for one in found(dossier, "privacy.tpr", method="loss_threshold").values())  # fmt: skip
    assert all(one.value is not None for one in found(dossier, "privacy.tpr", method="loss_threshold").values())
    for what, said in (("privacy.attribute.gain", "names no column"), ("privacy.extraction.agreement", "fewer than")):
        for one in found(dossier, what).values():
            assert said in one.note
    for one in found(dossier, "privacy.tpr", method="lira").values():
        assert one.value is None
        assert "measure.privacy.trainer" in one.note


def test_single_rows_are_told_where_they_are_asked_for(tmp_path: Path):
    file = study(
        tmp_path, f"{LEAVE}, methods: [loss_threshold], memberships: true, members: 100, outsiders: 200", alone=True
    )
    dossier = seatrial.run(file)
    (said,) = [one for one in dossier.findings if one.what == "privacy.memberships"]
    lines = (tmp_path / ".seatrial" / "runs" / dossier.run.id / "memberships.csv").read_text().splitlines()
    assert said.value == len(lines) - 1 == 300
    rows = [line.rsplit(",", 3)[1:] for line in lines[1:]]
    assert sum(role == "train" for role, _, _ in rows) == 100
    assert len({(role, number) for role, number, _ in rows}) == 300
    again = seatrial.run(file)
    assert (tmp_path / ".seatrial" / "runs" / again.run.id / "memberships.csv").exists(), "it is asked anew"


def test_without_leave_nothing_is_tried(tmp_path: Path):
    dossier = seatrial.run(study(tmp_path, RECIPE, alone=True))
    every = [one for one in dossier.findings if one.what.startswith("privacy")]
    assert {one.what for one in every} == {"privacy.tpr"}
    assert all(one.state is State.REFUSED and "no leave" in one.note for one in every)
    assert not list((tmp_path / ".seatrial" / "logs").rglob("*shadows*"))


# --- whose leave there is ---------------------------------------------------------------------------------------------------


def asked_of(folder: Path, leave: bool = True, **stated: Any) -> str:
    """Whether rows may be asked about whose owner states this in a file beside them."""
    text = "\n".join(f"{name}: {value}" for name, value in stated.items())
    (folder / "lineage.yaml").write_text(f"description: rows\n{text}\n")
    (folder / "rows.npz").write_bytes(b"")
    permitted = Permission(owner="me", dated=datetime.date(2026, 1, 1), words="You may try it as you like.")
    data = Data.model_validate({"from": {"npz": {"path": "rows.npz"}}, "label": "label"})
    return refusal(SimpleNamespace(data={"rows": data}), folder, Privacy(permitted=permitted if leave else None))


def test_what_is_stated_beside_the_rows_is_respected(tmp_path: Path):
    assert asked_of(tmp_path) == ""
    assert asked_of(tmp_path, privacy_tests="allowed") == ""
    assert "nobody may try" in asked_of(tmp_path, privacy_tests="never")
    assert "had to be gone" in asked_of(tmp_path, delete_after="2020-01-01")
    assert asked_of(tmp_path, delete_after="2999-01-01") == ""
    assert "consent" in asked_of(tmp_path, personal="names and ages")
    assert asked_of(tmp_path, personal="names and ages", consent="they agreed to tests") == ""
    assert asked_of(tmp_path, personal="none") == ""
    assert "no leave" in asked_of(tmp_path, leave=False)


def test_the_census_people_of_the_examples_are_never_asked_about(tmp_path: Path):
    example = Path(__file__).parents[2] / "examples" / "employment"
    data = Data.model_validate({"from": {"parquet": {"path": str(example / "rows.parquet")}}, "label": "employed"})
    permitted = Permission(owner="me", dated=datetime.date(2026, 1, 1), words="You may try it as you like.")
    why = refusal(SimpleNamespace(data={"rows": data}), tmp_path, Privacy(permitted=permitted))
    assert "nobody may try" in why


def test_every_row_is_in_half_of_the_shadows_and_every_shadow_has_half_of_the_rows():
    made = halves(6, 40, 1)
    assert (made.sum(axis=0) == 3).all()
    assert (made.sum(axis=1) == 20).all()
    assert not np.array_equal(made[0], made[2])
