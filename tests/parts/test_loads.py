"""Schedules, LoadGen's rules, and what meters say of queues: against LoadGen's own words and a queue whose waits are known."""

import json

import numpy as np
import pytest
from scipy import stats

from seatrial import catalog
from seatrial.contracts.events import Events, Leg
from seatrial.contracts.finding import Origin, State
from seatrial.contracts.protocols import Probe, Round
from seatrial.errors import DataError
from seatrial.numerics.percentiles import discards, loadgen_discards, percentile
from seatrial.testing.loads import Echo


def part(kind, name):
    return catalog.load(catalog.find(kind, name))


SERVER, BURSTS, TRACE, MULTI = (part("loads", name) for name in ("server", "bursts", "trace", "multi_stream"))
LATENCY, SUSTAINED, REAL_TIME, VALIDITY = (
    part("meters", name) for name in ("latency", "sustained", "real_time", "validity")
)


# --- schedules ---------------------------------------------------------------------------------------------------------


def test_server_arrivals_are_poisson():
    from seatrial.parts.loads._schedules import poisson

    gaps = np.diff(poisson(100.0, 50.0, 1, (0, 0)))
    assert stats.kstest(gaps, "expon", args=(0, 0.01)).pvalue > 0.001
    counts = [len(poisson(100.0, 1.0, 1, (seed, 0))) for seed in range(400)]
    assert abs(np.mean(counts) - 100) < 4 * 10 / np.sqrt(400)
    assert 0.8 < np.var(counts) / 100 < 1.25, "counts of a Poisson process vary as much as they are large"
    assert len(poisson(1.0, 0.1, 40, (0, 0))) == 40, "the least number of queries is kept"


def test_bursts_have_pauses_between_them():
    options = BURSTS.Options(rate=2000, on=0.1, off=0.4, seconds=5, queries=1)
    arrivals = BURSTS.schedule(options)
    phase = arrivals % 0.5  # one burst's length in each period, somewhere in it
    inside = np.sort(np.concatenate([phase, phase + 0.5]))
    assert np.diff(inside).max() == pytest.approx(0.4, abs=0.01)
    assert (np.diff(arrivals) >= 0).all()
    assert len(arrivals) == pytest.approx(2000, abs=5 * np.sqrt(2000))


@pytest.mark.parametrize("kind", ["txt", "csv", "parquet", "dates.csv"])
def test_traces_are_read_from_files(tmp_path, kind):
    import polars

    file = tmp_path / f"day.{kind}"
    moments = [100.0, 100.5, 102.0]
    if kind == "txt":
        file.write_text("100\n100.5\n\n102\n")
    elif kind == "parquet":
        polars.DataFrame({"at": moments, "user": [1, 2, 3]}).write_parquet(file)
    elif kind == "csv":
        file.write_text("at,user\n" + "".join(f"{one},7\n" for one in moments))
    else:
        file.write_text("at,user\n2026-01-01 00:00:00.0,1\n2026-01-01 00:00:00.5,1\n2026-01-01 00:00:02.0,1\n")
    options = TRACE.Options(path=file.name, column=None if kind == "txt" else "at", speed=100)
    ready = TRACE.prepare(options, tmp_path)
    assert ready.arrivals == pytest.approx((0.0, 0.5, 2.0))
    assert TRACE.Options(**json.loads(ready.model_dump_json())) == ready, "it travels to workers as JSON"
    events = TRACE.drive(Echo(), [{"x": np.zeros((1, 1))}], 1, ready)
    assert np.diff(events.scheduled).tolist() == [5_000_000, 15_000_000]


@pytest.mark.parametrize(
    ("content", "words"),
    [("1\ntwo\n", "day.txt:2"), ("1\n3\n2\n", "arrival 3"), ("1\nnan\n", "arrival 2"), ("", "no arrivals")],
)
def test_bad_traces_are_refused_with_the_place(tmp_path, content, words):
    (tmp_path / "day.txt").write_text(content)
    with pytest.raises(DataError, match=words):
        TRACE.prepare(TRACE.Options(path="day.txt"), tmp_path)
    with pytest.raises(DataError, match="there is no file"):
        TRACE.prepare(TRACE.Options(path="night.txt"), tmp_path)


def test_rates_rise_and_higher_ones_are_left_out_when_the_queue_outgrows_the_time():
    with pytest.raises(ValueError, match="rise"):
        SERVER.Options(rate=[100, 50])
    options = SERVER.Options(rate=[20, 2000, 4000], seconds=0.1, queries=5, most=0.4)
    events = SERVER.drive(Echo(wait=0.01), [{"x": np.zeros((1, 1))}], 1, options)
    low, high, left_out = events.legs
    assert (low.unsent, left_out.sent, left_out.unsent) == (0, 0, 0)
    assert high.unsent > 0
    assert low.sent >= 5


def test_multi_stream_gives_a_small_batch_its_rows_in_several_calls():
    queries = [{"x": np.full((2, 1), place, np.float32)} for place in range(5)]
    echo = Echo()
    events = MULTI.drive(echo, queries, 2, MULTI.Options(seconds=1e-9, queries=7))
    assert (events.samples, len(events.done), len(echo.sent)) == (8, 7, 28)
    assert [sent["x"][0, 0] for sent in echo.sent[:6]] == [0, 1, 2, 3, 4, 0]
    assert all(one.answer["x"][0, 0] == one.query for one in events.kept)
    assert [MULTI.samples(batch) for batch in (1, 3, 8, 64)] == [1, 2, 8, 8]


def test_every_answer_is_kept_as_often_as_any_other():
    from seatrial.parts.loads._driving import Sample

    seen = np.zeros(40)
    for _ in range(2000):
        sample = Sample(4)
        for place in range(40):
            if place == sample.next:
                sample.keep(place, {})
        for one in sample.all():
            seen[one.query] += 1
    assert seen.sum() == 8000
    assert stats.chisquare(seen).pvalue > 1e-4


# --- LoadGen 6.0.17, run on a session that does nothing: what its summary said --------------------------------------------


@pytest.mark.parametrize(
    ("p", "n", "discarded"), [(0.9, 63, None), (0.9, 64, 0), (0.9, 1000, 77), (0.9, 2000, 167), (0.99, 661, None), (0.99, 662, 0), (0.99, 2000, 8), (0.99, 10_000, 76), (0.999, 6635, None), (0.999, 6636, 0)]
)  # fmt: skip
def test_discards_of_single_and_multi_stream(p, n, discarded):
    assert loadgen_discards(n, p) == discarded


@pytest.mark.parametrize(("over", "needed"), [(0, 459), (100, 100 + 12_471), (1000, 1000 + 106_569)])
def test_queries_that_a_server_run_needs_with_so_many_over_its_bound(over, needed):
    assert discards(needed, 0.99) == over
    assert (discards(needed - 1, 0.99) or -1) < over or (over == 0 and discards(needed - 1, 0.99) is None)


def test_percentiles_are_loadgens():
    ordered = np.arange(1000.0)
    assert [percentile(ordered, p) for p in (0.5, 0.9, 0.99)] == [500, 900, 990]
    assert percentile(np.arange(64.0), 0.99) == 63, "of 64 queries LoadGen's p99 is their largest"


def block(latencies, seconds, samples=1, rate=None, unsent=0):
    """Events of a block of this length, with these latencies; `unsent` more came at its end."""
    latencies = np.asarray(latencies)
    start = np.linspace(0, (seconds - latencies[-1]) * 1e9, len(latencies)).astype(np.int64)
    done = start + np.round(latencies * 1e9).astype(np.int64)
    if rate is None:
        return Events(issued=start, done=done, samples=samples)
    end = int(seconds * 1e9)
    late = np.full(unsent, end - 10**9)
    return Events(issued=start, done=done, scheduled=start, legs=(Leg(rate, len(start), unsent, end),), unsent=late)


def found(meter, events, load, rounds=5, reference=None, **options):
    def readings(of):
        return [meter.read(Probe(of, {}, None)) for _ in range(rounds)]

    theirs = readings(reference) if reference else [None] * rounds
    pairs = [Round(at, mine, other) for at, (mine, other) in enumerate(zip(readings(events), theirs, strict=True))]
    return list(meter.findings(pairs, load, 0.95, meter.Options(**options)))


def noise(n, mean=0.01, seed=0):
    return mean * np.random.default_rng(seed).lognormal(0, 0.2, n)


@pytest.mark.parametrize(
    ("load", "events", "value", "words"),
    [
        ("single_stream", block(noise(64), 600.1), "valid", ""),
        ("single_stream", block(noise(63), 600.1), "short", "p90 needs 64"),
        ("single_stream", block(noise(64), 599), "short", "600 s"),
        ("multi_stream", block(noise(662), 600.1, 8), "valid", ""),
        ("multi_stream", block(noise(661), 600.1, 8), "short", "p99 needs 662"),
        ("offline", block(noise(24_576), 600.1), "valid", ""),
        ("offline", block(noise(24_575), 600.1), "short", "24,576 rows"),
        ("server", block(noise(6000), 600.1, rate=9.9), "valid", ""),
        ("server", block(noise(458), 601, rate=0.7), "short", "p99 needs 459"),
        ("server", block(noise(6000), 601, rate=9.9, unsent=3), "invalid", "set `rate` lower"),
        ("server", block(np.where(np.arange(6000) < 43, 0.2, 0.01), 601, rate=9.9), "invalid", "43 queries"),
        ("server", block(np.where(np.arange(6000) < 42, 0.2, 0.01), 601, rate=9.9), "valid", ""),
    ],
)
def test_validity_by_loadgens_rules(load, events, value, words):
    (one,) = found(VALIDITY, events, load)
    assert (one.value, words in one.note) == (value, True), one.note
    assert "unverified" in one.method
    assert discards(6000, 0.99) == 42


# --- what meters say of queues --------------------------------------------------------------------------------------------


def test_where_the_queue_outgrows_the_time_there_is_a_lower_bound_and_advice():
    fast = block(noise(500), 5.1, rate=100)
    slow = block(np.linspace(0.1, 4, 300), 5, rate=100, unsent=200)
    stated = {one.what: one for one in found(LATENCY, slow, "server", reference=fast)}
    p99 = stated["latency.p99"]
    assert p99.at == {"load": "server", "rate": 100}
    assert (p99.high, p99.state) == (None, State.OK)
    assert p99.low == pytest.approx(3.96, abs=0.05), "a requirement below it fails"
    assert "1000 of 2500" in p99.note
    assert "set `rate` well below" in p99.note
    assert "speedup" not in stated
    clean = {one.what: one for one in found(LATENCY, fast, "server", reference=fast)}
    assert clean["speedup"].value == pytest.approx(1)
    assert clean["latency.p99"].note == ""


def ladder(latencies):
    """One block of several rates, each with its latencies; nothing was sent at those that have none."""
    legs = [Leg(100.0 * (at + 1), len(one), 0, 10**10) for at, one in enumerate(latencies)]
    parts = [block(one, 10.0, rate=1.0) for one in latencies if len(one)]
    start, done = (np.concatenate([getattr(one, name) for one in parts]) for name in ("issued", "done"))
    return Events(issued=start, done=done, scheduled=start, legs=tuple(legs), unsent=np.empty(0, np.int64))


def test_the_highest_rate_ends_where_one_fails_even_if_a_higher_one_would_do():
    (one,) = found(SUSTAINED, ladder([noise(500), noise(500), noise(500, 0.09), noise(500)]), "server", latency=0.1)
    assert (one.value, one.low) == (200, 200)
    assert "at 300 a second" in one.note
    (none,) = found(SUSTAINED, ladder([noise(500, 0.2)]), "server", latency=0.1)
    assert none.origin is Origin.MISSING
    (few,) = found(SUSTAINED, ladder([noise(20)]), "server", latency=0.1)
    assert "needed" in few.note, "too few queries for a bound are no proof"
    (untried,) = found(SUSTAINED, ladder([noise(500), []]), "server", latency=0.1)
    assert "not tried" in untried.note


def test_bounds_allow_for_queries_that_wait_for_each_other():
    """The same latencies, in runs: a server's p99 has no bound then, or needs far more queries."""
    slow = np.where(np.arange(3000) // 30 % 100 == 0, 0.05, 0.01) * np.random.default_rng(0).lognormal(0, 0.05, 3000)
    mixed = np.random.default_rng(1).permutation(slow)
    together, apart = (
        {one.what: one for one in found(LATENCY, block(one, 40, rate=100), "server")}["latency.p99"]
        for one in (slow, mixed)
    )
    assert apart.high is not None
    assert (together.high, together.state) == (None, State.TOO_FEW)
    assert "wait for each other" in together.method


def test_deadlines_and_jitter():
    latencies = np.where(np.arange(1000) % 50 == 0, 0.2, 0.01)
    stated = {one.what: one for one in found(REAL_TIME, block(latencies, 60), "single_stream", deadline="50 ms")}
    misses, jitter = stated["latency.misses"], stated["latency.jitter"]
    assert misses.at == {"load": "single_stream", "deadline": 0.05}
    assert misses.value == pytest.approx(0.02)
    assert misses.low < 0.02 < misses.high
    assert jitter.value == pytest.approx(np.abs(np.diff(latencies)).mean(), rel=1e-3)
    late = {one.what: one for one in found(REAL_TIME, block(noise(300), 5, rate=100, unsent=200), "server")}
    assert late["latency.misses"].high is None
    assert late["latency.misses"].value == pytest.approx(0.4)


def test_jitter_that_can_not_be_told_is_missing_with_the_reason():
    def jitter(events, load):
        return next(one for one in found(REAL_TIME, events, load) if one.what == "latency.jitter")

    overrun = jitter(block(noise(300), 5, rate=100, unsent=200), "server")
    assert (overrun.value, overrun.state) == (None, State.UNSTABLE)
    assert "outgrew" in overrun.note
    assert "send more" in jitter(block([0.01], 1), "single_stream").note
    assert "alike" in jitter(block([0.01] * 5, 1), "single_stream").note


def test_where_fewer_queries_come_than_were_asked_for_it_is_told_and_where_none_does_too():
    """One query in 100 s on average, and a block of at most half a second; and 40 a second, 200 of them."""
    session, queries = Echo(), [{"x": np.zeros((1, 1))}]
    none = SERVER.drive(session, queries, 1, SERVER.Options(rate=0.01, queries=1, seconds=0.1, most=0.5))
    assert (len(none.issued), none.legs[0].cut) == (0, 1)
    for meter in (LATENCY, REAL_TIME):
        stated = found(meter, none, "server")
        assert {one.what for one in stated} >= set(meter.GIVES["finding"]) - {"speedup"}
        assert all("no query came" in one.note and "`most`" in one.note for one in stated)
    few = SERVER.drive(session, queries, 1, SERVER.Options(rate=40, queries=200, seconds=0.1, most=0.5))
    assert 0 < few.legs[0].cut == 200 - len(few.issued)
    assert all(f"of {5 * 200} queries came" in one.note for one in found(LATENCY, few, "server"))
    whole = SERVER.drive(session, queries, 1, SERVER.Options(rate=400, queries=20, seconds=0.05))
    assert not [one for one in found(LATENCY, whole, "server") if "queries came" in one.note]


def test_a_trace_that_lasts_longer_than_a_block_may_is_refused(tmp_path):
    (tmp_path / "day.txt").write_text("0\n43200\n86399\n")
    with pytest.raises(DataError, match="last 86399 s, and a block may last 20 s") as caught:
        TRACE.prepare(TRACE.Options(path="day.txt"), tmp_path)
    assert "most: 86400" in str(caught.value)
    assert TRACE.prepare(TRACE.Options(path="day.txt", speed=10_000), tmp_path).arrivals[-1] == 86399
    (tmp_path / "day.csv").write_text("0.5\n0.7\n0.9\n")
    with pytest.raises(DataError, match="no header"):
        TRACE.prepare(TRACE.Options(path="day.csv"), tmp_path)


def test_a_slow_candidate_gets_fewer_queries_than_asked_for_in_every_load():
    """Of 50 ms an answer, in blocks of at most 0.2 s: they end. So does each window of the warm-up."""
    from seatrial.parts.loads._driving import warm

    for name in ("single_stream", "multi_stream", "offline"):
        load = part("loads", name)
        options = load.Options(seconds=0.01, queries=100, most=0.2)
        events = load.drive(Echo(wait=0.05), [{"x": np.zeros((8, 1))}], 8, options)
        assert 1 <= len(events.done) <= 5
    assert len(warm(Echo(wait=0.05), [{"x": np.zeros((1, 1))}], 1, SERVER.Options(rate=1, most=0.02)).done) <= 2


# --- the highest rate within a bound, on a clock of the test's own ----------------------------------------------------------

RATE = part("meters", "rate_at_bound")


class Clock:
    """A clock that only moves when somebody waits or works; a session that takes as long as it is told to."""

    def __init__(self, monkeypatch, service):
        from seatrial.parts.loads import _driving, _meeting

        self.now, self._service, self.sent = 0, service, []
        for module in (_driving, _meeting):
            monkeypatch.setattr(module, "perf_counter_ns", self._look)
        monkeypatch.setattr(_driving, "sleep", self._sleep)

    def _look(self):
        self.now += 2_000  # looking takes time, too, so that waiting by looking ends
        return self.now

    def _sleep(self, seconds):
        self.now += int(seconds * 1e9)

    def predict(self, values):
        self.sent.append(float(values["x"].item()))
        self.now += int(self._service(len(self.sent)) * 1e9)
        return values


QUERIES = [{"x": np.full((1, 1), place, np.float32)} for place in range(50)]


def searched(monkeypatch, service, rounds=5, find=None, rate=20.0, **options):
    """Events of so many rounds of a server load that searches."""
    wanted = {"latency": 0.05} | (find or {})
    made = []
    for number in range(rounds):
        clock = Clock(monkeypatch, service)
        given = SERVER.Options(rate=rate, find=wanted, round=number, most=300, **options)
        made.append(SERVER.drive(clock, QUERIES, 1, given))
    return made


def stated(events):
    rounds = [Round(at, RATE.read(Probe(one, {}, None))) for at, one in enumerate(events)]
    return {one.what: one for one in RATE.findings(rounds, "server", 0.95, RATE.Options())}


def p99_of_constant_service(rate, service, n=400_000):
    """Sojourn at p99 of M/D/1 by Lindley's recursion."""
    gaps = np.random.default_rng(9).exponential(1 / rate, n)
    steps = np.concatenate([[0.0], np.cumsum(service - gaps[1:])])
    return np.quantile(steps - np.minimum.accumulate(steps) + service, 0.99)


def test_the_rate_found_is_one_that_holds_and_near_the_one_of_theory(monkeypatch):
    """M/D/1 with 10 ms of service and a bound of 50 ms on p99."""
    found = stated(searched(monkeypatch, lambda _: 0.01, find={"queries": 3000}))
    rate, fails = found["rate_at_bound"], found["rate_at_bound.fails"]
    grid = 20.0 * 1.05 ** np.arange(60)
    best = max(one for one in grid if p99_of_constant_service(one, 0.01) <= 0.05)
    assert best / 1.05**4 <= rate.value <= best * 1.001
    assert p99_of_constant_service(rate.value, 0.01) <= 0.05, "what is stated holds"
    assert fails.value >= best / 1.05**3, "what is said to fail does, or nearly: queries are taken for independent"
    assert rate.value < fails.value
    assert "between the two nothing was tried" in rate.note
    assert rate.at == {"latency": 0.05, "load": "server", "percentile": 99.0}


def test_rates_are_on_one_grid_and_probes_have_queries_enough_and_schedules_of_their_own(monkeypatch):
    events = searched(monkeypatch, lambda _: 0.01)
    legs = [leg for one in events for leg in one.legs if leg.bound]
    places = np.log([leg.rate / 20.0 for leg in legs]) / np.log(1.05)
    assert np.allclose(places, np.round(places))
    assert min(leg.sent + leg.unsent for leg in legs) >= 459
    assert all(one.legs[0].bound is None for one in events), "the stated rate is driven first, as always"
    again, other = searched(monkeypatch, lambda _: 0.01, 1), searched(monkeypatch, lambda _: 0.01, 1, schedule_seed=4)
    assert np.array_equal(again[0].scheduled, events[0].scheduled)
    assert not np.array_equal(other[0].scheduled[:100], events[0].scheduled[:100])
    first, second = (leg.sent for leg in events[0].legs[1:3])
    begin = events[0].legs[0].sent
    gaps = [
        np.diff(events[0].scheduled[a:b]) for a, b in ((begin, begin + first), (begin + first, begin + first + second))
    ]
    scaled = [gap[:400] / gap.mean() for gap in gaps]
    assert not np.allclose(*scaled, rtol=0.05), "each probe draws its own arrivals"


def test_meters_of_stated_rates_pass_over_probes(monkeypatch):
    one = searched(monkeypatch, lambda _: 0.01, 1)[0]
    for meter in (LATENCY, SUSTAINED, REAL_TIME, VALIDITY):
        rates = {finding.at.get("rate") for finding in found(meter, one, "server", rounds=3) if "rate" in finding.at}
        assert rates <= {20}


def test_a_server_that_always_fails_or_never_does_is_told(monkeypatch):
    slow = stated(searched(monkeypatch, lambda _: 0.2, 2))
    assert slow["rate_at_bound"].origin is Origin.MISSING
    assert "2 of 2 probes didn't hold" in slow["rate_at_bound"].note
    assert slow["rate_at_bound.fails"].value < 5, (
        "it looked further down, as far as there were queries enough in the time"
    )
    quick = stated(searched(monkeypatch, lambda _: 1e-6, 2, find={"probes": 4}))
    assert quick["rate_at_bound"].value == pytest.approx(20 * 1.05 ** (14 * 3))
    assert "allow more `probes`" in quick["rate_at_bound"].note
    assert quick["rate_at_bound.fails"].origin is Origin.MISSING


def test_a_rate_that_held_above_one_that_did_not_is_not_counted():
    """Monotonicity is no proof: the rate that is stated lies below every one that failed, and the other is said."""
    bound = [0.05, 99.0]

    def leg(rate, late):
        return {"rate": rate, "sent": len(late), "unsent": 0, "bound": bound, "latencies": late, "busy": 0.5}

    good, bad = np.full(2000, 0.01), np.where(np.arange(2000) % 20 == 0, 0.2, 0.01)
    rounds = [Round(at, {"legs": [leg(100, good), leg(200, bad), leg(300, good)]}) for at in range(3)]
    one = next(iter(RATE.findings(rounds, "server", 0.95, RATE.Options())))
    assert (one.value, one.low, one.state) == (100, 100, State.OK)
    assert "300, held where it was tried" in one.note
    few = [Round(0, {"legs": [leg(100, good[:300]), leg(200, bad)]})]
    none, fails = RATE.findings(few, "server", 0.95, RATE.Options())
    assert "too few queries" in none.note
    assert fails.value == 200


def test_without_a_search_the_meter_says_how_to_ask_for_one():
    one, other = RATE.findings([Round(0, {"legs": []})], "server", 0.95, RATE.Options())
    assert "find:" in one.note
    assert other.origin is Origin.MISSING
