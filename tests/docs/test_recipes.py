"""Recipes that lie fail: every page of docs/do is carried out, and its other YAML can be read."""

import io
import subprocess

import pytest
import recipes
from recipes import ROOT, blocks, carry_out
from ruamel.yaml import YAML
from small_study import STUDY, make

from seatrial.flow import study as flow

PAGES = sorted(page.name for page in ROOT.glob("docs/do/*.md"))
WITH_A_STUDY = {
    "add-a-metric.md",
    "choose-features.md",
    "drive-it-as-users-do.md",
    "see-what-it-takes.md",
    "evaluate-without-showing.md",
    "compare-features-online-and-offline.md",
    "gate-in-a-pipeline.md",
    "find-the-best-of-many.md",
    "find-the-highest-rate.md",
    "measure-training.md",
    "predict-a-device.md",
    "read-a-run-in-python.md",
    "see-what-it-tells-of-its-rows.md",
    "see-whether-it-can-be-fooled.md",
    "sign-a-run.md",
    "when-a-candidate-fails.md",
    "work-out-capacity-and-cost.md",
}
TIMED = STUDY.replace("[offline]", "[single_stream, offline]").replace("[throughput, size]", "[latency, throughput]")
SAYS = {
    "add-a-metric.md": ("cost", "What mistakes cost"),
    "choose-features.md": ("report:",),
    "compare-features-online-and-offline.md": ("skew", "FAIL"),
    "compare-several-models.md": ("small onnxruntime", "flips"),
    "compare-two-files.md": ("read:", "flips"),
    "evaluate-without-showing.md": ("Notary Tide", "rows were answered rightly", "opened to the two owners alone"),
    "find-the-best-of-many.md": ("search: halving", "short rounds"),
    "find-leaks-and-label-errors.md": (
        "Rows known from training",
        "25 of 625 rows",
        "Suspected label errors",
        "exit code 1: serious faults",
    ),
    "find-the-highest-rate.md": ("Highest rate within a bound",),
    "drive-it-as-users-do.md": ("informal first look", "NOT ENOUGH EVIDENCE"),
    "see-what-it-takes.md": ("cold_start.import: ", "memory.peak: ", "energy.query: ", "device_time.query: "),
    "inspect-a-model-file.md": ("posix.system", "exit code 1: it can run code", "float32"),
    "join-features-as-of-a-moment.md": ("[1, 2, 3] [100.0, 250.0, nan]", "They hold the same rows"),
    "look-for-backdoors.md": (
        "a backdoor is suspected: bag",
        "the trigger gets its answer",
        "Classes with a suspected backdoor",
    ),
    "measure-training.md": ("What training costs, each way", "Soonest to accuracy ≥ 0.8", "./train.py:fit fp32 b16"),
    "predict-a-device.md": (
        "predicted, not measured",
        "would help",
        "NVIDIA H100 SXM",
        "It is held up by",
        "matrix products reach",
        "What devices that aren't here would do",
    ),
    "read-a-run-in-python.md": ("at most", "shape:"),
    "see-what-it-tells-of-its-rows.md": ("members while wrongly naming", "which needs 437"),
    "defend-a-model.md": ("defended: pass", "Take <code>torch adversarially"),
    "see-whether-it-can-be-fooled.md": ("Accuracy under attack", "attack"),
    "sign-a-run.md": ("as Harbour Ltd", "with the key that you gave", "study.yaml: it has", "exit code 1"),
    "say-where-data-comes-from.md": ("exit code 1: they differ", "none of them", "exit code 1: still there"),
    "settle-an-open-verdict.md": ("NOT ENOUGH EVIDENCE", "more rows"),
    "test-a-served-model.md": ("remote_v2", "network.share estimated"),
    "test-a-scikit-learn-model.md": ("PASS", "study.yaml is written"),
    "run-on-every-accelerator.md": ("torch by torch_to_jax", "left out", "no TPU here"),
    "test-a-detector.md": ("map at least 0.9", "PASS"),
    "when-a-candidate-fails.md": ("not planned:", "bf16"),
    "work-out-capacity-and-cost.md": ("USD a month", "Break-even", "answers to single queries"),
}


@pytest.mark.parametrize("page", PAGES)
def test_a_recipe_can_be_followed(page, tmp_path):
    if page in WITH_A_STUDY:
        file = make(tmp_path, TIMED if page == "work-out-capacity-and-cost.md" else STUDY)
        if page == "gate-in-a-pipeline.md":
            subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
            (tmp_path / "dossier.json").write_text(flow.run(file).model_dump_json(by_alias=True))
    printed = carry_out(f"docs/do/{page}", tmp_path)
    for word in SAYS.get(page, ()):
        assert word in printed


@pytest.mark.parametrize("page", [*(f"docs/do/{page}" for page in PAGES), "README.md"])
def test_yaml_in_pages_can_be_read(page):
    for block in blocks(page):
        if block.language == "yaml":
            assert YAML(typ="safe").load(io.StringIO(block.text))


def test_there_are_ten_recipes_and_blocks_are_found():
    assert len(PAGES) >= 10
    found = [block for page in PAGES for block in recipes.blocks(f"docs/do/{page}")]
    assert {"python", "sh", "yaml"} <= {block.language for block in found}
    assert {"cost.py", "study.yaml", "hard.yaml"} <= {block.file for block in found}
