"""What audits count is what plain loops over the rows count."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.audit import Ground
from seatrial.contracts.finding import Finding
from seatrial.numerics.near import minhash, shingles, similarity
from seatrial.parts.audits import schema
from seatrial.parts.audits._shared import beyond
from seatrial.testing.audits import carry_out, table


def found(audit: str, columns: dict[str, Any], chunk: int = 37, **named: Any) -> dict[str, Finding]:
    part = catalog.find("audits", audit)
    made = carry_out(part, None, [table(columns, "t", "train", chunk, **named)])
    return {one.key: one for one in made}


@pytest.mark.parametrize("seed", range(5))
def test_copies_and_rows_at_odds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = np.array(["a", "b", None, "c"], object)
    columns = {"x": words[rng.integers(0, 4, 200)], "z": rng.integers(0, 9, 200) / 4, "y": rng.integers(0, 2, 200)}
    told = found("duplicates", columns, label="y")
    rows = list(zip(*(one.tolist() for one in columns.values()), strict=True))
    counts = Counter(rows)
    assert told["audit.duplicates{table=t}"].value == len(rows) - len(counts)
    assert told["audit.duplicates.different{table=t}"].value == sum(count > 1 for count in counts.values())
    labels: dict[Any, set[int]] = {}
    for x, z, y in rows:
        labels.setdefault((x, z), set()).add(y)
    assert told["audit.duplicates.conflicting{table=t}"].value == sum(len(labels[x, z]) > 1 for x, z, _ in rows)


def test_gaps_and_constants() -> None:
    rng = np.random.default_rng(0)
    number = np.where(rng.random(300) < 0.1, np.nan, rng.normal(size=300))
    text = np.where(rng.random(300) < 0.2, None, "word").astype(object)
    text[5] = "other"
    columns = {
        "a": number,
        "b": text,
        "c": np.full(300, 7),
        "d": np.array(["k"] * 300, object),
        "e": rng.normal(size=300),
    }
    told = found("missingness", columns)
    gaps = int(np.isnan(number).sum()) + sum(one is None for one in text)
    assert told["audit.missingness{table=t}"].value == gaps
    assert told["audit.missingness.column{column=b,table=t}"].value == sum(one is None for one in text)
    words = found("missingness", {"b": np.array(["?", "NA", "word", None, " unknown "] * 60, object)})
    assert words["audit.missingness{table=t}"].value == words["audit.missingness.column{column=b,table=t}"].value == 240
    constant = found("constant_columns", columns)["audit.constant_columns{table=t}"]
    assert (constant.value, set(constant.note.split(", "))) == (2, {"c", "d"})


def test_classes_weights_and_groups() -> None:
    rng = np.random.default_rng(0)
    y = rng.choice(3, 400, p=[0.9, 0.07, 0.03])
    weight = rng.exponential(size=400)
    columns = {"y": y, "w": weight, "g": np.repeat(np.arange(100), 4)}
    told = found("imbalance", columns, label="y", weight="w", group="g")
    counts = Counter(y.tolist())
    assert told["audit.imbalance{table=t}"].value == min(counts.values())
    assert told["audit.imbalance.ratio{table=t}"].number == max(counts.values()) / min(counts.values())
    assert told["audit.imbalance.effective_weight{table=t}"].number == pytest.approx(
        weight.sum() ** 2 / (weight**2).sum()
    )
    harmonic = 9 / sum(1 / count for count in counts.values())
    assert told["audit.imbalance.effective{table=t}"].number == pytest.approx(harmonic)
    alike = found("imbalance", columns | {"y": np.repeat(rng.integers(0, 2, 100), 4)}, label="y", group="g")
    assert alike["audit.imbalance.effective_group{table=t}"].number == pytest.approx(100, rel=0.02)


def test_minhash_estimates_the_jaccard_index() -> None:
    rng = np.random.default_rng(0)
    words = [f"w{at}" for at in range(60)]
    errors = []
    for share in (0.2, 0.5, 0.9):
        one = [str(word) for word in rng.choice(words, 80)]
        other = [word if rng.random() < share else "x" for word in one]
        texts = [" ".join(one), " ".join(other)]
        sets = [set(shingles(text)) for text in texts]
        truth = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
        signatures = minhash(texts)
        errors.append(abs(float(similarity(signatures[:1], signatures[1:])[0]) - truth))
    assert max(errors) < 4 * 0.5 / np.sqrt(128)


def test_personal_data_of_each_kind_is_counted() -> None:
    kinds = {
        "email": "ask ole@example.org", "card": "4111 1111 1111 1111", "iban": "DE89 3704 0044 0532 0130 00", "ip": "from 192.0.2.44 on",
        "phone": "+47 22 85 50 50", "us_ssn": "529-98-2771", "es_dni": "12345678Z", "it_codice_fiscale": "RSSMRA85T10A562S",
    }  # fmt: skip
    for kind, text in kinds.items():
        cells = np.array(["nothing", f"{text}", "nothing at all", "4111 1111 1111 1112"] * 25, object)
        told = found("personal_data", {"free": cells})
        assert told["audit.personal_data{table=t}"].value == 25
        assert told[f"audit.personal_data.kind{{column=free,kind={kind},table=t}}"].value == 25


def test_columns_unlike_those_of_training() -> None:
    taught = {"a": np.arange(9), "b": np.ones(9), "c": np.array(["x"] * 9, object), "picture": np.zeros((9, 4, 4), np.uint8), "y": np.arange(9) % 2, "w": np.ones(9)}  # fmt: skip
    here = {"a": taught["a"].astype(np.float32), "b": taught["c"], "picture": np.zeros((9, 5, 5), np.uint8), "added": taught["b"]}  # fmt: skip
    whole = Ground({"train": table(taught, "train", "train", label="y", weight="w"), "evaluation": table(here, "evaluation", "evaluation")})  # fmt: skip
    told = {one.key: one for one in schema.look(whole, schema.Options())}
    differs = {str(one.at["column"]): (one.value, one.severity) for one in told.values() if "column" in one.at}
    assert differs == {
        "a": ("other numbers", "minor"),
        "b": ("other type", "serious"),
        "c": ("missing", "serious"),
        "picture": ("other shape", "serious"),
        "y": ("missing", "fine"),
        "w": ("missing", "fine"),
        "added": ("new", "minor"),
    }
    assert told["audit.schema{table=evaluation}"].value == 7
    assert told["audit.schema{table=evaluation}"].severity == "serious"
    assert not list(schema.look(Ground({"one": table(taught, "one", "evaluation")}), schema.Options()))


@pytest.mark.parametrize("alarm", [0.01, 0.001])
@pytest.mark.parametrize("chance", [0.003, 0.02, 0.056, 0.09, 0.3, 1.0, 4.0, 40.0])
def test_chance_copies_raise_an_alarm_at_most_as_often_as_stated(chance: float, alarm: float) -> None:
    likely, raised = np.exp(-chance), 0.0
    for count in range(200):
        raised += likely if beyond(count, chance, alarm) > 0 else 0.0
        likely *= chance / (count + 1)
    assert raised <= alarm * (1 + 1e-6)
    assert beyond(int(chance + 9 * np.sqrt(chance) + 9), chance, alarm) > 0
