"""How the parties find each other: of two, the earlier one in the terms connects to the later one; who is who is told by certificates."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from seatrial.contracts.parties import CALLED, ROLES, Role, Terms
from seatrial.errors import PartyError, SeatrialError
from seatrial.flow.secure import keys
from seatrial.flow.secure.lines import Line, Tally

RETRY = 0.1
HANDSHAKE = 10.0


class Meeting:
    """Lines to the other two parties, once they are all there."""

    def __init__(self, terms: Terms, role: Role, folder: Path, fail: Callable[[SeatrialError], None]) -> None:
        self.lines: dict[str, Line] = {}
        self.tally = Tally()
        self._terms, self._role, self._folder, self._fail = terms, role, folder, fail
        self._known = {keys.fingerprint(card.certificate): card.role for card in terms.parties}
        self._awaited = {other: asyncio.get_running_loop().create_future() for other in ROLES[: ROLES.index(role)]}
        self._refused = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def gather(self, patience: float, listen: str = "") -> dict[str, Line]:
        """Waits at most `patience` seconds for both others, listening at the address of the terms or at `listen`. Raises `PartyError` naming who isn't there."""
        server = await self._listen(listen)
        later = [self._call(other) for other in ROLES[ROLES.index(self._role) + 1 :]]
        try:
            await asyncio.wait_for(asyncio.gather(*later, *self._awaited.values()), patience)
        except TimeoutError as error:
            missing = [CALLED[other] for other in ROLES if other not in (self._role, *self.lines)]
            raise PartyError(
                f"{' and '.join(missing)} didn't come within {patience:g} seconds{self._refused}"
            ) from error
        finally:
            if server is not None:
                server.close()
        return self.lines

    async def _listen(self, host: str) -> asyncio.Server | None:
        own = self._terms.card(self._role)
        if not self._awaited:
            return None
        try:
            return await asyncio.get_running_loop().create_server(lambda: _Door(self), host or own.host, own.port)
        except OSError as error:
            raise PartyError(f"{host or own.host}:{own.port} can't be listened on: {error.strerror}", next_step="agree on another address or port") from error  # fmt: skip

    async def _call(self, other: Role) -> None:
        """Connect to a party, again until it listens. Raises `PartyError` where somebody else answers."""
        there = self._terms.card(other)
        made = keys.context(self._terms, self._folder, server=False)
        while True:
            line = Line(self.tally, self._fail)
            try:
                transport, _ = await asyncio.get_running_loop().create_connection(
                    partial(_same, line), there.host, there.port, ssl=made, ssl_handshake_timeout=HANDSHAKE
                )
            except ssl.SSLCertVerificationError as error:
                raise PartyError(f"whoever answers at {there.host}:{there.port} isn't {CALLED[other]} of these terms: {error.verify_message}") from error  # fmt: skip
            except OSError:
                await asyncio.sleep(RETRY)
                continue
            if (found := self._who(transport)) != other:
                transport.close()
                raise PartyError(f"{CALLED.get(found, 'somebody else')} answers at {there.host}:{there.port}, where the terms say {CALLED[other]}")  # fmt: skip
            self._join(line, transport, other)
            return

    def admit(self, transport: Any) -> None:
        """Somebody connected: see who it is."""
        task = asyncio.ensure_future(self._greet(transport))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _greet(self, transport: Any) -> None:
        line, made = Line(self.tally, self._fail), keys.context(self._terms, self._folder, server=True)
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, line, made, server_side=True, ssl_handshake_timeout=HANDSHAKE
            )
        except OSError as error:
            self._refused = (
                f"; somebody connected whose certificate isn't in the terms ({getattr(error, 'reason', error)})"
            )
            return
        if secured is None:
            return
        other = self._who(secured)
        if other not in self._awaited or other in self.lines:
            secured.close()
            return
        self._join(line, secured, other)
        self._awaited[other].set_result(None)

    def _who(self, transport: Any) -> str:
        shown = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return self._known.get(hashlib.sha256(shown).hexdigest(), "")

    def _join(self, line: Line, transport: Any, other: str) -> None:
        self.lines[other] = line
        line.attach(transport, other)


def _same(line: Line) -> Line:
    return line


class _Door(asyncio.Protocol):
    """A connection of which nothing is known yet."""

    def __init__(self, meeting: Meeting) -> None:
        self._meeting = meeting

    def connection_made(self, transport: Any) -> None:
        """Called by asyncio."""
        self._meeting.admit(transport)
