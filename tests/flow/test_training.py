"""Training in a study, in real workers: what is planted is found, what goes wrong is a finding, and a clean trainer stays quiet."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_study import STUDY, make, seatrial

from seatrial.contracts.finding import Finding, Origin, State
from seatrial.contracts.progress import Event, silent
from seatrial.errors import StudyError
from seatrial.flow.keep import Keeper
from seatrial.flow.plan import make_plan
from seatrial.flow.prices import find
from seatrial.flow.read import read
from seatrial.flow.training import measure_training
from seatrial.flow.trial import Voyage

PLAIN = """\
import os, signal, time
import numpy as np

def descend(job, fault=None, at=3, data=0.0):
    x, y = job.inputs["x"], job.labels
    weights, random, count = np.zeros((4, 3)), np.random.default_rng(job.seed), 0

    def batches():
        order = random.permutation(len(y))
        for start in range(0, len(y) - job.batch + 1, job.batch):
            if data:
                time.sleep(data)
            yield order[start : start + job.batch]

    for _ in range(job.epochs):
        for rows in job.waiting(batches()):
            count += 1
            if count == at and fault is not None:
                fault()
            sum(range(50_000))  # so that a step is work
            odds = np.exp(x[rows] @ weights)
            share = odds / odds.sum(1, keepdims=True)
            loss = -np.log(share[np.arange(len(rows)), y[rows]]).mean()
            share[np.arange(len(rows)), y[rows]] -= 1
            weights -= 0.5 * x[rows].T @ share / len(rows)
            yield {"loss": float("nan") if fault == "nan" and count == at else loss, "rows": len(rows)}
        yield {"accuracy": ((job.judge_inputs["x"] @ weights).argmax(1) == job.judge_labels).mean()}

def fit(job):
    return descend(job)

def starves(job):
    return descend(job, data=0.03)

def crashes(job):
    return descend(job, lambda: os.abort())

def hangs(job):
    return descend(job, lambda: time.sleep(600))

def raises(job):
    def fault():
        raise RuntimeError("planted")
    return descend(job, fault)

def diverges(job):
    def steps():
        for count, one in enumerate(descend(job)):
            yield one | {"loss": float("nan")} if count == 2 else one
    return steps()

def later(job):
    return descend(job, lambda: os.abort(), at=40 if job.seed == 1 else 10**9)

def aside(job):
    # it sleeps as `starves` does, past `job.waiting`: nobody can see what it waits for
    while True:
        time.sleep(0.03)
        yield {"loss": 1.0, "rows": job.batch}

def padded(job):
    for one in descend(job):
        yield one | ({"tokens": 10 * job.batch, "padded": 40 * job.batch} if "rows" in one else {})
"""
NET = """\
import torch

def net():
    return torch.nn.Linear(4, 3)
"""
FOUND = "training."


def study(folder: Path, block: str, limits: str = "") -> Path:
    """A small study with rows to train with, the functions above, and this block under `training`."""
    base = STUDY.replace(
        "data:\n", "data:\n  train: {from: {npz: {path: train.npz}}, label: label, roles: train}\n"
    ).replace("rounds: 2", f"rounds: 1{limits}")
    file = make(folder, base + "training:\n" + textwrap.indent(textwrap.dedent(block), "  "))
    kept = np.load(folder / "rows.npz")
    random = np.random.default_rng(7)
    x = random.normal(size=(256, 4)).astype(np.float32)
    near = ((x[:, None] - kept["x"][None]) ** 2).sum(2).argmin(1)
    np.savez(folder / "train.npz", x=x, label=kept["label"][near])
    (folder / "plain.py").write_text(PLAIN)
    (folder / "net.py").write_text(NET)
    return file


def voyage(file: Path) -> Voyage:
    plan = make_plan(read(file))
    made = Voyage(plan, Keeper(file.parent), "run", silent, "")
    made.look(["numpy"])
    return made


def trained(folder: Path, block: str, limits: str = "") -> list[Finding]:
    """What is found of the ways to train alone; no candidate is measured."""
    made = voyage(study(folder, block, limits))
    measure_training(made)
    return made.findings


def of(found: list[Finding], what: str, way: str, **at: Any) -> Finding:
    (one,) = [
        one for one in found if one.what == FOUND + what and one.at["way"] == way and at.items() <= one.at.items()
    ]
    return one


FAULTS = """\
    model: linear
    ways:
      - {trainer: [./plain.py:fit, ./plain.py:starves, ./plain.py:crashes, ./plain.py:hangs, ./plain.py:raises, ./plain.py:diverges]}
      - {trainer: [./plain.py:padded, ./plain.py:aside, ./plain.py:gone]}
    rounds: 3
    steps: 8
"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    return trained(tmp_path_factory.mktemp("planted"), FAULTS, ", limits: {block: 2 s, open: 20 s}")


@pytest.mark.parametrize(
    ("function", "state", "words"),
    [
        ("crashes", State.CRASHED, "SIGABRT"),
        ("hangs", State.HUNG, "no answer within 2 s"),
        ("raises", State.FAILED, "RuntimeError: planted"),
        ("diverges", State.FAILED, "`loss` became nan at step 3 (seed 0)"),
        ("gone", State.FAILED, "no function `gone`"),
    ],
)
def test_what_goes_wrong_is_a_finding(planted: list[Finding], function: str, state: State, words: str) -> None:
    way = f"./plain.py:{function} fp32"
    one = of(planted, "run", way)
    assert (one.state, one.origin) == (state, Origin.MISSING)
    assert words in one.note
    assert [other.what for other in planted if other.at["way"] == way] == ["training.run"]


def test_the_others_go_on(planted: list[Finding]) -> None:
    for function in ("fit", "starves", "padded"):
        way = f"./plain.py:{function} fp32"
        assert of(planted, "step.p50", way).n == 24
        assert of(planted, "throughput", way).number > 0
        assert of(planted, "first_step", way).number > 0
        assert not [one for one in planted if one.what == "training.run" and one.at["way"] == way]


def test_starving_is_found_and_a_clean_trainer_stays_quiet(planted: list[Finding]) -> None:
    starving = of(planted, "starved", "./plain.py:starves fp32")
    assert starving.number > 0.5
    assert starving.low is not None
    assert starving.low > of(planted, "starved", "./plain.py:fit fp32").number
    assert not [one for one in planted if one.what == "training.padding" and "fit" in str(one.at["way"])]


def test_waiting_that_nobody_can_see_is_missing_and_not_none_at_all(planted: list[Finding]) -> None:
    one = of(planted, "starved", "./plain.py:aside fp32")
    assert (one.value, one.state) == (None, State.UNSUPPORTED)
    assert "job.waiting" in one.note


def test_padding_is_counted(planted: list[Finding]) -> None:
    one = of(planted, "padding", "./plain.py:padded fp32")
    assert one.number == pytest.approx(0.75)
    assert one.n == 3 * 8 * 32 * 40


def test_speed_is_paired_against_the_first_way(planted: list[Finding]) -> None:
    one = of(planted, "speedup", "./plain.py:starves fp32")
    assert one.against == "./plain.py:fit fp32"
    assert one.n == 3
    assert one.number < 1  # it sleeps 30 ms in every step
    assert not [other for other in planted if other.what == "training.speedup" and "fit" in str(other.at["way"])]


# --- from seeds ------------------------------------------------------------------------------------------------------------------

SEEDS = """\
    model: linear
    ways:
      - {trainer: ./plain.py:fit, batch: [16, 128]}
      - {trainer: ./plain.py:later, batch: 16}
    rounds: 1
    steps: 4
    seeds: 3
    epochs: 4
    target: {measure: accuracy, at_least: 0.6}
    price_per_hour: 36.0
    currency: EUR
"""


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Finding], Path]:
    folder = tmp_path_factory.mktemp("seeded")
    return trained(folder, SEEDS), folder


def test_time_and_money_to_the_target(seeded: tuple[list[Finding], Path]) -> None:
    found, _ = seeded
    way = "./plain.py:fit fp32 b16"
    time, money = of(found, "time_to_target", way), of(found, "money_to_target", way)
    assert (time.n, time.unit, time.at["target"]) == (3, "s", "accuracy ≥ 0.6")
    assert time.level == pytest.approx(0.75)  # least and largest of three; it says so
    assert "6 would give 95 %" in time.note
    assert money.number == pytest.approx(time.number * 0.01)
    assert (money.unit, money.origin, money.inputs) == ("EUR", Origin.DECLARED, (time.key,))
    assert of(found, "reached", way).value == 1.0


def test_the_effect_of_the_batch_is_paired_by_seed(seeded: tuple[list[Finding], Path]) -> None:
    """Few steps of a large batch learn less: a planted effect that the same seeds show."""
    found, _ = seeded
    one = of(found, "batch_effect", "./plain.py:fit fp32 b128", measure="accuracy")
    assert one.against == "./plain.py:fit fp32 b16"
    assert one.n == 3
    small, large = (of(found, "quality", f"./plain.py:fit fp32 b{size}", measure="accuracy") for size in (16, 128))
    assert one.number == pytest.approx(small.number - large.number)
    assert one.number > 0
    same = of(found, "quality.drop", "./plain.py:later fp32 b16", measure="accuracy")
    assert same.value == 0.0, "the same training with the same seeds"


def test_a_seed_that_crashes_is_a_finding_and_counts_as_not_reached(seeded: tuple[list[Finding], Path]) -> None:
    found, _ = seeded
    way = "./plain.py:later fp32 b16"
    lost = of(found, "run", way, seed=1)
    assert lost.state is State.CRASHED
    assert of(found, "reached", way).value == pytest.approx(2 / 3)
    time = of(found, "time_to_target", way)
    assert time.high is None
    assert "1 of 3 seeds did not reach it" in time.note


def test_what_was_measured_is_not_measured_again(seeded: tuple[list[Finding], Path]) -> None:
    found, folder = seeded
    again = voyage(folder / "study.yaml")
    measure_training(again)
    kept = {one.key: one.value for one in found if "later" not in str(one.at["way"])}
    assert {one.key: one.value for one in again.findings if "later" not in str(one.at["way"])} == kept
    assert again.measured == 0
    (folder / "plain.py").write_text(PLAIN + "\n# changed\n")
    changed = voyage(folder / "study.yaml")
    changed.deadline = 0.0  # no time at all
    measure_training(changed)
    assert changed.reused == 0
    assert {one.what for one in changed.findings} == {"training.run"}
    assert {one.state for one in changed.findings} == {State.TOO_FEW}


PRICED = """\
    model: linear
    ways: [{trainer: ./plain.py:fit}]
    rounds: 1
    steps: 2
    seeds: 1
    target: {measure: accuracy, at_least: 0.1}
"""


@pytest.mark.parametrize(
    ("price", "hour", "words"),
    [
        ("price: aws/g6.4xlarge", None, "aws/g6.4xlarge"),
        ("price_per_hour: 24/day\ncurrency: EUR", 1.0, "1 EUR an hour"),
    ],
)
def test_money_is_at_a_price_of_the_table_or_a_stated_one(tmp_path: Path, price: str, hour: float, words: str) -> None:
    found = trained(tmp_path, textwrap.dedent(PRICED) + price)
    time, money = of(found, "time_to_target", "fp32"), of(found, "money_to_target", "fp32")
    assert words in money.method
    assert money.origin is Origin.DECLARED
    paid = hour or find("aws/g6.4xlarge").hour
    assert money.number == pytest.approx(time.number * paid / 3600)
    if hour is None:
        assert find("aws/g6.4xlarge").date in money.method
        assert find("aws/g6.4xlarge").date


def test_a_target_that_is_never_told_is_said(tmp_path: Path) -> None:
    block = "model: linear\nways: [{trainer: ./plain.py:fit}]\nrounds: 1\nsteps: 2\nseeds: 1\nepochs: 1\ntarget: {measure: f1, at_least: 0.6}\n"
    one = of(trained(tmp_path, block), "time_to_target", "fp32")
    assert (one.state, one.note) == (State.UNSUPPORTED, "the trainer never told `f1`; it told accuracy")


def test_a_target_out_of_reach_is_said(tmp_path: Path) -> None:
    block = "model: linear\nways: [{trainer: ./plain.py:fit}]\nrounds: 1\nsteps: 2\nseeds: 2\nepochs: 1\nprice_per_hour: 1\ntarget: {measure: accuracy, at_least: 1.1}\n"
    found = trained(tmp_path, block)
    for what in ("time_to_target", "money_to_target"):
        one = of(found, what, "fp32")
        assert one.state is State.TOO_FEW
        assert "2 of 2 seeds did not reach it within 1 pass; half of them take longer than" in one.note
    assert of(found, "reached", "fp32").value == 0.0


# --- several workers ---------------------------------------------------------------------------------------------------------------

GANG = """\
    model: linear
    ways: [{trainer: {torch_module: {module: "net.py:net", learning_rate: 0.5}}, workers: [1, 2], batch: 32}]
    rounds: 2
    steps: 4
    seeds: 1
    epochs: 2
"""


def test_two_workers_share_the_work_and_learn_the_same(tmp_path: Path) -> None:
    found = trained(tmp_path, GANG)
    assert not [one for one in found if one.what == "training.run"], [one.note for one in found]
    one, two = "fp32 x1", "fp32 x2"
    efficiency, speed = of(found, "scaling_efficiency", two, workers=2), of(found, "speedup", two)
    assert efficiency.number == pytest.approx(speed.number / 2)  # the same rows a step: t1 / (N tN)
    assert efficiency.against == one
    assert of(found, "quality.drop", two, measure="loss").number == pytest.approx(0.0, abs=1e-6)
    assert of(found, "quality.drop", two, measure="accuracy").value == 0.0


def test_a_worker_that_crashes_ends_the_way_in_time(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("")
    code = """\
        import os, time

        def lonely(job):
            for step in range(job.epochs):
                if job.rank == 1 and step == 3:
                    os.abort()
                if step == 4:
                    time.sleep(600)  # what waiting for the other looks like
                yield {"loss": 1.0, "rows": job.batch // job.workers}

        def twice(job):
            for _ in range(job.epochs):
                yield {"loss": 1.0, "rows": job.batch}
    """
    block = "ways: [{trainer: [./gang.py:lonely, ./gang.py:twice], workers: [1, 2]}]\nreference: {trainer: ./gang.py:twice, workers: 1}\nrounds: 2\nsteps: 3\n"
    file = study(tmp_path, block, ", limits: {block: 30 s}")
    (tmp_path / "gang.py").write_text(
        textwrap.dedent(code).replace("if step == 4:", "if job.workers > 1 and step == 4:")
    )
    made = voyage(file)
    measure_training(made)
    lost = of(made.findings, "run", "./gang.py:lonely fp32 x2")
    assert lost.state is State.CRASHED
    assert "SIGABRT" in lost.note
    assert of(made.findings, "step.p50", "./gang.py:lonely fp32 x1").n == 6
    other = of(made.findings, "scaling_efficiency", "./gang.py:twice fp32 x2")
    assert other.state is State.UNSUPPORTED
    assert "a step of 2 workers takes 64 rows, that of one 32" in other.note


# --- what a study says wrong ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "error", "complaint"),
    [
        ("ways: [{trainer: torch_modul}]\n", StudyError, "did you mean `torch_module`"),
        ("ways: [{trainer: {torch_module: {}}}]\n", StudyError, "module"),
        ("ways: [{trainer: ./plain.py:fit, batch: 0}]\n", StudyError, "batch"),
        (
            "ways: [{trainer: ./plain.py:fit}]\ntarget: {measure: accuracy, at_least: 0.5}\n",
            StudyError,
            "needs `seeds`",
        ),
        ("ways: [{trainer: ./plain.py:fit}]\nseeds: 1\ntarget: {measure: loss}\n", StudyError, "one of `at_least`"),
        ("ways: [{trainer: ./plain.py:fit}]\nreference: {batch: 7}\n", StudyError, "fits 0 ways"),
        ("ways: [{trainer: ./plain.py:fit}]\nprice: aws/g6.4xlarg\n", StudyError, "did you mean `aws/g6.4xlarge`"),
        (
            "ways: [{trainer: ./plain.py:fit}]\nprice: aws/g6.4xlarge\nprice_per_hour: 1\n",
            StudyError,
            "a row of the price table",
        ),
        ("ways: [{trainer: ./plain.py:fit}]\nprice_per_hour: dear\n", StudyError, "is not a price"),
        ("model: lineer\nways: [{trainer: ./plain.py:fit}]\n", StudyError, "did you mean `linear`"),
    ],
)
def test_what_is_wrong_with_the_block_is_said(
    tmp_path: Path, block: str, error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error) as caught:
        trained(tmp_path, block)
    assert complaint in str(caught.value)


def test_without_rows_to_train_with_it_says_what_to_do(tmp_path: Path) -> None:
    file = study(tmp_path, "model: linear\nways: [{trainer: ./plain.py:fit}]\n")
    file.write_text(file.read_text().replace("roles: train", "roles: calibrate"))
    made = voyage(file)
    measure_training(made)
    (one,) = made.findings
    assert (one.what, one.state) == ("training.run", State.FAILED)
    assert "no rows to train with; give a data set with a label `roles: train`" in one.note


def test_what_a_trainer_does_not_take_is_a_finding(tmp_path: Path) -> None:
    block = "model: linear\nways: [{trainer: {torch_module: {module: 'net.py:net'}}, precision: [fp16, int8], device: [cpu]}]\n"
    found = trained(tmp_path, block)
    assert "fp16 needs its loss scaled" in of(found, "run", "fp16").note
    assert "it takes fp32, bf16" in of(found, "run", "int8").note
    assert {one.state for one in found} == {State.UNSUPPORTED}


def test_a_trainer_of_ones_own_that_raises_is_a_finding(tmp_path: Path) -> None:
    """A whole trainer as a local file: a part like any other, and its faults end it alone."""
    own = """\
        \"\"\"A trainer of one's own.\"\"\"

        def absent(device):
            return None

        def files(options, folder):
            {files}

        def train(job, options):
            for _ in range(job.epochs):
                yield {{"loss": 1.0, "rows": job.batch}}
    """
    file = study(tmp_path, "ways: [{trainer: [./good.py, ./bad.py]}]\nrounds: 1\nsteps: 3\n")
    (tmp_path / "good.py").write_text(textwrap.dedent(own.format(files="return {}")))
    (tmp_path / "bad.py").write_text(textwrap.dedent(own.format(files="return 1 / 0")))
    made = voyage(file)
    measure_training(made)
    assert of(made.findings, "run", "./bad.py fp32").note == "it raised ZeroDivisionError: division by zero"
    assert of(made.findings, "step.p50", "./good.py fp32").n == 3


def test_an_interruption_keeps_what_is_done_and_leaves_no_worker(tmp_path: Path) -> None:
    made = voyage(
        study(tmp_path, "model: linear\nways: [{trainer: [./plain.py:fit, ./plain.py:padded]}]\nrounds: 9\nsteps: 3\n")
    )
    started, start = [], made.start

    def stop(event: Event) -> None:
        if event.stage == "round" and event.done == 3:
            raise KeyboardInterrupt

    def noted(name: str, network: bool = False) -> Any:
        started.append(start(name, network))
        return started[-1]

    made.watch, made.start = stop, noted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        measure_training(made)
    assert sorted(one.n for one in made.findings if one.what == "training.step.p50") == [3, 6]
    assert {one.state for one in made.findings if one.what == "training.run"} == {State.TOO_FEW}
    assert len(started) == 2
    assert not any(Path(f"/proc/{link.pid}").exists() for link in started)


# --- through the command line ----------------------------------------------------------------------------------------------------------


def test_from_study_file_to_dossier_and_terminal(tmp_path: Path) -> None:
    block = "model: linear\nways: [{trainer: [./plain.py:fit, ./plain.py:starves, ./plain.py:crashes]}]\nrounds: 3\nsteps: 6\n"
    file = study(tmp_path, block)
    one = "  - {runtime: onnxruntime, variant: int8_dynamic, batch: 8}\n  - {runtime: onnxruntime, precision: bf16, batch: 8}\n"
    file.write_text(file.read_text().replace(one, "").replace("batch: [1, 8]", "batch: 1"))
    done = seatrial("run", file, folder=tmp_path, COLUMNS="150")
    assert done.returncode == 0, done.stderr
    assert "What training costs, each way" in done.stdout
    assert "waits for its next batch" in done.stdout
    assert "./plain.py:fit fp32 waits" not in done.stdout
    assert "./plain.py:crashes fp32" in done.stdout
    (kept,) = (tmp_path / ".seatrial" / "runs").glob("*/dossier.json")
    found = [Finding(**one) for one in json.loads(kept.read_text())["findings"] if one["what"].startswith(FOUND)]
    assert of(found, "starved", "./plain.py:starves fp32").number > 0.5
    assert 'id="training"' in (kept.parent / "report.html").read_text()
