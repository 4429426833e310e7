"""Several workers asked at once: where one fails, who waits for it is ended, and the one that tells most is heard."""

import subprocess
from types import SimpleNamespace

import pytest

from seatrial.contracts.messages import Order
from seatrial.errors import WorkerCrashed, WorkerFailed, WorkerOutOfMemory
from seatrial.flow import at_once

ORDERS = [Order(order="block")] * 3


class Waiting:
    """Answers when its process is gone, as a worker does that waits for another one."""

    def __init__(self):
        self.process = subprocess.Popen(["sleep", "100"], start_new_session=True)
        self.pid = self.process.pid

    def ask(self, order, seconds):
        self.process.wait()
        raise WorkerOutOfMemory("killed, most likely for want of memory")


def failing(error):
    def ask(order, seconds):
        raise error

    return SimpleNamespace(pid=0, ask=ask)


def answering(said):
    return SimpleNamespace(pid=0, ask=lambda order, seconds: {"said": said})


def test_whoever_waits_for_one_that_crashed_is_ended_and_the_crash_is_told(monkeypatch):
    monkeypatch.setattr(at_once, "GRACE_S", 0.05)
    waiting = Waiting()
    try:
        with pytest.raises(WorkerCrashed, match="signal 11"):
            at_once.ask_all([waiting, failing(WorkerCrashed("signal 11")), answering(2)], ORDERS, 60.0)
        assert waiting.process.poll() is not None
    finally:
        waiting.process.kill()


def test_a_crash_tells_more_than_an_error_and_that_more_than_a_lost_connection(monkeypatch):
    lost, wrong, crashed = WorkerFailed("Connection closed by peer"), WorkerFailed("no such file"), WorkerCrashed("9")
    for errors, told in (((lost, wrong, crashed), crashed), ((lost, wrong, lost), wrong)):
        with pytest.raises(type(told)) as caught:
            at_once.ask_all([failing(one) for one in errors], ORDERS, 60.0)
        assert caught.value is told


def test_answers_come_in_the_order_of_their_workers():
    said = at_once.ask_all([answering(place) for place in range(3)], ORDERS, 60.0)
    assert [one["said"] for one in said] == [0, 1, 2]
