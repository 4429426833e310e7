"""Searches: the exam, each reason for leaving out, and how often the best is lost where the truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.candidate import Candidate, PartRef
from seatrial.contracts.race import Entrant, Failing, Race
from seatrial.numerics.distributions import binomial_cdf
from seatrial.testing.searches import entrants, exam, play

HALVING = catalog.find("searches", "halving")
halving = catalog.load(HALVING)


def options(**given):
    return catalog.options(HALVING, given)


@pytest.mark.parametrize("name", catalog.parts("searches"))
def test_every_search_passes_the_exam(name):
    exam(catalog.find("searches", name))


HASTY = '''"""Leaves out whoever looks worse in the end, noise or not."""
from seatrial.contracts.race import Leaving, Rungs
def order(candidates, options): return [one.id for one in candidates]
def rungs(options): return Rungs((4,), 0.1)
def leave(race, options):
    PLANTED
'''
FAULTS = {
    "lost": "return [Leaving(one.id, 'no reason') for one in race.running if 'r05' in one.id]",
    "without a figure": "return [Leaving(race.running[-1].id, 'slow') for _ in [0] if len(race.running) == 4]",
    "nobody is left": "return [Leaving(one.id, 'equal') for one in race.running if len(race.running) == 5]",
    "may not pass": (
        "return [Leaving(one.id, 'slow') for one in race.running if one.values and not one.sound and "
        "one.values['r0'] < max(other.values['r0'] for other in race.running)]"
    ),
    "isn't said": "return [Leaving(one.id, 'because') for one in race.running if one.failing]",
}


@pytest.mark.parametrize("complaint", FAULTS)
def test_the_exam_finds_a_careless_search(tmp_path, complaint):
    (tmp_path / "hasty.py").write_text(HASTY.replace("PLANTED", FAULTS[complaint]))
    with pytest.raises(AssertionError, match=complaint.replace("lost", "left out in")):
        exam(catalog.find("searches", "./hasty.py", tmp_path))


# --- where the truth is known -------------------------------------------------------------------------------------------------


def races(truth, noise, repeats, given=None, **race):
    """How often the best is lost, how often the one that stays and is best is more than 3 % behind, and the share of rounds run."""
    given = given or options()
    field = entrants(len(truth))
    by_id = dict(zip([one.id for one in field], truth, strict=True))
    most = halving.rungs(given).counts[-1]
    lost, behind, run = 0, 0, 0
    for seed in range(repeats):
        random = np.random.default_rng(seed)
        drift = np.cumsum(random.normal(0, 0.05, most))  # the machine, which hits all of a round alike
        played = play(
            halving, given, field, lambda id_, r: by_id[id_] * np.exp(drift[r]) * noise(random), **race  # noqa: B023
        )  # fmt: skip
        stay = max(by_id[id_] for id_ in played.staying)
        lost += stay < max(truth)
        behind += stay < max(truth) / 1.03
        run += sum(played.rounds.values())
    return lost / repeats, behind / repeats, run / (repeats * len(truth) * most)


def lognormal(random):
    return random.lognormal(0, 0.03)


def heavy(random):
    """One round in ten is disturbed by up to a half, unnoticed."""
    return random.lognormal(0, 0.02) * (1 - (random.random() < 0.1) * random.random() / 2)


SPREAD = np.geomspace(1.0, 8.0, 24)


@pytest.mark.parametrize("noise", [lognormal, heavy])
def test_the_best_is_lost_no_more_often_than_stated(noise):
    truth = [*SPREAD, 8.3]  # two that are hard to tell apart, one 3.7 % better
    given = options(within=0.0, finalists=1.0)
    lost, _, _ = races(truth, noise, 150, given)
    assert 1 - binomial_cdf(round(lost * 150) - 1, 150, 0.05) > 0.01, lost


def test_most_rounds_are_saved_and_what_stays_is_as_good():
    lost, behind, share = races(SPREAD, lognormal, 60)
    assert behind <= 0.05
    assert share < 0.5
    assert lost <= 0.05


def test_equals_are_not_told_apart_by_luck():
    """With nothing between them, whoever is left out is left out for being no more than `within` better: never by a strict bound."""
    lost, _, _ = races([1.0] * 9 + [1.019], lognormal, 60, options(within=0.0, finalists=1.0))
    assert lost <= 0.05


def test_bounds_that_did_not_allow_for_looking_would_lose_it(monkeypatch):
    """The same race with each bound at the level of a single one loses the best clearly more often: the correction is needed."""
    truth = [1.0] * 19 + [1.001]
    original = halving._at_most
    monkeypatch.setattr(
        halving, "_at_most", lambda one, other, race, level, noise: original(one, other, race, 0.9, noise)
    )
    lost, _, _ = races(truth, lognormal, 60, options(within=0.0))
    assert lost > 0.2


def test_at_the_last_look_no_more_stay_than_are_measured_in_full_and_how_good_the_others_might_be_is_said():
    field = entrants(30)
    place = {one.id: index for index, one in enumerate(field)}
    played = play(
        halving, options(), field, lambda id_, r: 1.0 + place[id_] / 1000 + 0.05 * ((place[id_] * 7 + r * 3) % 11)
    )
    assert len(played.staying) == 3, "a tenth of 30"
    ranked = [one for one in played.left if "stood better" in one.reason]
    assert ranked
    assert all("at most" in one.reason and "% confidence" in one.reason and one.by in played.staying for one in ranked)
    everybody = play(
        halving, options(finalists=1.0), field, lambda id_, r: 1.0 + 0.05 * ((place[id_] * 7 + r * 3) % 11)
    )
    assert len(everybody.staying) == 30


def test_nobody_is_ranked_out_while_there_are_short_rounds_to_come_or_where_few_are_sound():
    field = [entrant([1.0 + 0.01 * n, 1.0, 1.1, 0.9], threads=n + 1) for n in range(8)]
    assert not left(*field, what="speedup", better="higher")
    assert len(left(*field, what="speedup", better="higher", last=True)) == 6
    unsound = [replace(one, sound=False) for one in field[1:]]
    assert not left(field[0], *unsound, what="speedup", better="higher", last=True)


def test_fewer_processors_and_plain_precision_are_given_some_credit_too():
    slow, less = entrant([1.0, 1.01, 0.99, 1.0], threads=4, precision="bf16"), entrant()
    race = {"what": "speedup", "better": "higher"}
    for leads, gone in ((20.0, True), (12.0, False)):
        leader = entrant([leads * value for value in (1.0, 0.99, 1.01, 1.0)], device="cuda")
        assert (less.id in left(leader, slow, less, **race)) is gone


@pytest.mark.parametrize(
    ("coordinates", "leads", "gone"),
    [
        ({"threads": 4}, 10.0, True),
        ({"threads": 4}, 5.0, False),
        ({"instances": 2}, 4.0, True),
        ({"precision": "bf16"}, 20.0, True),
        ({"precision": "bf16"}, 10.0, False),
        ({"batch": 8}, 100.0, False),
        ({"precision": "unheard"}, 100.0, False),
        ({"threads": 4, "batch": 8}, 100.0, False),
    ],
)
def test_who_could_not_catch_up_at_any_peak_is_never_opened(coordinates, leads, gone):
    slow, unseen = entrant([1.0, 1.01, 0.99, 1.0]), entrant(**coordinates)
    leader = entrant([leads * value for value in (1.0, 0.99, 1.01, 1.0)], device="cuda")
    race = {"what": "speedup", "better": "higher"}
    found = left(leader, slow, unseen, **race)
    assert (unseen.id in found) is gone
    if gone:
        assert "assumed" in found[unseen.id].reason
        assert found[unseen.id].by == leader.id
    assert unseen.id not in left(leader, slow, unseen, given=options(assume=()), **race)
    seen = entrant([leads, leads, leads, leads], **coordinates)
    assert seen.id not in left(leader, slow, seen, **race), "figures of its own count more"


def test_lower_may_be_better():
    played = play(halving, options(), entrants(4), lambda id_, r: 1.0 + ("r02" not in id_) + 0.01 * (r % 2), "lower")
    assert [id_.split("/")[2] for id_ in played.staying] == ["r02"]


# --- each reason ----------------------------------------------------------------------------------------------------------------


def entrant(values=(), failing=(), sound=True, **coordinates):
    candidate = Candidate(model="m", runtime=PartRef(name="r"), **coordinates)
    return Entrant(candidate, f"t{candidate.threads} b{candidate.batch}", dict(enumerate(values)), failing, sound)


SLOW = Failing("latency.p99", "p99 is at least 9 ms, at most 5 ms is allowed", ("batch",))


def left(*running, gone=(), given=None, **race):
    found = halving.leave(Race(running, gone, 5, 3, **race), given or options())
    return {one.candidate: one for one in found}


def test_who_fails_a_requirement_is_left_out_with_the_bound():
    one, other = entrant(failing=(SLOW,)), entrant(threads=2)
    found = left(one, other)
    assert list(found) == [one.id]
    assert "at least 9 ms" in found[one.id].reason


def test_a_larger_batch_where_latency_failed_is_assumed_to_fail_and_it_is_said():
    small, large = entrant(failing=(SLOW,), batch=1), entrant(batch=8)
    found = left(large, gone=[small])
    assert "assumed" in found[large.id].reason
    assert "not measured" in found[large.id].reason
    assert not left(small.__class__(small.candidate, "s"), gone=[replace(large, failing=(SLOW,))]), (
        "a smaller one may pass"
    )
    assert not left(large, gone=[small], given=options(assume=()))
    assert not left(large, gone=[replace(small, failing=(SLOW._replace(same=()),))]), "the load sends larger queries"
    assert not left(entrant(batch=8, threads=2), gone=[small]), "they differ in two ways"
    assert not left(large, gone=[replace(small, failing=(Failing("accuracy", "too low", ("batch",)),))])


@pytest.mark.parametrize(
    ("failing", "failed", "other", "assumed"),
    [
        (SLOW, 2, 1, True),
        (SLOW, 1, 2, False),
        (SLOW, 2, 4, True),
        (Failing("memory.peak", "at least 2 GB"), 1, 2, True),
        (Failing("memory.peak", "at least 2 GB"), 2, 1, False),
    ],
    ids=["fewer", "more", "more than processors", "memory, more", "memory, fewer"],
)
def test_threads_are_assumed_only_where_asked(failing, failed, other, assumed):
    gone, one = entrant(failing=(failing,), threads=failed), entrant(threads=other)
    given = options(assume=["batch", "threads"])
    assert bool(left(one, gone=[gone], given=given, processors=2)) is assumed
    assert not left(one, gone=[gone], processors=2)


def test_nothing_is_assumed_where_the_answer_hung_on_it():
    small, large = entrant(failing=(SLOW,), batch=1), entrant(batch=8)
    assert left(large, gone=[small])
    assert not left(large, gone=[small], sure=True)
    slow, unseen = entrant([1.0, 1.01, 0.99, 1.0]), entrant(threads=4)
    leader = entrant([10.0, 9.9, 10.1, 10.0], device="cuda")
    race = {"what": "speedup", "better": "higher"}
    assert unseen.id in left(leader, slow, unseen, **race)
    assert set(left(leader, slow, unseen, sure=True, **race)) == {slow.id}, "what is shown still counts"


STEADY = np.array([1.0, 1.002, 0.998, 1.001, 0.999, 1.0, 1.001, 0.999])


def test_within_counts_as_as_good_and_the_leader_stays():
    lead, near, far = (entrant(STEADY * speed, batch=batch) for speed, batch in ((1.0, 1), (0.99, 2), (0.9, 4)))
    found = left(lead, near, far, what="speedup", better="higher")
    assert set(found) == {near.id, far.id}
    assert found[near.id].by == lead.id
    assert "at most 0.9" in found[near.id].reason
    ahead = entrant(STEADY * 1.015, batch=8)
    assert lead.id in left(lead, ahead, what="speedup", better="higher"), "1.5 % is within 2 %"
    relied = replace(lead, relied=True)
    twitchy = replace(ahead, values=dict(enumerate(STEADY[::-1] ** 12 * 1.015)))
    assert not left(relied, twitchy, what="speedup", better="higher"), "others were left out because of it"


def test_rounds_apart_are_compared_too():
    here, there = entrant(STEADY), replace(entrant(batch=2), values={f"x{k}": v for k, v in enumerate(STEADY / 3)})
    assert set(left(here, there, what="speedup", better="higher")) == {there.id}
    assert not left(here, replace(there, values={"x0": 0.3}), what="speedup", better="higher"), "one round says nothing"


def test_order_is_a_hint_by_peaks():
    field = [
        Candidate(model="m", runtime=PartRef(name="r"), precision=p, threads=t)
        for p in ("fp32", "bf16")
        for t in (1, 2)
    ]
    assert [(one.split("/")[4], one.split("/")[5]) for one in halving.order(field, options())] == [
        ("bf16", "t2"), ("bf16", "t1"), ("fp32", "t2"), ("fp32", "t1"),
    ]  # fmt: skip
