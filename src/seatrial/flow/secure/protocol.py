"""The protocol from first line to last count, as one party sees it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.contracts.parties import CALLED, ROLES, Opened, Role, Terms
from seatrial.errors import PartyError, SeatrialError
from seatrial.flow.environment import version
from seatrial.flow.secure import shares
from seatrial.flow.secure.bringing import Brought, agreed
from seatrial.flow.secure.circuit import Circuit
from seatrial.flow.secure.connecting import Meeting
from seatrial.flow.secure.lines import DONE, HELLO, INPUT, STOP, Line, watch
from seatrial.numerics import fixed_point
from seatrial.numerics.mersenne import PRIME


class Party:
    """One party of one evaluation."""

    def __init__(self, terms: Terms, role: Role, keys: Path, brought: Brought) -> None:
        self.terms, self.role, self.brought = terms, role, brought
        self.mpc = shares.runtime(ROLES.index(role), terms.security)
        self.guard = shares.Guard(self.mpc)
        self.failed: asyncio.Future[Any] = self.mpc._loop.create_future()
        self.mpc._loop.set_exception_handler(self._unhandled)
        self._keys = keys
        self.lines: dict[str, Line] = {}

    def run(self, wait: float, listen: str = "") -> Opened:
        """Take part; at most `wait` seconds pass before all three are there. `listen` is where to, if not at the address of the terms. Raises `SeatrialError`, by then told to the others."""
        loop = self.mpc._loop
        task = loop.create_task(self._run(wait, listen))
        while not task.done():
            with suppress(
                RuntimeError
            ):  # MPyC stops the loop when one of its tasks fails; the others are still to be told
                loop.run_until_complete(task)
        opened: Opened = task.result()
        return opened

    async def _run(self, wait: float, listen: str) -> Opened:
        work = asyncio.ensure_future(self._work(wait, listen))
        await asyncio.wait({work, self.failed}, return_when=asyncio.FIRST_COMPLETED)
        try:
            if work.done() and (error := work.exception()) is not None:
                self._unhandled(None, {"exception": error})
            return (self.failed if self.failed.done() else work).result()
        except SeatrialError as error:
            for line in self.lines.values():
                line.say(STOP, {"why": error.what})
            await asyncio.sleep(0.2)  # for the words to leave
            raise
        finally:
            for line in self.lines.values():
                line.close()

    def fail(self, error: SeatrialError) -> None:
        """End it: what is told first is what is told."""
        if not self.failed.done():
            self.failed.set_exception(error)

    def _unhandled(self, loop: Any, context: dict[str, Any]) -> None:
        """Errors in MPyC's tasks: they have no other way out."""
        error = context.get("exception")
        if isinstance(error, SeatrialError):
            self.fail(error)
        elif error is not None:
            self.fail(PartyError(f"the computation failed: {type(error).__name__}: {str(error)[:300]}"))

    async def _work(self, wait: float, listen: str) -> Opened:
        begun = time.monotonic()
        meeting = Meeting(self.terms, self.role, self._keys, self.fail)
        self.lines = meeting.lines
        await meeting.gather(wait, listen)
        started = time.monotonic()
        for pid, role in enumerate(ROLES):
            if role != self.role:
                self.mpc.parties[pid].protocol = self.lines[role]
        watching = asyncio.ensure_future(watch(list(self.lines.values()), self.terms, self.fail))
        await self._greet()
        counts, uncertain = await self._compute()
        for line in self.lines.values():
            line.finished = True
            line.say(DONE, {})
        await asyncio.gather(*(line.done for line in self.lines.values()))
        watching.cancel()
        tally = meeting.tally
        return Opened(
            role=self.role,
            terms=self.terms.hash,
            counts=counts,
            uncertain=uncertain,
            seconds=time.monotonic() - started,
            waited=started - begun,
            sent=tally.sent,
            received=tally.received,
            messages=tally.messages,
            rounds=tally.depth,
            masked=dict(sorted(self.guard.masked.items())),
            agreed=tuple(self.guard.agreed),
        )

    # --- the beginning -----------------------------------------------------------------------------------------------

    async def _greet(self) -> None:
        """Say on which terms, with what, and which keys for common randomness; hear the same."""
        said = {
            "terms": self.terms.hash,
            "seatrial": version("seatrial"),
            "mpyc": shares.VERSION,
            "shapes": self.brought.shapes,
        }
        for pid, role in enumerate(ROLES):
            if role != self.role:
                common = b"".join(self.mpc._prss_keys_to_peer(pid)) if pid > ROLES.index(self.role) else b""
                self.lines[role].say(HELLO, said | {"common": common.hex()})
        for pid, role in enumerate(ROLES):
            if role != self.role:
                self._hear(pid, role, await self.lines[role].hello, said)

    def _hear(self, pid: int, role: Role, heard: dict[str, Any], said: dict[str, Any]) -> None:
        if heard.get("terms") != self.terms.hash:
            raise PartyError(
                f"{CALLED[role]} has other terms: {str(heard.get('terms'))[:16]} where this party has {self.terms.hash[:16]}",
                next_step="all three start with the same file: compare `seatrial party show TERMS`",
            )
        for name in ("seatrial", "mpyc"):
            if heard.get(name) != said[name]:
                raise PartyError(f"{CALLED[role]} runs {name} {str(heard.get(name))[:20]}, this party {said[name]}", next_step="install the same version at all three")  # fmt: skip
        if heard.get("shapes") != agreed(self.terms, role):
            raise PartyError(
                f"{CALLED[role]} brings arrays of other shapes than the terms say: {str(heard.get('shapes'))[:200]}"
            )
        wanted = self.mpc._prss_keys_from_peer(pid) if pid < ROLES.index(self.role) else 0
        try:
            common = bytes.fromhex(str(heard.get("common")))
        except ValueError:
            common = b"?"
        if len(common) != wanted:
            raise PartyError(f"{CALLED[role]} sent no keys for common randomness")
        if wanted:
            self.mpc._prss_keys_from_peer(pid, common)

    # --- the computation -----------------------------------------------------------------------------------------------

    async def _compute(self) -> tuple[tuple[tuple[int, ...], ...], int | None]:
        """The agreed counts in the clear; nothing of them at the helper."""
        circuit = Circuit(self.mpc, self.guard, self.terms)
        flat = [await self._share("model", index) for index in range(len(agreed(self.terms, "model")))]
        weights = list(zip(flat[::2], flat[1::2], strict=True))
        values, labels = [await self._share("data", index) for index in range(2)]
        bits = fixed_point.bits(max(abs(self.terms.low), abs(self.terms.high)), self.terms.fraction, differences=True)
        counted = uncertain = 0
        for part in _batches(self.terms):
            scores = await circuit.scores(circuit.array(values[part], bits), weights)
            new, near = await circuit.counts(scores, labels[part])
            counted, uncertain = counted + new, uncertain + near
        opened = await circuit.open(self.terms.counts, counted)
        near = await circuit.open("uncertain", uncertain)
        if opened is None:
            return (), None
        grid = np.atleast_2d(opened)
        return tuple(tuple(int(one) for one in line) for line in grid), int(near[0])

    async def _share(self, owner: Role, index: int) -> Any:
        """This party's share of an array that `owner` brings: whole numbers of the field."""
        shape = agreed(self.terms, owner)[index]
        label = 1000 * ROLES.index(owner) + index
        if owner == self.role:
            from mpyc import thresha

            field = self.mpc.SecInt(47, p=PRIME).field
            whole = self.brought.arrays[index].reshape(-1).astype(object) % PRIME
            split = thresha.np_random_split(field, whole, 1, 3)
            for pid, role in enumerate(ROLES):
                if role != self.role:
                    self.lines[role].write(INPUT, label, shares.dumps(split[pid]))
            return split[ROLES.index(owner)].reshape(shape)
        came = self.lines[owner].receive(label, INPUT)
        payload = await came if isinstance(came, asyncio.Future) else came
        if len(payload) != shares.WIDTH * int(np.prod(shape)):
            raise PartyError(
                f"{CALLED[owner]} sent {len(payload) // shares.WIDTH:,} numbers where {int(np.prod(shape)):,} were agreed on"
            )
        return shares.loads(payload).reshape(shape)


def _batches(terms: Terms) -> Iterator[slice]:
    for start in range(0, terms.rows, terms.batch):
        yield slice(start, min(start + terms.batch, terms.rows))
