"""The worker's bench: what it does with each order. Everything here runs in the worker's process."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import importlib.metadata
import json
import os
import platform
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.attack import Space
from seatrial.contracts.events import Events
from seatrial.contracts.messages import ArrayRef, Order, wants_memory
from seatrial.contracts.protocols import Feed, Making, Probe, Session, Setting, Training
from seatrial.errors import ModelError, SeatrialError, Unsupported
from seatrial.flow import alone, arrays, environment, ordered, peak, timed
from seatrial.flow.answering import answering, running, stated
from seatrial.flow.isolation import settle_memory
from seatrial.flow.metered import meters
from seatrial.flow.opening import opened
from seatrial.flow.processing import within
from seatrial.flow.quiet import Watcher, pin, quietest
from seatrial.flow.trainee import Trainee

WINDOWS = 3
TOLERANCE = 0.10
MOST_WINDOWS = 20
FIRST = 10
"""Answers after a start that are held against later ones."""
EXAMPLES = 8
"""Rows that a conversion sees."""


class Bench:
    """Holds the session between orders."""

    def __init__(self, network: str = "not said") -> None:
        self.closed = False
        self.network = network
        self._session: Session | None = None
        self._setting = Setting()
        self._opening: dict[str, float] = {}
        self._order = Order(order="hello")
        self._allowed = sorted(os.sched_getaffinity(0))
        self._queries: dict[tuple[Any, ...], list[Any]] = {}
        self._repeats: dict[str, float | None] = {}
        self._trainee = Trainee()
        self._assault: Any = None

    def answer(self, line: str) -> str:
        """One order in JSON to one answer in JSON. Whatever goes wrong is an answer too."""
        try:
            order = Order.model_validate_json(line)
            content = getattr(self, f"_{order.order}")(order)
            return json.dumps({"ok": True} | content, allow_nan=False)
        except MemoryError:
            return _failure("out_of_memory", "out of memory")
        except Exception as error:  # noqa: BLE001 - the parent makes a finding of it
            with contextlib.suppress(OSError):  # a log that takes no more doesn't cost the answer
                traceback.print_exc()
            return _failure(_state(error), _message(error), getattr(error, "next_step", ""))

    def _hello(self, order: Order) -> dict[str, Any]:
        said = {"pid": os.getpid(), "python": platform.python_version(), "machine": platform.node()}
        said |= {"seatrial": environment.version("seatrial"), "network": self.network}
        said |= {"folder": str(Path.cwd()), "memory": resource.getrlimit(resource.RLIMIT_DATA)[0]}
        if "packages" in order.settings:  # whoever isn't on this machine has to be told of it
            said["environment"] = environment.look(order.settings["packages"])
            said["source"] = environment.source()
            said["memory_available"] = psutil.virtual_memory().available
        return said

    def _look(self, order: Order) -> dict[str, Any]:
        from seatrial.flow import _look

        return _look.answer(order)

    def _make(self, order: Order) -> dict[str, Any]:
        assert order.part is not None
        assert order.artefact is not None
        part, options = ordered.part("variants", order)
        values = {name: arrays.load(ref) for name, ref in order.values.items()} or None
        train = Training(**arrays.unpack(order.train)) if order.train else None
        making = Making(
            Path(order.folder),
            order.seed,
            values,
            order.settings.get("rows_hash"),
            train=train,
            labels=arrays.unpack(order.settings.get("labels")),
            answer=answering(order, values),
            run=running(order),
            outputs=stated(order),
            wanted=order.settings.get("wanted"),
            base=Path(order.base),
            space=Space(**arrays.unpack(order.settings["space"])) if "space" in order.settings else None,
        )
        return _made(part.make, order.artefact, making, options)

    def _convert(self, order: Order) -> dict[str, Any]:
        assert order.artefact is not None
        part, options = ordered.part("conversions", order)
        values = {name: arrays.load(ref, 0, EXAMPLES) for name, ref in order.values.items()} or None
        making = Making(Path(order.folder), order.seed, examples=values)

        def convert(given: Artefact, making: Making, options: Any) -> Artefact:
            made: Artefact = part.convert(given, making, options)
            return made.model_copy(update={"before": given.before})

        return _made(convert, order.artefact, making, options)

    def _open(self, order: Order) -> dict[str, Any]:
        assert order.artefact is not None
        self._order, self._setting = order, Setting(**order.setting)
        part, options = ordered.part("runtimes", order)
        clock = [time.perf_counter()]
        part.import_framework()
        clock.append(time.perf_counter())
        self._session = opened(part, order.artefact, self._setting, options, Path(order.base))
        clock.append(time.perf_counter())
        first = self._session.predict({name: arrays.load(ref, 0, 1) for name, ref in order.values.items()})
        clock.append(time.perf_counter())
        _check_rows(first, 1)
        self._session.predict({name: arrays.load(ref, 0, 1) for name, ref in order.values.items()})
        clock.append(time.perf_counter())
        stages = zip(("import", "load", "first_answer", "second_answer"), clock, clock[1:], strict=False)
        self._opening = {name: after - before for name, before, after in stages}
        if highest := peak.mark():
            self._opening["peak"] = highest
        return {"opening": self._opening, "memory": _resident(), "versions": _versions(order)}

    def _warm(self, order: Order) -> dict[str, Any]:
        """Drive blocks until three in a row agree within the tolerance, or say that they never did."""
        part, options = ordered.part("loads", order)
        options = options.model_copy(update=order.settings)
        queries, samples = self._feed(order, part)
        windows: list[float] = []
        first = 0.0
        while len(windows) < MOST_WINDOWS:
            events = getattr(part, "warm", part.drive)(within(self._open_session(), order), queries, samples, options)
            took = events.done - events.issued
            first = first or float(sorted(took[:FIRST])[len(took[:FIRST]) // 2]) / 1e9
            windows.append(float(sorted(took)[len(took) // 2]) / 1e9)
            last = windows[-WINDOWS:]
            if len(last) == WINDOWS and max(last) <= min(last) * (1 + TOLERANCE):
                break
        stable = max(windows[-WINDOWS:]) <= min(windows[-WINDOWS:]) * (1 + TOLERANCE)
        return {"windows": windows, "stable": stable, "slow_start": first / windows[-1]}

    def _block(self, order: Order) -> dict[str, Any]:
        """One timed block of a load, then what the meters read; without a load only what they read."""
        if order.part is None:
            return {
                "readings": arrays.pack(meters(order, self._probe())(None, {}), Path(order.folder)),
                "disturbance": {},
            }
        part, options = ordered.load(order)
        queries, samples = self._feed(order, part)
        session = within(self._open_session(), order)
        pin(self._cores(order.settings))
        if order.settings.get("unchecked"):
            self._rouse(session, queries)
        while (left := order.settings.get("at", 0.0) - time.perf_counter()) > 0:
            time.sleep(left)  # copies of one candidate begin at the same moment
        read = meters(order, self._probe())
        spent = getattr(self._open_session(), "spent", dict)
        spent()
        with Watcher(self._setting.threads, self._setting.device, order.settings.get("beside", 0)) as watcher:
            events = part.drive(session, queries, samples, options)
        readings = read(events, spent())
        disturbance = watcher.seen(events.slept / 1e9)
        checks = {} if order.settings.get("unchecked") else self._checks(order, queries, events)
        packed = {"readings": arrays.pack(readings, Path(order.folder)), "disturbance": disturbance}
        return packed | {"pace": _pace(events)} | checks

    def _rouse(self, session: Any, queries: list[Any]) -> None:
        """Two answers that nobody times, before a short block: in a long one the first, from cold caches, carries no weight."""
        for query in queries[:2]:
            session.predict(query)

    def _probe(self) -> Probe:
        assert self._order.artefact is not None
        return Probe(None, self._opening, self._order.artefact, self._setting.device)

    def _cores(self, settings: Mapping[str, Any]) -> list[int] | None:
        """The processors that were chosen, or the `quietest` so many, chosen by whom can see them."""
        count = settings.get("quietest")
        return quietest(count, among=self._allowed) if count else settings.get("cores")

    def _checks(self, order: Order, queries: list[Any], events: Events) -> dict[str, Any]:
        """Whether the timed answers are the session's, each time; whether inputs that come again are faster, once a load."""
        assert order.part is not None
        session, load = within(self._open_session(), order), order.part.name
        found: dict[str, Any] = {"rubbish": timed.rubbish(session, queries, events.kept)}
        if load not in self._repeats:
            found["repeats"] = self._repeats[load] = timed.repeats(session, queries)
        return found

    def _predict(self, order: Order) -> dict[str, Any]:
        """Answer rows in batches; the outputs go to files, and what that took is not in the peak of memory."""
        content = self._answered(order)
        peak.set_back()
        return content

    def _answered(self, order: Order) -> dict[str, Any]:
        start, stop = order.rows or (0, next(iter(order.values.values())).shape[0])
        session = self._open_session()
        names = _numeric(session.predict(_slice(order.values, start, start + 1)))
        pieces: dict[str, list[Any]] = {name: [] for name in names}
        for first in range(start, stop, order.samples):
            last = min(first + order.samples, stop)
            answers = session.predict(_slice(order.values, first, last))
            _check_rows(answers, last - first)
            for name, collected in pieces.items():
                collected.append(answers[name])
        differs = (
            {}
            if order.settings.get("unchecked")
            else alone.check(
                pieces,
                range(start, stop),
                order.samples,
                lambda row: session.predict(_slice(order.values, row, row + 1)),
            )
        )
        folder = Path(order.folder)
        outputs = {name: arrays.save_chunks(folder, collected).model_dump() for name, collected in pieces.items()}
        return {"outputs": outputs, "alone": differs}

    def _attack(self, order: Order) -> dict[str, Any]:
        content: dict[str, Any] = self._assailant().answer(order, self._open_session(), self._setting)
        return content

    def _search(self, order: Order) -> dict[str, Any]:
        content: dict[str, Any] = self._assailant().search(order, self._open_session(), self._setting)
        return content

    def _assailant(self) -> Any:
        from seatrial.flow.assault import Assault  # it loads numpy, which no cold start is to have

        self._assault = self._assault or Assault()
        return self._assault

    def _privacy(self, order: Order) -> dict[str, Any]:
        from seatrial.flow.privacy_worker import pried  # it loads numpy, too

        return pried(order, self._open_session(), self._setting)

    def _shadows(self, order: Order) -> dict[str, Any]:
        from seatrial.flow.privacy_worker import trained

        return trained(order)

    def _certify(self, order: Order) -> dict[str, Any]:
        from seatrial.flow.voting import votes

        return votes(order, self._open_session(), self._setting.batch)

    def _facts(self, order: Order) -> dict[str, Any]:
        facts = self._open_session().facts()
        return {"facts": json.loads(json.dumps(dataclasses.asdict(facts), default=str))}

    def _train(self, order: Order) -> dict[str, Any]:
        return self._trainee.answer(order) | {"memory": _resident()}

    def _close(self, order: Order) -> dict[str, Any]:
        if self._assault is not None:
            self._assault.close()
        if self._session is not None:
            self._session.close()
        self.closed = True
        return {}

    def _open_session(self) -> Session:
        if self._session is None:
            raise ModelError("no session is open")
        return self._session

    def _feed(self, order: Order, part: Any) -> tuple[list[Any], int]:
        samples = part.samples(self._setting.batch)
        key = (samples, *(ref.hash for ref in order.values.values()))
        if key not in self._queries:
            rows = min(next(iter(order.values.values())).shape[0], 64 * samples, 4096)
            feed = Feed({name: arrays.load(ref, 0, rows) for name, ref in order.values.items()}, rows)
            self._queries[key] = feed.queries(samples)
        return self._queries[key], samples


def settle(memory: int | None) -> None:
    """Die with the parent, be the first to go when memory runs out, and keep to a limit where one is set."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
    settle_memory(memory)


def _made(make: Callable[..., Artefact], given: Artefact, making: Making, options: Any) -> dict[str, Any]:
    """What a part made of an artefact, with the seconds that it took."""
    began = time.perf_counter()
    artefact = make(given, making, options)
    seconds = time.perf_counter() - began
    if artefact != given:
        lineage = artefact.lineage.model_copy(update={"seconds": seconds})
        artefact = artefact.model_copy(update={"lineage": lineage})
    return {"artefact": artefact.model_dump(mode="json")}


def _pace(events: Events) -> float | None:
    """Median seconds that a query was being answered; None where none was."""
    import numpy as np

    return float(np.median(events.done - events.issued)) / 1e9 if len(events.done) else None


def _slice(values: Mapping[str, ArrayRef], start: int, stop: int) -> dict[str, Any]:
    return {name: arrays.load(ref, start, stop) for name, ref in values.items()}


def _numeric(answers: Mapping[str, Any]) -> list[str]:
    """Names of the outputs that hold numbers: those of text (scikit-learn's chosen class) say nothing that these don't."""
    names = [name for name, answer in answers.items() if answer.dtype.kind not in "OUS"]
    if not names:
        raise ModelError(f"no output holds numbers: {', '.join(answers)}", next_step="export the model with its scores")
    return names


def _check_rows(answers: Mapping[str, Any], rows: int) -> None:
    for name, answer in answers.items():
        if getattr(answer, "ndim", 0) == 0 or len(answer) != rows:
            raise ModelError(f"the output `{name}` has shape {getattr(answer, 'shape', '?')} for {rows} rows")


def _versions(order: Order) -> dict[str, str]:
    assert order.part is not None
    needs = catalog.find("runtimes", order.part.name, Path(order.base)).needs
    return {package: _version(package) for package in needs}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _resident() -> int:
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _state(error: Exception) -> str:
    if isinstance(error, Unsupported):
        return "unsupported"
    return "out_of_memory" if wants_memory(str(error)) else "failed"


def _message(error: Exception) -> str:
    words = error.what if isinstance(error, SeatrialError) else f"{type(error).__name__}: {error}"
    return words.strip()[:2000]


def _failure(state: str, message: str, next_step: str = "") -> str:
    return json.dumps({"ok": False, "error": {"state": state, "message": message, "next_step": next_step}})
