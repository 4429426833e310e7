"""What all agree on holds: findings say what they must, ids are unique, outcomes combine, records survive JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seatrial.contracts.candidate import Candidate, PartRef, labels
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Condition, Finding, Origin, State, missing, weakest
from seatrial.contracts.quantity import UNITS, parse
from seatrial.contracts.record import digest
from seatrial.contracts.rows import EVALUATION, Role
from seatrial.contracts.study import Measure, Roles, Rounds
from seatrial.contracts.verdict import Outcome, all_must_hold, any_may_hold
from seatrial.testing.dossiers import sample_dossier

OUTCOMES = st.lists(st.sampled_from(list(Outcome)), max_size=6)


class TestFinding:
    def test_missing_if_and_only_if_there_is_no_value(self):
        with pytest.raises(ValidationError, match="if and only if"):
            Finding(what="accuracy")
        with pytest.raises(ValidationError, match="if and only if"):
            Finding(what="accuracy", value=0.9, origin=Origin.MISSING)
        with pytest.raises(ValidationError, match="says why"):
            Finding(what="accuracy", origin=Origin.MISSING)
        assert missing("accuracy", State.CRASHED, "signal 11").value is None

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
    @pytest.mark.parametrize("field", ["value", "low", "high"])
    def test_holds_finite_numbers(self, field, number):
        with pytest.raises(ValidationError, match="finite"):
            Finding(**({"what": "x", "value": 1.0} | {field: number}))

    def test_settings_have_one_order(self):
        one = Finding(what="x", value=1, at={"b": 2, "a": 1})
        assert list(one.at) == ["a", "b"]
        assert one.key == "x{a=1,b=2}" == Finding(what="x", value=1, at={"a": 1, "b": 2}).key

    def test_slices_are_readable(self):
        where = (Condition(column="age", relation=">=", value=60), Condition(column="sex", relation="==", value="F"))
        assert Finding(what="accuracy", value=0.5, slice=where).key == "accuracy[age >= 60 and sex == F]"

    def test_a_word_is_no_number(self):
        with pytest.raises(TypeError, match="bf16"):
            Finding(what="executed.precision", value="bf16").number  # noqa: B018

    def test_derived_findings_take_the_weakest_origin(self):
        assert weakest((Origin.MEASURED, Origin.DECLARED, Origin.ESTIMATED)) is Origin.DECLARED
        assert weakest(()) is Origin.MEASURED


class TestCandidate:
    def test_ids_tell_all_apart(self):
        base = {"model": "m", "runtime": "r"}
        others = [{}, {"variant": "v"}, {"variant": {"v": {"k": 1}}}, {"device": "cuda"}, {"precision": "bf16"}]
        others += [
            {"threads": 2},
            {"batch": 2},
            {"machine": "ssh://a"},
            {"instances": 2},
            {"runtime": {"r": {"compiled": True}}},
        ]
        assert len({Candidate.model_validate(base | one).id for one in others}) == len(others)

    def test_labels_say_what_differs_and_are_unique(self):
        made = [Candidate(model="m", runtime=PartRef(name="r"), batch=b, threads=t) for b in (1, 8) for t in (1, 2)]
        names = labels(made)
        assert len(set(names.values())) == 4
        assert names[made[0].id] == "r fp32 t1 b1"
        assert labels(made[:1]) == {made[0].id: "r fp32"}

    def test_a_part_is_a_name_or_a_name_with_options(self):
        read = [
            Candidate.model_validate({"model": "m", "runtime": form}).runtime
            for form in ("r", {"r": None}, {"r": {"a": 1}})
        ]
        assert [str(one) for one in read] == ["r", "r", "r(a=1)"]


class TestQuantity:
    @pytest.mark.parametrize(
        ("text", "value", "unit"),
        [
            ("2 ms", 0.002, "s"),
            ("0.5 pp", 0.005, ""),
            ("40 MB", 40e6, "B"),
            ("10m", 600, "s"),
            ("1e-3", 1e-3, ""),
            (3, 3, ""),
        ],
    )
    def test_reads_what_people_write(self, text, value, unit):
        assert parse(text) == (pytest.approx(value), unit)

    @given(st.floats(-1e9, 1e9), st.sampled_from(list(UNITS)))
    def test_every_unit_scales(self, number, unit):
        factor, base = UNITS[unit]
        assert parse(f"{number!r} {unit}") == (pytest.approx(number * factor), base)

    @pytest.mark.parametrize("text", ["", "ms", "2 parsecs", "1..2 ms", "two ms", "nan", "1 ms 2"])
    def test_refuses_the_rest_in_words(self, text):
        with pytest.raises(ValueError, match="not a"):
            parse(text)


class TestOutcomes:
    @given(OUTCOMES)
    def test_all_must_hold(self, outcomes):
        combined = all_must_hold(outcomes)
        assert (combined is Outcome.PASS) == all(one is Outcome.PASS for one in outcomes)
        assert (combined is Outcome.FAIL) == (Outcome.FAIL in outcomes)

    @given(OUTCOMES)
    def test_any_may_hold(self, outcomes):
        combined = any_may_hold(outcomes)
        assert (combined is Outcome.PASS) == (Outcome.PASS in outcomes)
        assert (combined is Outcome.FAIL) == (bool(outcomes) and set(outcomes) == {Outcome.FAIL})


class TestStudy:
    def test_roles_are_said_in_one_way(self):
        with pytest.raises(ValidationError, match="say one of"):
            Roles(all=Role.TRAIN, column="role")
        with pytest.raises(ValidationError, match=r"add up to 0\.9"):
            Roles(draw={Role.CONFIRM: 0.8, Role.CALIBRATE: 0.1})
        assert set(EVALUATION) == {Role.DISCOVER, Role.CONFIRM}

    def test_rounds_are_a_number_or_a_range(self):
        assert Measure.model_validate({"rounds": 7}).rounds == Rounds(least=7, most=7)
        with pytest.raises(ValidationError, match="less than"):
            Rounds(least=5, most=4)

    def test_limits_are_written_with_units(self):
        limits = Measure.model_validate({"limits": {"open": "2 min", "memory": "1 GiB"}}).limits
        assert (limits.open, limits.memory) == (120.0, 2**30)


def test_records_are_frozen_closed_and_hashed_by_content():
    ref = PartRef(name="a", options={"x": 1, "y": 2})
    assert ref.digest() == PartRef(name="a", options={"y": 2, "x": 1}).digest() == digest(ref.model_dump())
    with pytest.raises(ValidationError):
        ref.name = "b"
    with pytest.raises(ValidationError):
        PartRef(name="a", optoins={})


def test_a_dossier_survives_json_and_finds_the_nearest_level():
    dossier = sample_dossier()
    assert Dossier.model_validate_json(dossier.model_dump_json()) == dossier
    candidate = next(entry for entry in dossier.candidates if not entry.reference).id
    stated = [f for f in dossier.findings if f.what == "accuracy.drop" and f.candidate == candidate]
    assert len(stated) == 2
    assert dossier.find("accuracy.drop", candidate) == min(stated, key=lambda f: abs(f.level - 0.95))
    assert dossier.find("accuracy.drop", candidate, level=0.999) == max(stated, key=lambda f: f.level)
    assert dossier.entry(dossier.reference().label) == dossier.reference()
