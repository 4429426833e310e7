"""Trainers: the exam for each, the shipped one against a loop written by hand, and what can't be trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seatrial import catalog
from seatrial.contracts.part import PartInfo
from seatrial.contracts.training import Job
from seatrial.errors import ModelError, Unsupported
from seatrial.testing.trainers import exam

PARTS = catalog.parts("trainers")
TORCH = catalog.load(PARTS["torch_module"])
USER = catalog.load(PARTS["user_function"])
NET = """\
import torch

def net(width=8):
    return torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Dropout(0.1), torch.nn.Linear(width, 3))

def line():
    return torch.nn.Linear(4, 1)

def images():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(64, 3))

def tokens():
    class Bag(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bag = torch.nn.EmbeddingBag(20, 3)

        def forward(self, ids):
            return self.bag(ids)

    return Bag()

def nothing():
    return 3
"""


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def job(folder: Path, seed: int = 3, **changed: Any) -> Job:
    (folder / "net.py").write_text(NET)
    random = np.random.default_rng(0)
    x, label = random.normal(size=(80, 4)).astype(np.float32), random.integers(0, 3, 80)
    given = {"inputs": {"x": x[:60]}, "labels": label[:60], "judge_inputs": {"x": x[60:]}, "judge_labels": label[60:]}
    return Job(folder, seed=seed, **{"epochs": 3, "batch": 16, **given, **changed})


def options(**given: Any) -> Any:
    return catalog.options(PARTS["torch_module"], {"module": "net.py:net", "learning_rate": 0.1, **given})


def losses(made: Job, given: Any) -> list[float]:
    return [said["loss"] for said in TORCH.train(made, given) if "rows" in said]


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_sits_its_exam(part: PartInfo) -> None:
    exam(part)


def test_the_exam_finds_a_trainer_that_ignores_its_seed(tmp_path: Path) -> None:
    source = Path(PARTS["torch_module"].path).read_text()
    (tmp_path / "same.py").write_text(source.replace("manual_seed(job.seed)", "manual_seed(0)"))
    with pytest.raises(AssertionError, match="the seed changes nothing"):
        exam(catalog.find("trainers", "./same.py", tmp_path))


# --- against a loop written by hand ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "adamw"])
def test_losses_and_quality_are_those_of_a_loop_by_hand(tmp_path: Path, optimiser: str) -> None:
    made, seed = job(tmp_path), 3
    said = list(TORCH.train(made, options(optimiser=optimiser, weight_decay=0.01)))
    torch.manual_seed(seed)
    space: dict[str, Any] = {}
    exec(NET, space)
    net = space["net"]()
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    moves = kinds[optimiser](net.parameters(), lr=0.1, weight_decay=0.01)
    order = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # dropout
    x, y = torch.from_numpy(made.inputs["x"]), torch.from_numpy(made.labels)
    tx, ty = torch.from_numpy(made.judge_inputs["x"]), torch.from_numpy(made.judge_labels)
    own, told = [], []
    for _ in range(3):
        net.train()
        for rows in torch.randperm(60, generator=order)[:48].split(16):
            moves.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(x[rows]), y[rows])
            loss.backward()
            moves.step()
            own.append(loss.item())
        net.eval()
        with torch.no_grad():
            told.append((net(tx).argmax(1) == ty).float().mean().item())
    assert [one["loss"] for one in said if "rows" in one] == pytest.approx(own, rel=1e-6)
    assert [one["accuracy"] for one in said if "accuracy" in one] == pytest.approx(told)


def test_numbers_are_fitted_by_mean_squares(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    y = x @ np.array([1.0, -2.0, 0.5, 0.0]) + 3.0
    made = job(tmp_path, inputs={"x": x}, labels=y, judge_inputs={"x": x}, judge_labels=y, epochs=200)
    *_, last = (said for said in TORCH.train(made, options(module="net.py:line", loss="mse")) if "rmse" in said)
    assert last["rmse"] < 1e-3
    assert last["loss"] == pytest.approx(last["rmse"] ** 2, rel=1e-3)


def test_labels_chosen_one_by_one(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(64, 4)).astype(np.float32)
    y = (x[:, :3] > 0).astype(np.float32)
    made = job(tmp_path, inputs={"x": x}, labels=y, judge_inputs={"x": x}, judge_labels=y, epochs=30)
    found = losses(made, options(loss="binary_cross_entropy", learning_rate=1.0))
    assert found[-1] < 0.5 * found[0]


# --- precision, layout, compiling ----------------------------------------------------------------------------------------------


def test_bf16_is_near_fp32_and_not_the_same(tmp_path: Path) -> None:
    exact, rounded = losses(job(tmp_path), options()), losses(job(tmp_path, precision="bf16"), options())
    assert exact != rounded
    assert rounded == pytest.approx(exact, rel=0.03)


def test_channels_last_gives_the_same_losses(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(32, 3, 6, 6)).astype(np.float32)
    y = np.random.default_rng(1).integers(0, 3, 32)
    given = {"inputs": {"x": x}, "labels": y, "judge_inputs": {"x": x}, "judge_labels": y}
    plain, last = (
        losses(job(tmp_path, **given), options(module="net.py:images", channels_last=one)) for one in (False, True)
    )
    assert last == pytest.approx(plain, rel=1e-4)


def test_a_compiled_module_gives_the_same_losses(tmp_path: Path) -> None:
    compiled = losses(job(tmp_path, epochs=1), options(compiled=True, backend="aot_eager", arguments={"width": 5}))
    assert compiled == pytest.approx(losses(job(tmp_path, epochs=1), options(arguments={"width": 5})), rel=1e-4)


def test_without_a_compiler_compiling_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(Unsupported, match=r"needs a C\+\+ compiler") as caught:
        losses(job(tmp_path), options(compiled=True))
    assert "install g++" in caught.value.next_step


def test_padding_is_counted(tmp_path: Path) -> None:
    ids = np.array([[5, 6, 0, 0], [7, 0, 0, 0]] * 16)
    made = job(tmp_path, inputs={"ids": ids}, labels=np.array([0, 1] * 16), judge_inputs={"ids": ids}, epochs=1)
    said = next(one for one in TORCH.train(made, options(module="net.py:tokens", pad=0)) if "rows" in one)
    assert said["padded"] == 64
    assert 16 <= said["tokens"] <= 32


# --- several workers -------------------------------------------------------------------------------------------------------------


def test_shares_of_several_workers_make_up_the_batch(tmp_path: Path) -> None:
    whole, parts = job(tmp_path), [job(tmp_path, workers=2, rank=rank) for rank in (0, 1)]
    shares = [TORCH._share(one) for one in parts]
    assert shares == [(0, 8), (8, 16)]
    assert TORCH._share(whole) == (0, 16)
    with pytest.raises(Unsupported, match="3 workers can't share a batch of 16"):
        TORCH._share(job(tmp_path, workers=3))


@pytest.mark.parametrize(
    ("device", "rank", "workers", "own"),
    [("cuda", 0, 2, "cuda:0"), ("cuda", 1, 2, "cuda:1"), ("cuda:2", 1, 2, "cuda:3"), ("cuda:2", 0, 1, "cuda:2"), ("cpu", 1, 2, "cpu")],
)  # fmt: skip
def test_each_worker_has_a_gpu_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, rank: int, workers: int, own: str) -> None:  # fmt: skip
    """Two ranks of nccl on one GPU don't work; no GPU is needed to see which one each would take."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert TORCH._device(job(tmp_path, device=device, rank=rank, workers=workers)) == own


def test_more_workers_than_gpus_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(Unsupported, match="3 workers want a GPU each, from number 0 on, and this machine has 2"):
        TORCH._device(job(tmp_path, device="cuda", workers=3))


# --- what can't be trained ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "given", "complaint"),
    [
        ({"labels": None}, {}, "no rows to train with"),
        ({"inputs": {}}, {}, "no rows to train with"),
        ({"batch": 100}, {}, "60 rows to train with, fewer than a batch of 100"),
        ({}, {"module": "net.py:nothing"}, "returned a int, not a torch.nn.Module"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, changed: Any, given: Any, complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        losses(job(tmp_path, **changed), options(**given))


@pytest.mark.parametrize("module", [TORCH, USER], ids=["torch_module", "user_function"])
def test_the_users_code_is_looked_for_and_not_run(module: Any, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("raise RuntimeError('reading runs nothing')\ndef fit(job):\n    yield {}\n")

    def named(reference: str) -> Any:
        kind, option = ("torch_module", "module") if module is TORCH else ("user_function", "call")
        return catalog.options(PARTS[kind], {option: reference})

    ((file, hash_),) = module.files(named("./train.py:fit"), tmp_path).items()
    assert file == str(tmp_path / "train.py")
    (tmp_path / "train.py").write_text("def fit(job):\n    yield {}\n")
    assert module.files(named("./train.py:fit"), tmp_path)[file] != hash_, "another file, another identity"
    with pytest.raises(ModelError, match=r"no function `fitt`") as caught:
        module.files(named("./train.py:fitt"), tmp_path)
    assert "`fit`" in caught.value.next_step
    with pytest.raises(ModelError, match="can't be read"):
        module.files(named("./gone.py:fit"), tmp_path)
    with pytest.raises(ValueError, match=r"no `file.py:function`"):
        named("train")


def test_a_plain_function_is_told_to_yield(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("def fit(job, rate=1):\n    return rate\n")
    given = catalog.options(PARTS["user_function"], {"call": "plain.py:fit", "arguments": {"rate": 2}})
    with pytest.raises(ModelError, match="gave int where steps are wanted") as caught:
        USER.train(job(tmp_path), given)
    assert "yield" in caught.value.next_step


def test_a_function_is_given_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text('def fit(job, rate=1):\n    yield {"loss": rate, "rows": job.batch}\n')
    given = catalog.options(PARTS["user_function"], {"call": "plain.py:fit", "arguments": {"rate": 2}})
    assert list(USER.train(job(tmp_path), given)) == [{"loss": 2, "rows": 16}]


def test_devices() -> None:
    assert TORCH.absent("cpu") is None
    assert TORCH.absent("cuda") is None or "no NVIDIA GPU" in TORCH.absent("cuda")


# --- several models of one recipe -------------------------------------------------------------------------------------------


def halves(models: int, rows: int) -> np.ndarray:
    random, made = np.random.default_rng(4), np.zeros((models, rows), bool)
    for one in made:
        one[random.permutation(rows)[: rows // 2]] = True
    return made


SEVERAL_NET = """\
import torch

def plain():
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))

def averaging():
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3))

class Fork(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.line(x) if x.sum().item() > 0 else -self.line(x)
"""


def several(folder: Path, module: str, **options: Any) -> Any:
    given = job(folder, epochs=4, batch=10)
    (folder / "net.py").write_text(SEVERAL_NET)
    chosen = TORCH.Options(module=f"net.py:{module}", learning_rate=0.05, **options)
    return TORCH.several(given, chosen, halves(6, 60))


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "adamw"])
def test_several_in_one_pass_are_those_trained_one_after_another(tmp_path: Path, monkeypatch, optimiser: str):
    from seatrial.parts.trainers import _several

    more = {"momentum": 0.9} if optimiser == "sgd" else {}
    stacked = several(tmp_path, "plain", optimiser=optimiser, weight_decay=0.01, **more)
    assert stacked.together
    assert stacked.scores.shape == (6, 60, 3)
    monkeypatch.setattr(_several, "_obstacle", lambda *_: "asked for")
    apart = several(tmp_path, "plain", optimiser=optimiser, weight_decay=0.01, **more)
    assert not apart.together
    assert np.allclose(stacked.scores, apart.scores, atol=1e-4)
    assert np.abs(stacked.scores[0] - stacked.scores[1]).max() > 0.01, "each has rows and a seed of its own"


@pytest.mark.parametrize(("module", "said"), [("averaging", "running averages"), ("Fork", "vmap can't")])
def test_what_can_not_be_stacked_is_trained_one_after_another_and_says_so(tmp_path: Path, module: str, said: str):
    found = several(tmp_path, module)
    assert not found.together
    assert said in found.why
    assert np.isfinite(found.scores).all()
