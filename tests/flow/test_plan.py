"""Planning: what is asked for, less what can't be, each with its reason; and exactly one reference."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seatrial.contracts.candidate import PartRef
from seatrial.contracts.plan import Plan
from seatrial.contracts.study import Study
from seatrial.errors import StudyError
from seatrial.flow.plan import make_plan
from seatrial.flow.read import Source

PARTS = {
    # subjects
    "paper.py": 'GIVES = {"format": ("paper",)}',
    "stone.py": 'GIVES = {"format": ("stone",)}',
    "rare.py": 'GIVES = {"format": ("rare",)}\nNEEDS = ("no_such_package",)',
    # variants
    "folded.py": 'ACCEPTS = {"format": ("paper",)}\nGIVES = {"format": ("paper",)}',
    "burnt.py": 'ACCEPTS = {"format": ("paper",)}\nGIVES = {"format": ("ash",)}',
    "fitted.py": 'ACCEPTS = {"rows": ("calibrate",)}',
    "fine.py": 'ACCEPTS = {"precision": ("fp32",)}',
    # runtimes
    "scissors.py": 'ACCEPTS = {"format": ("paper",), "device": ("cpu", "cuda"), "precision": ("fp32", "bf16")}\n'
    'CANNOT = {"int4": ("not yet theirs", "too small to cut")}\n'
    "def absent(device):\n    return None if device == 'cpu' else f'there is no {device} on this machine'",
    "hammer.py": 'ACCEPTS = {"format": ("stone", "paper")}\ndef absent(device):\n    return None',
    "ghost.py": 'NEEDS = ("no_such_package",)\nEXTRA = "ghosts"\ndef absent(device):\n    raise RuntimeError',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with parts of its own."""
    for name, text in PARTS.items():
        (tmp_path / name).write_text(f'"""A part for trying."""\n{text}\n')
    return tmp_path


def source(folder: Path, **changes: Any) -> Source:
    model = {"forms": {"./paper.py": {}}, "task": "classification", "inputs": {}, "outputs": {}}
    content: dict[str, Any] = {
        "name": "try",
        "models": {"net": model},
        "data": {"rows": {"from": "parquet"}},
        "candidates": [{"runtime": "./scissors.py"}],
        "reference": {"runtime": "./scissors.py"},
    }
    return Source(Study.model_validate(content | changes), folder, folder / "study.yaml")


def plan(folder: Path, only: tuple[str, ...] = (), quick: bool = False, **changes: Any) -> Plan:
    return make_plan(source(folder, **changes), only, quick)


def ids(made: Plan) -> list[str]:
    return [one.candidate.id.replace("./", "").replace(".py", "") for one in made.candidates]


def two_models(*forms: str) -> dict[str, Any]:
    model = {"forms": {f"./{form}.py": {} for form in forms}, "task": "classification", "inputs": {}, "outputs": {}}
    return {"big": model, "small": model}


def test_a_grid_is_every_combination_once(folder: Path) -> None:
    grids = [{"runtime": "./scissors.py", "threads": [1, 2], "batch": [1, 8]}, {"runtime": "./scissors.py", "batch": 8}]
    made = plan(folder, candidates=grids, reference={"threads": 1, "batch": 1})
    assert ids(made) == [f"net/as_is/scissors/cpu/fp32/t{t}/b{b}" for t in (1, 2) for b in (1, 8)]


def test_without_a_model_a_grid_means_all(folder: Path) -> None:
    grids = [{"runtime": "./scissors.py"}, {"model": "small", "runtime": "./scissors.py", "batch": 2}]
    made = plan(folder, models=two_models("paper"), candidates=grids, reference={"model": "big"})
    assert [one.split("/")[0] for one in ids(made)] == ["big", "small", "small"]
    assert made.reference.candidate.model == "big"


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        (
            {"runtime": "./ghost.py"},
            "ghost needs no_such_package, which isn't installed: pip install 'seatrial[ghosts]'",
        ),
        ({"runtime": "./scissors.py", "precision": "fp16"}, "doesn't take the precision fp16 (it takes fp32, bf16)"),
        ({"runtime": "./scissors.py", "precision": "int4"}, "precision int4 (not yet theirs: too small to cut)"),
        ({"runtime": "./scissors.py", "device": "npu"}, "doesn't take the device npu"),
        ({"runtime": "./scissors.py", "device": "cuda:1"}, "there is no cuda:1 on this machine"),
        ({"runtime": "./scissors.py", "machine": "attic"}, "doesn't reach the machine `attic`"),
        ({"runtime": "./scissors.py", "instances": 1000}, "1000 instances of 1 threads take 1000 processors"),
        ({"runtime": "./scissors.py", "variant": "./burnt.py"}, "no form of net fits: scissors doesn't take ash"),
        ({"runtime": "./scissors.py", "variant": "./fitted.py"}, "fitted needs rows to calibrate with"),
        (
            {"runtime": "./scissors.py", "variant": "./fine.py", "precision": "bf16"},
            "fine doesn't take the precision bf16",
        ),
    ],
)
def test_what_cannot_be_is_dropped_with_its_reason(folder: Path, grid: dict[str, Any], words: str) -> None:
    made = plan(folder, candidates=[{"runtime": "./scissors.py"}, grid], reference={"variant": "as_is", "precision": "fp32", "runtime": "./scissors.py", "device": "cpu"})  # fmt: skip
    assert len(made.candidates) == 1
    (dropped,) = made.dropped
    assert words in dropped.reason


@pytest.mark.parametrize("roles", ["calibrate", {"draw": {"confirm": 0.5, "calibrate": 0.5}}, {"column": "role"}])
def test_rows_to_calibrate_with(folder: Path, roles: Any) -> None:
    data = {"rows": {"from": "parquet"}, "more": {"from": "parquet", "roles": roles}}
    grids = [{"runtime": "./scissors.py", "variant": ["as_is", "./fitted.py"]}]
    made = plan(folder, data=data, candidates=grids, reference={"variant": "as_is"})
    assert len(made.candidates) == 2


def test_the_form_is_the_one_the_runtime_takes_its_own_first(folder: Path) -> None:
    models = {"net": two_models("paper", "stone", "rare")["big"]}
    grids = [{"runtime": ["./scissors.py", "./hammer.py"]}, {"runtime": "./hammer.py", "variant": "./folded.py"}]
    made = plan(folder, models=models, candidates=grids)
    assert [one.form for one in made.candidates] == ["./paper.py", "./stone.py", "./paper.py"]


def test_a_form_whose_package_is_not_here(folder: Path) -> None:
    (folder / "all.py").write_text('"""Takes all."""\ndef absent(device):\n    return None\n')
    models = two_models("rare") | {"net": two_models("paper")["big"]}
    made = plan(folder, models=models, candidates=[{"runtime": "./all.py"}], reference={"model": "net"})
    assert len(made.candidates) == 1
    assert all("rare needs no_such_package" in one.reason for one in made.dropped)


def test_labels_and_eligibility(folder: Path) -> None:
    grids = [{"runtime": "./scissors.py", "batch": [1, 8]}]
    made = plan(folder, candidates=grids, reference={"batch": 8})
    assert [one.label for one in made.candidates] == ["./scissors.py fp32 b1", "./scissors.py fp32 b8"]
    assert [(one.reference, one.eligible) for one in made.candidates] == [(False, True), (True, False)]
    assert plan(folder, candidates=grids, reference={"batch": 8, "eligible": True}).reference.eligible


def test_levels_hold_for_all_that_are_compared(folder: Path) -> None:
    grids = [{"runtime": "./scissors.py", "batch": [1, 2, 3, 4, 5]}]
    rule = {"at_most": {"what": "size", "bound": 3}}
    assert plan(folder, candidates=grids, reference={"batch": 1}).levels.compared == 1
    levels = plan(folder, candidates=grids, reference={"batch": 1}, require=[rule]).levels
    assert levels.compared == 4
    assert levels.gate == pytest.approx(1 - 2 * 0.05 / 4)
    assert plan(folder, candidates=grids, reference={"batch": 1, "eligible": True}, require=[rule]).levels.compared == 5
    alone = plan(folder, require=[rule])
    assert alone.levels.compared == 1


# --- the reference ---------------------------------------------------------------------------------------------------------


def refused(folder: Path, **changes: Any) -> StudyError:
    with pytest.raises(StudyError) as caught:
        plan(folder, **changes)
    return caught.value


def test_an_ambiguous_reference_is_told_what_would_single_it_out(folder: Path) -> None:
    grids = [{"runtime": "./scissors.py", "batch": [1, 8], "threads": [1, 2]}]
    error = refused(folder, candidates=grids, reference={"threads": 2})
    assert "fits 2 candidates" in error.what
    assert "by batch, as in `batch: 1`" in error.next_step


def test_the_reference_is_told_from_others_by_its_instances(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grid over instances has one of each: which of them is the reference has to be sayable."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    grids = [{"runtime": "./scissors.py", "instances": [1, 2]}]
    error = refused(folder, candidates=grids)
    assert "by instances, as in `instances: 1`" in error.next_step
    made = plan(folder, candidates=grids, reference={"instances": 2})
    assert [one.candidate.instances for one in made.candidates if one.reference] == [2]


def test_an_absent_reference_is_told_the_nearest(folder: Path) -> None:
    grids = [{"runtime": "./scissors.py", "batch": [1, 8]}]
    error = refused(folder, candidates=grids, reference={"batch": 9, "precision": "fp32"})
    assert "no candidate fits the reference" in error.what
    assert "batch is 1" in error.next_step


def test_a_dropped_reference_is_told_why(folder: Path) -> None:
    error = refused(
        folder, candidates=[{"runtime": ["./scissors.py", "./ghost.py"]}], reference={"runtime": "./ghost.py"}
    )
    assert "can't run here: ghost needs no_such_package" in error.what


def test_options_are_part_of_what_the_reference_is(folder: Path) -> None:
    runtimes = [PartRef(name="./scissors.py"), PartRef(name="./scissors.py", options={"sharp": True})]
    made = plan(folder, candidates=[{"runtime": runtimes}], reference={"runtime": "./scissors.py"})
    assert made.reference.candidate.runtime.options == {}


def test_nothing_left(folder: Path) -> None:
    error = refused(folder, candidates=[{"runtime": "./ghost.py", "batch": list(range(1, 20))}])
    assert "none of the 19 candidates can run here" in error.what
    assert len(error.problems) == 19
    assert "seatrial doctor" in error.next_step


def test_a_grid_beyond_measure(folder: Path) -> None:
    grid = {"runtime": "./scissors.py", "batch": list(range(1, 200)), "threads": list(range(1, 200))}
    assert "asks for 39601 candidates" in refused(folder, candidates=[grid]).what


# --- only and quick --------------------------------------------------------------------------------------------------------


def test_only_keeps_what_is_named_and_the_reference(folder: Path) -> None:
    grids = [{"runtime": "./scissors.py", "precision": ["fp32", "bf16"], "batch": [1, 8, 16]}]
    changes: dict[str, Any] = {"candidates": grids, "reference": {"batch": 1, "precision": "fp32"}}
    whole = {one.candidate.id: one.label for one in plan(folder, **changes).candidates}
    for only, count in ((("bf16",), 4), (("*b8",), 3), (("b16", "*bf16 b1"), 4), (("fp32 b1",), 2), ((), 6)):
        made = plan(folder, only, **changes)
        assert len(made.candidates) == count, only
        assert made.reference.candidate.id in {one.candidate.id for one in made.candidates}
        assert all(whole[one.candidate.id] == one.label for one in made.candidates), "labels stay what they were"
    with pytest.raises(StudyError) as caught:
        plan(folder, ("bf17",), **changes)
    assert "bf17" in caught.value.what


def test_quick_takes_three_rounds_and_says_so(folder: Path) -> None:
    made = plan(folder, quick=True, measure={"rounds": {"least": 5, "most": 50}})
    assert (made.rounds, made.quick) == ((3, 3), True)
    assert plan(folder, quick=True, measure={"rounds": 2}).rounds == (2, 2)
    slow = plan(folder, measure={"rounds": {"least": 5, "most": 50}})
    assert (slow.rounds, slow.quick) == ((5, 50), False)
    assert 0 < made.estimate_s < slow.estimate_s


def test_the_estimate_follows_what_loads_say(folder: Path) -> None:
    short, long = (plan(folder, measure={"loads": [{"offline": {"seconds": one}}]}) for one in (1, 3))
    assert long.estimate_s - short.estimate_s == pytest.approx(2 * 5)


def test_a_plan_of_hundreds_loads_no_framework(folder: Path) -> None:
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_plan import plan
folder = Path({str(folder)!r})
model = {{"forms": {{"onnx": {{}}}}, "task": "classification", "inputs": {{}}, "outputs": {{}}}}
grid = {{"runtime": ["onnxruntime", "openvino"], "precision": ["fp32", "bf16"], "batch": list(range(1, 91)), "device": ["cpu", "cuda"]}}
made = plan(folder, models={{"net": model}}, candidates=[grid], reference={{"runtime": "onnxruntime", "batch": 1}})
assert len(made.candidates) >= 90 and made.dropped
heavy = {{"torch", "onnx", "onnxruntime", "openvino", "polars"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_estimate_knows_of_attacks(folder: Path) -> None:
    def seconds(security: dict[str, Any] | None, inputs: dict[str, Any]) -> float:
        models = {"net": two_models("paper")["big"] | {"inputs": inputs}}
        return plan(folder, models=models, measure={"security": security} if security is not None else {}).estimate_s

    numbers, text = {"x": {"columns": "x"}}, {"x": {"columns": "x", "kind": "text"}}
    few, many = ({"rows": rows, "attacks": ["rays"]} for rows in (20, 2000))
    assert seconds(None, numbers) < seconds(few, numbers) < seconds(many, numbers)
    assert seconds(many, text) == seconds(None, text), "that attack changes numbers, and there are none"
    assert seconds({}, numbers) == seconds({"rows": 200}, numbers)


def test_a_search_makes_the_estimate_smaller_the_more_candidates_there_are(folder: Path) -> None:
    wide = [{"runtime": "./scissors.py", "batch": [2**power for power in range(12)]}]
    fixed = {"candidates": wide, "reference": {"batch": 1}}
    every = plan(folder, **fixed).estimate_s
    searched = plan(folder, measure={"search": "halving"}, **fixed).estimate_s
    assert searched < 0.9 * every
    assert plan(folder, measure={"search": "exhaustive"}, **fixed).estimate_s == every
