"""From what a run kept to replicas and money: service times, prices, places, and what a study makes of them."""

import datetime
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from small_study import STUDY, make

from seatrial.contracts.candidate import Candidate
from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.money import HOURS_A_MONTH, SECONDS_A_MONTH, Drawn, Money, Traffic, per_hour
from seatrial.contracts.verdict import Outcome
from seatrial.errors import StoreError, StudyError
from seatrial.flow import prices
from seatrial.flow import study as flow
from seatrial.flow.arrivals import read_arrivals
from seatrial.flow.asked import money as asked
from seatrial.flow.capacity import CLOUD, EDGE, OWN, Desk
from seatrial.flow.costs import findings, priced
from seatrial.flow.outlook import changing
from seatrial.flow.read import read
from seatrial.flow.service import Service, _drawn, service
from seatrial.flow.whatif import break_evens, scaled, swings
from seatrial.numerics.replicas import BRIEF

TIMED = Finding(what="latency.mean", at={"load": "single_stream"}, candidate="c", value=0.01, unit="s")
STEADY = Service("c", (np.full(400, 0.010),), {1: 0.010}, (TIMED,))
MONEY = {"traffic": {"rate": 150}, "within": "100 ms", "hour": "1.20/h"}


def desk(service=STEADY, **said):
    money = Money.model_validate(MONEY | said)
    return Desk(service, money, prices.stated(money, Path()), effort=BRIEF)


def by_key(found):
    return {one.key: one for one in found}


class TestWhatIsStated:
    def test_prices_and_traffic_in_the_ways_people_write_them(self):
        assert [per_hour(text) for text in ("1.20/h", "1.2", "24/day", 3.0)] == pytest.approx([1.2, 1.2, 1.0, 3.0])
        assert per_hour("730.5/month") == pytest.approx(1.0)
        with pytest.raises(ValueError, match=r"like `1\.20/h`"):
            per_hour("1.20/parsec")
        assert Traffic(a_month=SECONDS_A_MONTH).mean == pytest.approx(1.0)
        curve = Traffic(rate=10, hours=[0] * 12 + [1] * 12, peak=1.5)
        assert sum(curve.by_hour) / 24 == pytest.approx(10)
        assert curve.busiest == pytest.approx(30), "twice the mean for half a day, and half as much again"

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"traffic": {"rate": 1, "a_month": 5}}, "say one of `rate`"),
            ({"traffic": {"rate": 1, "hours": [1, 2]}}, "24 numbers"),
            ({"hour": "1/h", "price": "aws/g6.4xlarge"}, "`hour` for a price, or `price`"),
            ({"today": 5, "today_a_million": 5}, "`today`"),
            ({"within": 0}, "more than 0"),
        ],
    )
    def test_what_contradicts_itself_is_refused(self, wrong, words):
        with pytest.raises(ValidationError, match=words):
            Money.model_validate(MONEY | wrong)

    def test_the_shipped_prices_have_a_date_and_a_source_or_a_reason(self):
        shipped = prices.table(prices.SHIPPED)
        assert len(shipped) >= 14
        for name, one in shipped.items():
            assert isinstance(one, str) or (one.hour > 0 and one.date and one.source), name
        with pytest.raises(StudyError, match="the host alone"):
            prices.find("gcp/a2-highgpu-1g")
        with pytest.raises(StudyError, match=r"did you mean `aws/g6\.4xlarge`"):
            prices.find("aws/g6.4xlagre")
        assert prices.find("aws-capacity-block/p5.48xlarge").kind == "reserved"

    def test_a_table_of_ones_own_goes_first_and_its_faults_have_a_line(self, tmp_path):
        file = tmp_path / "mine.csv"
        file.write_text("provider,instance,hour,currency,date,source\naws,g6.4xlarge,0.9,EUR,2026-11-01,our contract\n")
        found = prices.find("aws/g6.4xlarge", file)
        assert (found.hour, found.currency, found.source) == (0.9, "EUR", "our contract")
        mixed = Money.model_validate(MONEY | {"hour": None, "price": "aws/g6.4xlarge", "prices": "mine.csv"})
        with pytest.raises(StudyError, match="is in EUR, the other amounts in USD"):
            prices.stated(mixed, tmp_path)
        assert prices.stated(mixed.model_copy(update={"currency": "EUR"}), tmp_path).hour == 0.9
        file.write_text("provider,instance,hour\na,b,1\nc,d,cheap\n")
        with pytest.raises(StudyError, match=r"mine\.csv:3: `cheap` is no price"):
            prices.table(file)
        file.write_text("provider,instance\na,b\n")
        with pytest.raises(StudyError, match="no column hour"):
            prices.table(file)

    def test_a_price_that_may_no_longer_hold_says_so(self):
        today = datetime.date(2026, 11, 30)
        dated = prices.find("lambda/gpu_8x_v100").model_copy(update={"date": "2026-11-01"})
        assert prices.doubt(dated, today) == ""
        assert "old: 7 months" in prices.doubt(dated.model_copy(update={"date": "list of 2026-05"}), today)
        assert "gives no date" in prices.doubt(dated.model_copy(update={"date": "2026-13-01"}), today)
        assert "gives no date" in prices.doubt(prices.find("lambda/gpu_8x_v100"), today), "a version is no date"
        assert "old: 23 months" in prices.doubt(prices.find("aws-capacity-block/p5.48xlarge"), today)
        assert prices.doubt(desk().price, today) == "", "what somebody states is theirs"
        told = priced(prices.find("aws/g6.4xlarge"), today)
        assert (told.value, told.unit, told.origin) == (1.3232, "USD", Origin.DECLARED)
        for words in ("us-east-1", "00148f2", "skypilot-catalog", "may be old", "`1.20/h`"):
            assert words in told.note

    def test_arrivals_rise(self, tmp_path):
        file = tmp_path / "a.txt"
        file.write_text("0\n0.5\n\n2\n")
        assert read_arrivals(file).tolist() == [0, 0.5, 2]
        for text, words in (("0\nx\n", r"a\.txt:2: `x`"), ("1\n0\n", "never fall"), ("1\n", "two arrivals")):
            file.write_text(text)
            with pytest.raises(StudyError, match=words):
                read_arrivals(file)

    def test_a_command_line_goes_before_a_file_and_a_file_before_the_study(self, tmp_path):
        file = tmp_path / "money.yaml"
        file.write_text("price: aws/g6.4xlarge\nwithin: 20 ms\n")
        study = MONEY | {"traffic": {"rate": 9, "peak": 3}}
        found = asked(study, file, None, {"rate": "5/s"})
        assert (found.hour, found.price, found.within) == (None, "aws/g6.4xlarge", 0.02)
        assert (found.traffic.rate, found.traffic.peak) == (5, 3)
        assert asked(study, file, None, {"hour": "2/h"}).price is None
        file.write_text("within: 20 parsecs\n")
        with pytest.raises(StudyError, match=r"money\.yaml:1:9"):
            asked(study, file, None, {})
        with pytest.raises(StudyError, match="how many queries come"):
            asked(None, None, None, {"within": "1 ms"})


class TestServiceTimes:
    def kept(self, folder, **fields):
        (folder / "arrays").mkdir(exist_ok=True)
        np.save(folder / "arrays" / "one.npy", np.array([0.01, 0.02]))
        np.save(folder / "arrays" / "two.npy", np.array([0.03]))
        return TIMED.model_copy(
            update={"artefacts": {"round 0": "arrays/one.npy", "round 1": "arrays/two.npy"}} | fields
        )

    def test_times_by_round_and_batches_of_what_differs_in_batch_alone(self, tmp_path):
        candidates = [Candidate(model="m", runtime="r", batch=batch) for batch in (1, 4)]
        candidates.append(Candidate(model="m", runtime="other", batch=8))
        first, four, other = (one.id for one in candidates)
        rate = {"what": "throughput", "at": {"load": "offline"}, "unit": "samples/s"}
        found = [
            self.kept(tmp_path, candidate=first),
            Finding(candidate=four, value=100.0, **rate),
            Finding(candidate=other, value=1.0, **rate),
        ]
        times = service(found, candidates, first, tmp_path)
        assert [one.tolist() for one in times.rounds] == [[0.01, 0.02], [0.03]]
        assert times.batches == pytest.approx({1: 0.02, 4: 0.04})
        assert times.seconds(4) == pytest.approx((0.02, 0.02 + 0.02 / 3, 0.02 + 0.04 / 3, 0.04))
        with pytest.raises(StoreError, match="batches of 5 were not measured"):
            times.seconds(5)

    def test_a_run_without_times_says_so_and_the_next_step(self, tmp_path):
        candidate = Candidate(model="m", runtime="r")
        gone = missing(
            "latency.mean", State.CRASHED, "it crashed", at={"load": "single_stream"}, candidate=candidate.id
        )
        for found, words in (([], "no times of single queries"), ([gone], "it crashed")):
            with pytest.raises(StoreError, match=words) as error:
                service(found, [candidate], candidate.id, tmp_path)
            assert "single_stream" in error.value.next_step
        lost = TIMED.model_copy(update={"candidate": candidate.id, "artefacts": {"round 0": "arrays/gone.npy"}})
        with pytest.raises(StoreError, match="can't be read"):
            service([lost], [candidate], candidate.id, tmp_path)


class TestPlaces:
    def test_money_by_hand(self):
        """150 a second at 10 ms each: two replicas bear it, 75 % busy."""
        found = by_key(findings(desk(today=2000, change=500)))
        assert found["capacity.replicas{place=cloud}"].value == 2
        assert found["capacity.busy{place=cloud}"].value == pytest.approx(0.75, rel=0.01)
        month = found["money.month{place=cloud}"]
        assert month.value == pytest.approx(2 * 1.2 * HOURS_A_MONTH)
        assert month.unit == "USD"
        assert found["money.per_million{place=cloud}"].value == pytest.approx(2 * 1.2 / (150 * 3600) * 1e6)
        assert found["money.payback{place=cloud}"].value == pytest.approx(500 / (2000 - month.value))

    def test_energy_that_was_measured_is_paid_for_gross(self):
        """10 ms a query at 60 W, of which 40 W at rest: 0.6 J a query gross, 0.2 J net."""
        at = {"load": "single_stream"}
        read_off = {"energy.query": (0.6, "J"), "energy.query.net": (0.2, "J"), "energy.power": (60.0, "W")}
        metered = [
            Finding(what=what, at=at, candidate="c", value=value, unit=unit) for what, (value, unit) in read_off.items()
        ]
        drawn, by = _drawn(metered, TIMED)
        assert (drawn.rest, drawn.query) == (pytest.approx(40.0), pytest.approx(0.2))
        assert len(by) == 3
        own = {"purchase": 3600, "years": 3, "kwh": 0.2}
        counted = replace(STEADY, drawn=drawn, drawn_by=by)
        found = by_key(findings(desk(counted, own=own)))
        month = found["money.month{place=own}"]
        assert not any("energy" in one for one in found["money.month{place=cloud}"].inputs), "it pays for no energy"
        watts = 2 * 40.0 + 150 * 0.2
        assert month.value == pytest.approx(2 * 100 + HOURS_A_MONTH * watts / 1000 * 0.2)
        assert "40 W at rest and 0.2 J a query" in month.method
        assert any("energy.query" in one for one in month.inputs)
        without, _ = _drawn([one for one in metered if one.what != "energy.query.net"], TIMED)
        assert (without.rest, without.query) == (60.0, 0.0), "as if it always worked"

    def test_the_interval_of_what_was_read_off_is_carried_into_the_cost(self):
        at = {"load": "single_stream"}
        read_off = (("energy.query", 0.6, 0.5, 0.7), ("energy.query.net", 0.2, 0.1, 0.4), ("energy.power", 60, 50, 70))
        metered = [Finding(what=what, at=at, candidate="c", value=value, low=low, high=high, level=0.95) for what, value, low, high in read_off]  # fmt: skip
        drawn, by = _drawn(metered, TIMED)
        counted = replace(STEADY, drawn=drawn, drawn_by=by)
        found = by_key(findings(desk(counted, own={"purchase": 0, "kwh": 1.0}, today=500)))
        month = found["money.month{place=own}"]
        kwh = HOURS_A_MONTH / 1000
        machines = found["capacity.replicas{place=own}"]
        assert month.high - month.value == pytest.approx(150 * 0.2 * kwh)
        assert month.value - month.low == pytest.approx(((machines.value - machines.low) * 40 + 150 * 0.1) * kwh)
        for what in (
            "money.per_million{place=own}",
            "money.payback{place=own}",
            "money.ratio{against=cloud,place=own}",
        ):
            assert found[what].low <= found[what].value <= found[what].high, what
        assert found["money.ratio{against=cloud,place=own}"].high > found["money.ratio{against=cloud,place=own}"].value

    def test_a_disturbed_meter_disturbs_what_pays_for_energy_alone(self):
        noisy = Finding(
            what="energy.power", at=TIMED.at, candidate="c", value=60.0, state=State.DISTURBED, note="others"
        )
        counted = replace(STEADY, drawn=Drawn(rest=60), drawn_by=(noisy,))
        found = by_key(findings(desk(counted, own={"purchase": 10, "kwh": 1.0})))
        assert found["money.month{place=own}"].state is State.DISTURBED
        assert found["capacity.replicas{place=own}"].state is State.OK
        assert found["money.month{place=cloud}"].state is State.OK

    def test_what_rests_on_an_estimated_draw_is_estimated_and_passes_no_requirement(self):
        for are, origin in (("estimated", Origin.ESTIMATED), ("declared", Origin.DECLARED)):
            own = {"purchase": 10, "kwh": 0.3, "watts": 100, "watts_are": are}
            found = by_key(findings(desk(own=own, today=5000)))
            for what in ("money.month{place=own}", "money.per_million{place=own}", "money.payback{place=own}", "money.ratio{against=cloud,place=own}"):  # fmt: skip
                assert found[what].origin is origin, what
            assert found["money.month{place=cloud}"].origin is Origin.DECLARED
            assert found["capacity.replicas{place=own}"].origin is Origin.DECLARED
        free = by_key(findings(desk(own={"purchase": 10, "watts": 100})))
        assert free["money.month{place=own}"].origin is Origin.DECLARED, "nobody pays for energy there"

    def test_energy_is_not_measured_where_none_was_or_for_another_machine_and_it_is_said(self):
        assert _drawn([missing("energy.query", State.NOT_HERE, "no counter", at=TIMED.at, candidate="c")], TIMED) == (
            None,
            (),
        )
        own = {"purchase": 3600, "years": 3, "kwh": 0.2}
        counted = replace(STEADY, drawn=Drawn(rest=40, query=0.2))
        for service_, said, words in (
            (STEADY, own, "energy left out"),
            (counted, own | {"slower": 2}, "energy left out"),
            (counted, own | {"watts": 50}, "50 W (estimated)"),
        ):
            (month,) = [one for one in findings(desk(service_, own=said)) if one.key == "money.month{place=own}"]
            assert words in month.method

    def test_an_own_machine_and_the_edge(self):
        own = {"purchase": 3600, "years": 3, "watts": 1000, "kwh": 0.2, "upkeep": 10}
        found = by_key(findings(desk(own=own, edge={"purchase": 36, "devices": 100, "years": 3, "slower": 2})))
        assert found["money.month{place=own}"].value == pytest.approx(2 * (100 + HOURS_A_MONTH * 0.2) + 10)
        assert found["capacity.replicas{place=edge}"].value == 100, "one and a half queries a second each"
        assert found["money.month{place=edge}"].value == pytest.approx(100.0)
        ratio = found["money.ratio{against=cloud,place=edge}"]
        assert ratio.value == pytest.approx(100 / (2 * 1.2 * HOURS_A_MONTH))
        assert ratio.low <= ratio.value <= ratio.high

    def test_replicas_that_share_a_machine(self):
        alone, shared = desk(traffic={"rate": 700}), desk(traffic={"rate": 700}, per_machine=4, own={"purchase": 3600})
        replicas = alone.offers()[0].replicas
        assert 8 <= replicas <= 12
        assert shared.offers()[0].replicas == replicas
        assert shared.month(CLOUD) == pytest.approx(alone.month(CLOUD) / replicas * -(-replicas // 4))
        assert shared.month(OWN) == pytest.approx(100 * -(-replicas // 4))

    def test_all_of_it_is_declared_and_names_what_was_measured(self):
        for one in findings(desk()):
            assert one.origin in (Origin.DECLARED, Origin.MISSING)
            assert TIMED.key in one.inputs
            assert "money.traffic" in one.inputs
        both = by_key(findings(desk(own={"purchase": 1})))
        assert "money.price{price=this machine}" in both["money.month{place=cloud}"].inputs
        assert "money.own" in both["money.month{place=own}"].inputs
        assert "money.price{price=this machine}" not in both["money.month{place=own}"].inputs

    def test_a_disturbed_measurement_makes_disturbed_money(self):
        noisy = TIMED.model_copy(update={"state": State.DISTURBED, "note": "other work"})
        found = findings(desk(Service("c", STEADY.rounds, STEADY.batches, (noisy,))))
        assert {one.state for one in found if one.value is not None} == {State.DISTURBED}
        assert found[0].note == "other work"

    def test_what_cannot_be_is_missing_with_the_reason(self):
        private = by_key(findings(desk(private=True, edge={"purchase": 1})))
        assert "must not leave" in private["money.month{place=cloud}"].note
        assert private["money.month{place=edge}"].value is not None
        assert "must not leave" in private["money.ratio{against=cloud,place=edge}"].note
        assert (
            "network alone takes 200 ms"
            in by_key(findings(desk(network={"delay": "200 ms"})))["money.month{place=cloud}"].note
        )
        assert (
            "an answer alone takes 10 ms"
            in by_key(findings(desk(within="5 ms")))["capacity.replicas{place=cloud}"].note
        )
        unpriced = by_key(findings(desk(hour=None)))
        assert unpriced["capacity.replicas{place=cloud}"].value == 2
        assert "no price" in unpriced["money.month{place=cloud}"].note

    def test_a_network_takes_its_part_of_the_bound(self):
        near, far = desk(within="25 ms"), desk(within="25 ms", network={"delay": "12 ms", "outage": 0.01})
        assert far.offers()[0].replicas > near.offers()[0].replicas
        assert far.offers()[0].unreachable == pytest.approx(0.01 * 150 * SECONDS_A_MONTH)

    def test_replicas_hired_by_the_hour_cost_less_than_all_day(self):
        uneven = desk(traffic={"rate": 300, "hours": [1] * 12 + [5] * 12})
        hourly = by_key(findings(uneven))["money.month{place=cloud,replicas=by the hour}"]
        assert 0 < hourly.low <= hourly.value < uneven.month(CLOUD)
        assert desk().by_the_hour() is None

    def test_what_would_be_if(self):
        both = desk(own={"purchase": 30000, "years": 3, "upkeep": 50})
        assert [one.replicas for one in scaled(both)] == sorted(one.replicas for one in scaled(both))
        moved = {one.name: one for one in swings(both, CLOUD)}
        dearer = moved["price of an hour"]
        assert dearer.month_high / dearer.month_low == pytest.approx(1.3 / 0.7)
        assert (dearer.place_low, dearer.place_high) == (CLOUD, OWN), "hired for 1753 and 1227 to 2279 against 1717"
        widths = [one.width for one in swings(both, CLOUD)]
        assert widths == sorted(widths, reverse=True)

    def test_break_even_with_a_price_by_the_query(self):
        flat = desk(today_a_million=10)
        ((pair, found),) = break_evens(flat).items()
        assert pair == (CLOUD, "today")
        assert found.volume == pytest.approx(1.2 * HOURS_A_MONTH / 10 * 1e6, rel=0.02), (
            "one replica, at 10 for a million"
        )
        assert found.low <= found.volume * 1.01
        assert found.high >= found.volume * 0.99

    def test_where_the_cheapest_now_is_not_the_cheapest_for_more_the_volume_is_said_all_the_same(self):
        """An hour costs 1.2, and ten devices 1000 a month together, which bear about a thousand a second."""
        edge = {"purchase": 100, "devices": 10, "years": 1 / 12}
        small = desk(traffic={"rate": 10}, edge=edge)
        assert small.cheapest().place == CLOUD
        ((pair, found),) = break_evens(small).items()
        told = by_key(changing(small))
        if pair == (EDGE, CLOUD):
            assert found.volume > small.a_month
        crossing = told[f"money.break_even{{against={pair[1]},place={pair[0]}}}"]
        assert crossing.value == pytest.approx(found.volume, rel=0.01)
        assert crossing.unit == "queries"

    def test_what_would_change_it_is_told_as_findings(self):
        both = desk(own={"purchase": 30000, "years": 3, "upkeep": 50})
        told = [one for one in changing(both) if one.what == "money.if"]
        bars = {(one.at["input"], one.at["to"]): one for one in told}
        assert both.cheapest().place == OWN
        moved = {one.name: one for one in swings(both, OWN)}
        hour, bought = moved["price of an hour"], moved["own: purchase"]
        assert bars["own: purchase", bought.high].value == pytest.approx(bought.month_high)
        turned = {
            (one.at["input"], one.at["to"]): one.value for one in changing(both) if one.what == "money.if.cheapest"
        }
        assert turned["price of an hour", hour.low] == CLOUD
        assert ("price of an hour", hour.high) not in turned
        assert all(one.origin in (Origin.DECLARED, Origin.MISSING) for one in told)
        late = by_key(changing(desk(within="12 ms")))
        gone = next(one for one in late.values() if one.at.get("input") == "latency bound" and one.value is None)
        assert "can't keep the bound" in gone.note
        assert not list(changing(desk(hour=None))), "without a price there is nothing to change"

    def test_a_replica_that_fails(self):
        spare, tight = desk(within="11 ms"), desk()
        (offer,) = spare.offers()
        assert offer.replicas > 2
        assert spare.with_one_fewer(offer).value > offer.least.value.value
        assert tight.with_one_fewer(tight.offers()[0]) is None, "one alone would be busy for 150 % of the time"

    def test_places_are_called_as_people_call_them(self):
        assert [one.place for one in desk(own={"purchase": 1}, edge={"purchase": 1}).offers()] == [CLOUD, OWN, EDGE]


ASKED = """
money:
  traffic: {rate: 2000/s}
  within: 50 ms
  hour: 1.20/h
  own: {purchase: 2000}
  today: 2000
  change: 100
"""
RULES = """require:
  - payback: {bound: 12, accept: declared}
  - edge_or_cloud: {take: own, against: cloud, accept: declared}
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    study = STUDY.replace(
        "loads: [offline], rounds: 2, meters: [throughput, size]",
        "loads: [single_stream, offline], rounds: 2, meters: [latency, throughput]",
    )
    study = study.replace("prefer: {what: speedup, at: {load: offline}}", "prefer: {rule: cheapest}")
    study = study[: study.index("require:")] + RULES + study[study.index("prefer:") :] + ASKED
    folder = tmp_path_factory.mktemp("money")
    return folder, flow.run(make(folder, study))


def test_a_study_with_money_finds_and_decides(ran):
    _, dossier = ran
    id_ = dossier.candidates[1].id
    month = dossier.find("money.month", id_, place="cloud")
    assert month.number == pytest.approx(1.2 * HOURS_A_MONTH)
    judged = {one.rule: one for one in dossier.verdict.of(id_).judgements}
    clean = month.state is State.OK
    assert (judged["payback"].outcome is Outcome.PASS) == clean
    assert (judged["edge_or_cloud"].outcome is Outcome.PASS) == clean
    if dossier.verdict.recommended:
        assert "money.month" in dossier.verdict.sentence
    (price,) = [one for one in dossier.findings if one.what == "money.price"]
    assert (price.value, price.candidate) == (1.2, None)
    spoken_of = {one.candidate for one in dossier.findings if one.what.startswith(("money.if", "money.break_even"))}
    assert spoken_of == {dossier.verdict.recommended or dossier.reference().id}
    page = next((ran[0] / ".seatrial" / "runs").glob("*/report.html")).read_text()
    for words in ('<section id="money"', "machines of your own", "What would change it", "price of an hour"):
        assert words in page, words
    files = dossier.find("latency.mean", id_, load="single_stream").artefacts
    assert files
    assert all((ran[0] / ".seatrial" / file).is_file() for file in files.values())


def test_the_place_of_a_wrong_price_is_said(tmp_path):
    file = make(tmp_path, STUDY + ASKED.replace("hour: 1.20/h", "price: aws/nothing"))
    with pytest.raises(StudyError, match=r"study\.yaml:\d+:\d+: there is no price `aws/nothing`"):
        read(file)
    file.write_text(STUDY.replace("prefer: {what: speedup, at: {load: offline}}", "prefer: {rule: cheepest}"))
    with pytest.raises(StudyError, match="did you mean `cheapest`"):
        read(file)
