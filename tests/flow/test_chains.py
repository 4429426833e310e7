"""Variants one after the other: matched by format, each made once, each with its own lineage; wrong chains are told by line."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_study import STUDY, make

import seatrial
from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.errors import StudyError
from seatrial.flow import chains
from seatrial.flow.making import Maker

CHAINED = STUDY.replace("roles: confirm", "roles: {draw: {calibrate: 0.3, confirm: 0.7}}").replace(
    "  - {runtime: onnxruntime, precision: bf16, batch: 8}\n",
    "  - {runtime: onnxruntime, batch: 8, variant: [pruned, pruned+int8_static, {pruned+int8_static: {pruned: {share: 0.5}}}, pruned+recalibrated]}\n",
)


def parts(*names: str) -> list[catalog.PartInfo]:
    return [catalog.find("variants", name) for name in names]


def test_a_chain_reads_as_its_links() -> None:
    ref = PartRef(name="pruned+int8_static", options={"pruned": {"share": 0.5}})
    assert [link.name for link in ref.links] == ["pruned", "int8_static"]
    assert str(ref) == "pruned(share=0.5)+int8_static"
    assert PartRef(name="pruned").links == (PartRef(name="pruned"),)


def test_formats_go_from_link_to_link() -> None:
    onnx, torch = catalog.find("runtimes", "onnxruntime"), catalog.find("runtimes", "torch")
    assert chains.formats(parts("distilled", "int8_static"), "torch", onnx) == ("onnx", "onnx")
    assert chains.formats(parts("distilled"), "torch", torch) == ("torch",)
    assert chains.formats(parts("distilled"), "onnx", onnx) == ("onnx",)
    assert chains.formats(parts("distilled", "int8_static"), "torch", torch) == "torch doesn't take onnx"
    assert "doesn't take torch" in chains.formats(parts("int8_static", "distilled"), "torch", onnx)
    assert "nothing can follow" in chains.formats(parts("recalibrated", "pruned"), "onnx", onnx)
    assert "can follow" in chains.formats(parts("preprocessing", "pruned"), "onnx", onnx)
    assert chains.formats(parts("pruned", "preprocessing", "recalibrated"), "onnx", onnx) == ("onnx",) * 3


def test_a_chain_is_made_link_by_link_and_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ordered: list[str] = []
    honest = Maker._ordered

    def counted(self: Maker, order: object, key: str, *given: object) -> object:
        ordered.append(str(order.part))  # type: ignore[attr-defined]
        return honest(self, order, key, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Maker, "_ordered", counted)
    dossier = seatrial.run(make(tmp_path, CHAINED), quick=True)
    assert sorted(ordered) == ["as_is", "int8_dynamic", "int8_static", "int8_static", "pruned", "pruned(share=0.5)"]
    lines = {
        entry.candidate.id.split("/")[1]: dossier.artefacts[entry.artefact].lineage
        for entry in dossier.candidates
        if entry.artefact
    }
    chained = lines["pruned(share=0.5)+int8_static"]
    assert chained.recipe == "int8_static"
    assert chained.rows_hash
    assert [(one.recipe, one.options["share"], one.rows_hash) for one in chained.earlier] == [("pruned", 0.5, None)]
    assert chained.earlier[0].seconds
    assert chained.earlier[0].seed == chained.seed
    assert not lines["pruned"].earlier
    stepped = next(one for one in dossier.candidates if "+recalibrated" in one.candidate.id)
    assert stepped.artefact
    assert [step.name for step in dossier.artefacts[stepped.artefact].after] == ["recalibrated"]
    page = next(tmp_path.glob(".seatrial/runs/*/report.html")).read_text()
    assert "pruned, then int8_static" in page, "the chain isn't told"
    assert "made by pruned, share 0.5" in page
    ordered.clear()
    seatrial.run(tmp_path / "study.yaml", quick=True)
    assert ordered == [], "what was made is made again"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{pruned+int8_static: {prunned: {share: 0.5}}}", "`prunned` isn't in the chain"),
        ("{pruned+int8_static: {pruned: {shre: 0.5}}}", "`shre` is not known here"),
        ("pruned+int9_static", "int9_static"),
        ("{pruned+int8_static: 5}", "are a block"),
    ],
)
def test_a_wrong_chain_is_told_by_its_line(tmp_path: Path, written: str, told: str) -> None:
    wrong = CHAINED.replace("{pruned+int8_static: {pruned: {share: 0.5}}}", written)
    with pytest.raises(StudyError) as refused:
        seatrial.plan(make(tmp_path, wrong))
    assert told in str(refused.value)
    assert "study.yaml:14" in str(refused.value)
