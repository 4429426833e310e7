"""`seatrial capacity` from a stored run, as people use it."""

import json
import xml.etree.ElementTree as ET

import pytest
from small_study import STUDY, make, seatrial

TIMED = STUDY.replace(
    "loads: [offline], rounds: 2, meters: [throughput, size]",
    "loads: [single_stream, offline], rounds: 2, meters: [latency, throughput]",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("capacity")
    make(made, TIMED)
    done = seatrial("run", "study.yaml", folder=made)
    assert done.returncode in (0, 1), done.stderr
    (made / "linear.onnx").unlink()  # the model isn't needed
    return made


def test_replicas_and_cost_in_plain_words(folder):
    done = seatrial("capacity", "study.yaml", "--rate", "200", "--p99", "50ms", "--price", "1.20/h", folder=folder)
    assert done.returncode == 0, done.stderr
    for words in (
        "200 queries a second while it is busiest",
        "1 replica,",
        "876.60 USD a month",
        "1.67 USD for a million queries",
        "declared",
        "If the traffic were another one",
        "What would change it",
        "What this rests on",
        "answers to single queries",
        "Poisson",
    ):
        assert words in done.stdout, words


def test_without_a_price_replicas_alone(folder):
    done = seatrial("capacity", "--rate", "200", "--p99", "50ms", folder=folder)
    assert done.returncode == 0
    assert "no price is stated" in done.stdout
    assert "USD for a million" not in done.stdout


def test_for_machines_findings_with_their_origins_and_a_picture(folder):
    (folder / "money.yaml").write_text(
        "traffic: {a_month: 30e6, peak: 2}\nwithin: 60 ms\nprice: aws/g6.4xlarge\nown: {purchase: 4000, watts: 250, kwh: 0.3}\n"
        "network: {delay: 20 ms}\ntoday: 2000\nchange: 500\n"
    )
    done = seatrial("capacity", "--money", "money.yaml", "--json", "--svg", "tornado.svg", folder=folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    found = {one["what"]: one for one in told["findings"]}
    assert found["capacity.replicas"]["origin"] == "declared"
    assert "latency.mean{load=single_stream}" in found["money.month"]["inputs"]
    assert told["recommended"] in ("cloud", "own")
    assert len(told["if"]) == 5
    assert any("aws/g6.4xlarge" in line and "skypilot-catalog" in line for line in told["rests_on"])
    assert any("This price may be old" in line for line in told["rests_on"])
    assert found["money.price"]["at"] == {"price": "aws/g6.4xlarge"}
    assert {"money.break_even", "money.if"} <= set(found)
    assert {one["at"]["place"] for one in told["findings"] if one["what"] == "money.if"} == {told["recommended"]}
    picture = ET.fromstring((folder / "tornado.svg").read_text())
    assert any("price of an hour" in (one.text or "") or "own" in (one.text or "") for one in picture.iter())


def test_arrivals_from_a_file(folder):
    (folder / "arrivals.txt").write_text("\n".join(str(0.01 * at) for at in range(500)))
    done = seatrial("capacity", "--traffic", "arrivals.txt", "--p99", "50ms", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "100 queries a second" in done.stdout
    assert "as in the file of arrivals" in done.stdout


def test_a_bound_that_nothing_keeps_ends_with_1(folder):
    done = seatrial("capacity", "--rate", "200", "--p99", "100ns", folder=folder)
    assert done.returncode == 1
    assert "an answer alone takes" in done.stdout


@pytest.mark.parametrize(
    ("words", "says", "next_step"),
    [
        (("--p99", "1ms"), "how many queries", ""),
        (("--rate", "5"), "bound of latency", "--p99"),
        (("--rate", "5", "--p99", "1ms", "--price", "aws/g6.4xlarg"), "no price", "did you mean `aws/g6.4xlarge`"),
        (("--rate", "5", "--p99", "1ms", "--candidate", "onnxruntime fp32 b9"), "no candidate", "did you mean"),
        (("--rate", "5", "--p99", "1ms", "--batch", "64"), "batches of 64 were not measured", "batch: 64"),
        (("--rate", "0", "--p99", "1ms"), "traffic.rate: `rate` is 0", "--help"),
        (("--rate=-5", "--p99", "1ms"), "`rate` is -5", "--help"),
        (("--rate", "1e12", "--p99", "1ms"), "it must be at most", "--help"),
        (("--rate", "many", "--p99", "1ms"), "`many` is not a number", "--help"),
        (("--rate", "5", "--p99", "0"), "more than 0", "--help"),
        (("--rate", "5", "--p99", "1ms", "--price=-1"), "`-1` is not a price", "--help"),
        (("--rate", "5", "--p99", "1ms", "--price", "free"), "`free` is not a price", "--help"),
        (("nothing", "--rate", "5", "--p99", "1ms"), "no run", ""),
    ],
)
def test_what_is_missing_is_said_with_the_next_step(folder, words, says, next_step):
    done = seatrial("capacity", *words, folder=folder)
    assert done.returncode in (2, 4)
    assert says in done.stderr or says.replace("how many queries", "the traffic") in done.stderr
    assert next_step in done.stderr


def test_a_run_that_timed_no_single_queries_says_so(tmp_path):
    make(tmp_path)
    seatrial("run", "study.yaml", folder=tmp_path)
    done = seatrial("capacity", "--rate", "5", "--p99", "1ms", folder=tmp_path)
    assert done.returncode == 4
    assert "no times of single queries" in done.stderr
    assert "single_stream" in done.stderr
