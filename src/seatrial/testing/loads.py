"""The exam for loads: every call is timed, in order, on one clock, and nothing is sent that isn't in the queries."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Facts, Feed
from seatrial.contracts.values import Values


class Echo:
    """A session that answers its input after a short wait, and remembers what it was sent."""

    def __init__(self, wait: float = 0.0, fail_at: int | None = None) -> None:
        self.sent: list[Values] = []
        self._wait = wait
        self._fail_at = fail_at

    def predict(self, values: Values) -> Values:
        """The input; raises at the call that it was told to fail at."""
        self.sent.append(values)
        if self._fail_at == len(self.sent):
            raise RuntimeError("planted")
        time.sleep(self._wait)
        return values

    def facts(self) -> Facts:
        """A processor in fp32."""
        return Facts("cpu", "fp32")

    def close(self) -> None:
        """Nothing to give back."""


def exam(part: PartInfo) -> None:
    """Raises `AssertionError` where the load doesn't do what loads do."""
    load = catalog.load(part)
    options = _brief(part)
    for batch in (1, 8):
        samples = load.samples(batch)
        assert 1 <= samples <= batch, f"{samples} rows a query for a batch of {batch}"
        queries = Feed({"x": np.arange(80, dtype=np.float32).reshape(40, 2)}, 40).queries(samples)
        echo = Echo(wait=0.002)
        begin = time.perf_counter_ns()
        events = load.drive(echo, queries, samples, options)
        end = time.perf_counter_ns()
        assert len(events.issued) == len(events.done) == len(echo.sent) > 0, "not every call has its two times"
        assert events.samples == samples
        assert all(sent["x"].shape == (samples, 2) for sent in echo.sent), "a query was changed on its way"
        assert begin <= events.issued.min(), "a query was issued before the load began"
        assert events.done.max() <= end, "a query was done after the load ended"
        assert (events.done - events.issued >= 1_900_000).all(), "a call took less time than the session slept"
        assert (np.diff(events.issued) >= 0).all(), "queries are not in order of issue"
        assert events.issued.dtype == events.done.dtype == np.int64
    _lets_errors_through(load, options)


def _brief(part: PartInfo) -> Any:
    known = catalog.options_type(catalog.load(part)).model_fields
    return catalog.options(
        part, {name: value for name, value in {"seconds": 0.05, "queries": 10}.items() if name in known}
    )


def _lets_errors_through(load: Any, options: Any) -> None:
    echo = Echo(fail_at=3)
    try:
        load.drive(echo, [{"x": np.zeros((1, 1), np.float32)}], 1, options)
    except RuntimeError:
        return
    raise AssertionError("an error of the session was swallowed")
