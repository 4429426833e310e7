"""The lines between the parties: TLS with pinned certificates, frames of known size, and a watch over who still answers.

A frame is a kind, a label, the length of the chain of messages that led to it, and its size, then that many bytes. Nothing that comes in
is unpickled: shares are numbers of fixed width (`shares.py`), everything else is JSON.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from seatrial.contracts.parties import CALLED, Terms
from seatrial.errors import PartyError, SeatrialError

HEAD = struct.Struct("<BqII")
HELLO, BEAT, INPUT, SHARE, STOP, DONE = range(6)
MOST_BYTES, MOST_JSON, MOST_LABELS = 2**30, 2**16, 50_000
BEAT_EVERY = 1.0


class Payload(bytes):
    """Bytes that know who sent them."""

    peer: str = ""


class Tally:
    """What passed over all lines of this party, and how large the messages under each label are: all of one size."""

    def __init__(self) -> None:
        self.sent = self.received = self.messages = self.depth = 0
        self._own: OrderedDict[int, int] = OrderedDict()
        self._theirs: OrderedDict[int, list[tuple[int, Line]]] = OrderedDict()

    def sends(self, label: int, size: int) -> Line | None:
        """Notes what goes out; whoever sent another size under this label."""
        self._own[label] = size
        while len(self._own) > MOST_LABELS:
            self._own.popitem(last=False)
        return next((line for other, line in self._theirs.pop(label, ()) if other != size), None)

    def takes(self, label: int, size: int, line: Line) -> bool:
        """Notes what comes in; whether it is as large as what went out, as far as that is known."""
        if label in self._own:
            return self._own[label] == size
        self._theirs.setdefault(label, []).append((size, line))
        while len(self._theirs) > MOST_LABELS:
            self._theirs.popitem(last=False)
        return True


class Line(asyncio.Protocol):
    """A line to one other party. It has what MPyC asks of one: `send` and `receive` by label, and `nbytes_sent`."""

    def __init__(self, tally: Tally, fail: Callable[[SeatrialError], None]) -> None:
        self.peer = ""
        self.nbytes_sent = 0
        self.waited = 0.0  # seconds in which this party was listening and nothing came
        self.finished = False  # this party has all it wants, and waits for the other to say the same
        self.done = asyncio.get_running_loop().create_future()
        self.hello: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._tally, self._fail = tally, fail
        self._transport: Any = None
        self._bytes = bytearray()
        self._boxes: dict[tuple[int, int], asyncio.Future[Payload] | Payload] = {}
        self._closed = False

    @property
    def called(self) -> str:
        """Whom errors name."""
        return CALLED.get(self.peer, "somebody")

    def attach(self, transport: Any, peer: str) -> None:
        """From now on this is the line to `peer`; what came before is looked at now."""
        self._transport, self.peer = transport, peer
        self.data_received(b"")

    # --- out ---------------------------------------------------------------------------------------------------------

    def write(self, kind: int, label: int, payload: bytes) -> None:
        """Send a frame."""
        if self._closed:
            return
        counts = kind in (INPUT, SHARE)
        self._transport.writelines((HEAD.pack(kind, label, self._tally.depth + counts, len(payload)), payload))
        self._tally.sent += HEAD.size + len(payload)
        self._tally.messages += counts
        self.nbytes_sent += HEAD.size + len(payload)

    def say(self, kind: int, content: dict[str, Any]) -> None:
        """Send JSON."""
        self.write(kind, 0, json.dumps(content).encode())

    def send(self, label: int, payload: bytes) -> None:
        """Send shares. All send as many under one label, which is how a party that sends too few is found out."""
        if (liar := self._tally.sends(label, len(payload))) is not None:
            liar.misshapen()
        self.write(SHARE, label, payload)

    # --- in ----------------------------------------------------------------------------------------------------------

    def receive(self, label: int, kind: int = SHARE) -> asyncio.Future[Payload] | Payload:
        """The shares under this label if they are here, or else what will hold them."""
        found = self._boxes.pop((kind, label), None)
        if found is None:
            found = self._boxes[(kind, label)] = asyncio.get_running_loop().create_future()
        return found

    def waiting(self) -> bool:
        """Whether something is asked for that isn't here."""
        asked = any(isinstance(box, asyncio.Future) for box in self._boxes.values())
        return not self.hello.done() or asked or (self.finished and not self.done.done())

    def data_received(self, data: bytes) -> None:
        """Takes frames apart. Called by asyncio."""
        self._bytes.extend(data)
        self._tally.received += len(data)
        self.waited = 0.0
        while self.peer and not self._closed and len(self._bytes) >= HEAD.size:
            kind, label, depth, size = HEAD.unpack_from(self._bytes)
            if size > (MOST_BYTES if kind in (INPUT, SHARE) else MOST_JSON) or kind > DONE:
                self._refuse("sent something that is no message of this protocol")
                return
            if len(self._bytes) < HEAD.size + size:
                return
            payload = Payload(self._bytes[HEAD.size : HEAD.size + size])
            payload.peer = self.peer
            del self._bytes[: HEAD.size + size]
            self._take(kind, label, depth, payload)

    def connection_lost(self, error: Exception | None) -> None:
        """Called by asyncio."""
        if not self._closed and not self.done.done() and self.peer:
            self._refuse("is gone: the connection ended before the protocol did" if self.hello.done() else "closed the connection before it said on which terms it works")  # fmt: skip
        self._closed = True

    def close(self) -> None:
        """End it from here."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    def _take(self, kind: int, label: int, depth: int, payload: Payload) -> None:
        if kind in (INPUT, SHARE):
            self._tally.depth = max(self._tally.depth, depth)
            self._deliver(kind, label, payload)
            return
        if kind == BEAT:
            return
        if kind == DONE:
            if not self.done.done():
                self.done.set_result(None)
            return
        said = self._json(payload)
        if kind == STOP:
            self._refuse(f"ended it: {str(said.get('why', ''))[:500]}")
        elif not self.hello.done():
            self.hello.set_result(said)

    def _json(self, payload: bytes) -> dict[str, Any]:
        try:
            said = json.loads(payload)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            self._refuse("sent something that is no message of this protocol")
            return {}
        return said

    def _deliver(self, kind: int, label: int, payload: Payload) -> None:
        if kind == SHARE and not self._tally.takes(label, len(payload), self):
            self.misshapen()
            return
        box = self._boxes.pop((kind, label), None)
        if isinstance(box, asyncio.Future):
            box.set_result(payload)
        elif box is None:
            self._boxes[(kind, label)] = payload
        else:
            self._refuse("sent one message twice")

    def misshapen(self) -> None:
        """This party's shares are of another shape than everybody else's."""
        self._refuse("sent shares of another shape than agreed")

    def _refuse(self, what: str) -> None:
        self._fail(PartyError(f"{self.called} {what}"))


async def watch(lines: list[Line], terms: Terms, fail: Callable[[SeatrialError], None]) -> None:
    """Says every second that this party is there; gives one up that is waited for and hasn't sent a byte for too long, and in the end all.

    Of silence only time counts in which this party could have listened: not that of its own long computations.
    """
    patience, begun = terms.patience, time.monotonic()
    step, beaten = min(0.25, patience / 8), 0.0
    while True:
        before = time.monotonic()
        await asyncio.sleep(step)
        now = time.monotonic()
        for line in lines:
            line.waited += min(now - before, 2 * step)
            if line.waited > patience and line.waiting():
                fail(PartyError(f"{line.called} hasn't answered for {patience:g} seconds"))
        if now - begun > terms.longest:
            missing = " and ".join(line.called for line in lines if line.waiting()) or "nobody"
            fail(
                PartyError(
                    f"{missing} kept this party waiting until the {terms.longest:g} seconds were over that the terms allow"
                )
            )
        if now - beaten >= BEAT_EVERY:
            beaten = now
            for line in lines:
                line.write(BEAT, 0, b"")
