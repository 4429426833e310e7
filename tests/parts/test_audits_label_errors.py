"""Wrong labels that were planted head the queue, and the rate covers them; right labels raise no alarm."""

from __future__ import annotations

import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.finding import Origin, Severity, State
from seatrial.testing.audits import carry_out, table

PART = catalog.find("audits", "label_errors")


def rows(seed: int, noise: float, count: int = 3000, words: bool = False):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 3, count)
    columns = {f"x{at}": rng.normal(size=count) + 2.5 * (true == at) for at in range(3)}
    columns["kind"] = np.array(["a", "b", "c"], object)[np.where(rng.random(count) < 0.9, true, 0)]
    wrong = rng.random(count) < noise
    given = np.where(wrong, (true + rng.integers(1, 3, count)) % 3, true)
    names = np.array(["rot", "gelb", "blau"], object)
    return columns | {"y": names[given] if words else given}, wrong


def found(columns, **named):
    made = carry_out(PART, None, [table(columns, "train", "train", 700, label="y", **named)])
    return {one.what.removeprefix("audit.label_errors").lstrip("."): one for one in made}


@pytest.mark.parametrize(("noise", "words"), [(0.03, False), (0.1, True)])
def test_planted_errors_are_found_and_their_rate_is_covered(noise, words):
    columns, wrong = rows(1, noise, words=words)
    told = found(columns)
    assert told["rate"].low <= wrong.mean() <= told["rate"].high
    assert told["rate"].origin is Origin.ESTIMATED
    assert told[""].severity is not Severity.FINE or noise < 0.05
    assert abs(told[""].value / wrong.sum() - 1) < 0.8


def test_false_alarms_stay_below_the_level():
    alarms = sum(found(rows(seed, 0.0, 800)[0])[""].severity is not Severity.FINE for seed in range(30))
    assert alarms <= 1


def test_a_label_that_hangs_on_nothing_gets_no_rate():
    columns, _ = rows(0, 0.0)
    told = found(columns | {"y": np.random.default_rng(1).integers(0, 2, 3000)})
    assert told["rate"].state is State.UNSUPPORTED
    assert told[""].severity is Severity.FINE


def test_pictures_are_judged_too():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 1500)
    pictures = rng.integers(0, 120, (1500, 8, 8)).astype(np.uint8)
    pictures[true == 1, 2:6, 2:6] += 100
    wrong = rng.random(1500) < 0.08
    told = found({"image": pictures, "y": np.where(wrong, 1 - true, true)})
    assert told["rate"].low <= 0.08 <= told["rate"].high


def test_labels_that_are_no_classes_and_tables_that_are_small_are_said():
    columns, _ = rows(0, 0.0, 600)
    assert found(columns | {"y": np.random.default_rng(0).normal(size=600)})[""].state is State.UNSUPPORTED
    assert found(rows(0, 0.0, 100)[0])[""].state is State.TOO_FEW


def test_the_queue_names_rows_the_least_likely_first(tmp_path):
    from seatrial.contracts.audit import Ground
    from seatrial.parts.audits.label_errors import Options, look

    columns, wrong = rows(2, 0.05)
    kept: dict[str, list[int]] = {}

    def keep(name, table, numbers):
        kept[name] = list(numbers)
        return name

    doubted: list[int] = []
    one = table(columns, "train", "train", label="y")
    ground = Ground({"train": one}, keep_rows=keep, doubt=lambda kind, of, numbers: doubted.extend(numbers.tolist()))
    told = {finding.what: finding for finding in look(ground, Options())}
    (queue,) = kept.values()
    assert wrong[queue[:60]].mean() > 0.9
    assert len(set(queue)) == len(queue)
    most = told["audit.label_errors.rate"].high * len(wrong)
    assert doubted == queue[: len(doubted)]
    assert 0.5 * wrong.sum() < len(doubted) <= most + 1


def test_where_no_rate_can_be_told_no_row_is_in_doubt():
    from seatrial.contracts.audit import Ground
    from seatrial.parts.audits.label_errors import Options, look

    columns = rows(0, 0.0)[0] | {"y": np.random.default_rng(1).integers(0, 2, 3000)}
    doubted: list[int] = []
    one = table(columns, "train", "train", label="y")
    list(look(Ground({"train": one}, doubt=lambda kind, of, numbers: doubted.extend(numbers.tolist())), Options()))
    assert not doubted
