"""Attacks on text in a real run: a model that needs three words of three falls sooner than one that counts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import seatrial
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import State

CODE = '''
import numpy as np

GOOD, BAD = {"great", "lovely", "superb", "kind"}, {"awful", "broken", "rude", "late"}

def counting(text):
    """Good words less bad ones."""
    found = np.array([sum(w in GOOD for w in t.split()) - sum(w in BAD for w in t.split()) for t in text.tolist()])
    return {"logits": np.stack([-found - 0.5, found + 0.5], axis=1).astype(np.float32)}

def strict(text):
    """Bad where three bad words stand, good else."""
    found = 2.5 - np.array([sum(w in BAD for w in t.split()) for t in text.tolist()])
    return {"logits": np.stack([-found, found], axis=1).astype(np.float32)}

DICE = np.random.default_rng(0)

def guessing(text):
    """Anything."""
    return {"logits": DICE.normal(size=(len(text), 2)).astype(np.float32)}
'''
MODEL = """\
  {name}:
    forms: {{python: {{function: "judge.py:{name}"}}}}
    task: classification
    inputs: {{text: {{columns: text, kind: text}}}}
    outputs: {{logits: {{means: logits, classes: [bad, good]}}}}
"""
STUDY = """\
schema: 1
name: reviews
models:
{models}data:
  evaluation: {{from: {{parquet: {{path: rows.parquet}}}}, label: label, roles: confirm}}
candidates: [{{runtime: python, batch: 16}}]
reference: {{runtime: python, model: counting}}
measure: {{loads: [], meters: [], rounds: 1, metrics: [accuracy], security: {{{security}}}}}
reports: [json]
"""
PLAIN = ("the", "shop", "was", "today", "staff", "and", "delivery")


def reviews(folder: Path, security: str, names: tuple[str, ...] = ("counting", "strict")) -> Path:
    """Texts with three good words more than bad ones, or the reverse."""
    rng, rows = np.random.default_rng(3), []
    for label in rng.integers(0, 2, 60).tolist():
        sides = (["awful", "broken", "rude", "late"], ["great", "lovely", "superb", "kind"])
        words = [*rng.choice(PLAIN, 8), *rng.choice(sides[label], 3)]
        rows.append({"text": " ".join(rng.permutation(words)), "label": label})
    pl.DataFrame(rows).write_parquet(folder / "rows.parquet")
    (folder / "judge.py").write_text(CODE)
    file = folder / "study.yaml"
    file.write_text(STUDY.format(models="".join(MODEL.format(name=name) for name in names), security=security))  # fmt: skip
    return file


def stood(dossier: Dossier, model: str, attack: str, norm: str, budget: float, what: str = "attack.accuracy") -> Any:
    at = {"attack": attack, "norm": norm, "epsilon": budget}
    (found,) = [one for one in dossier.findings if one.what == what and one.candidate.startswith(f"{model}/") and one.at == at]  # fmt: skip
    return found


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Dossier:
    folder = tmp_path_factory.mktemp("reviews")
    return seatrial.run(reviews(folder, "characters: [1, 4], words: [1, 4], word_share: 0.05, rows: 60"))


def test_as_many_edits_as_the_model_counts_words_are_needed(judged: Dossier):
    """The counting model hangs on three words; the other on each of three, in bad reviews alone."""
    for norm in ("characters", "words"):
        attack = f"changed_{norm}"
        assert stood(judged, "counting", attack, norm, 1).value == 1
        assert stood(judged, "strict", attack, norm, 1).value < 0.6
    drop = stood(judged, "strict", "all", "words", 1, "attack.accuracy.drop")
    assert drop.value == pytest.approx(1 - stood(judged, "strict", "all", "words", 1).value)
    assert drop.low > 0
    assert stood(judged, "strict", "all", "word_share", 0.05).value == 1, "a twentieth of eleven words is none"


def test_numbers_are_not_attacked_where_there_are_none_and_it_is_said_how_it_was_got(judged: Dossier):
    norms = {one.at["norm"] for one in judged.findings if one.what == "attack.accuracy" and one.value is not None}
    assert norms == {"characters", "words", "word_share"}
    flags = {one.at["flag"]: one for one in judged.findings if one.what == "attack.flag" and one.candidate.startswith("counting/")}  # fmt: skip
    assert flags["no_gradient"].value is True
    assert flags["random"].value is False
    assert flags["masked_gradient"].state is State.UNSUPPORTED
    queries = [one.value for one in judged.findings if one.what == "attack.queries"]
    assert queries
    assert all(0 <= one <= 200 for one in queries)


def test_words_that_a_user_names_and_an_attacker_who_sees_the_class_alone(tmp_path: Path):
    """A made-up word for `great` does what leaving it out does; classes alone find single words by trying."""
    asked = "attacks: [{changed_words: {ways: [], substitutes: {great: [fine], late: [slow], Rude: [curt]}}}, changed_characters], "
    dossier = seatrial.run(
        reviews(tmp_path, asked + "words: 3, characters: 1, rows: 60, examples: 2, threat: {knows: classes}")
    )
    named = next(one.at["attack"] for one in dossier.findings if one.at.get("attack", "").startswith("changed_words"))
    assert 0 < stood(dossier, "strict", named, "words", 3).value < 1
    assert stood(dossier, "strict", "changed_characters", "characters", 1).value < 0.6
    shown = [one for one in dossier.findings if one.what == "attack.example" and one.candidate.startswith("strict/")]
    assert {one.at["norm"] for one in shown} == {"words", "characters"}
    assert all(" became " in one.value and "was taken for" in one.value for one in shown)


def test_no_text_is_in_what_a_run_tells_unless_it_was_asked_for(judged: Dossier):
    assert not [one for one in judged.findings if one.what == "attack.example"]
    assert "delivery" not in judged.model_dump_json()


def test_a_guess_is_told_and_falls_though_each_hit_had_to_come_twice(tmp_path: Path):
    asked = "attacks: [{changed_characters: {queries: 30}}], characters: 2, words: [], rows: 60"
    dossier = seatrial.run(reviews(tmp_path, asked, ("counting", "guessing")))
    assert stood(dossier, "guessing", "all", "characters", 2).value < 0.15
    flags = {one.at["flag"]: one.value for one in dossier.findings if one.what == "attack.flag" and one.candidate.startswith("guessing/")}  # fmt: skip
    assert flags["random"] is True
    assert stood(dossier, "counting", "all", "characters", 2).value == 1
