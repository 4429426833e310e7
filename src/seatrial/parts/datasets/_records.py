"""Records of a text file of separated values: in blocks of bounded size, each with its line, and in UTF-8."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from seatrial.errors import DataError
from seatrial.parts.datasets._limits import LineLimits, beyond

BLOCK_BYTES = 8 * 2**20


class Block(NamedTuple):
    """Some records of a file, and the line in which each begins."""

    where: str
    lines: list[int]
    records: list[bytes]


def records(file: Path, limits: LineLimits) -> Iterator[tuple[int, bytes]]:
    """(line, record) in order; blank lines are no records, quoted cells may hold line ends, within the limits."""
    opened, pending = 0, b""
    with file.open("rb") as stream:
        for line, part in enumerate(iter(lambda: stream.readline(limits.line), b""), 1):
            if len(part) == limits.line:
                raise beyond(f"line {line} is longer than {limits.line} bytes: this is no table", "line", file.name)
            odd = part.count(b'"') % 2 == 1
            if not pending and not odd:
                if part.strip(b"\r\n"):
                    yield line, part
                continue
            opened = opened if pending else line
            pending += part
            if odd and opened != line:
                yield opened, pending
                pending = b""
            elif line - opened >= limits.lines or len(pending) > limits.line:
                break
    if pending:
        step = "a quotation mark within a cell is written twice, and the cell quoted; `limits: {lines: ...}` lets records be longer"
        raise DataError(f"the quotation mark in line {opened} is never closed", where=file.name, next_step=step)


def blocks(file: Path, where: str, header: bool, rows: int, limits: LineLimits) -> Iterator[Block]:
    """The records after the header in blocks of at most `rows` and about `BLOCK_BYTES`."""
    block, size = Block(where, [], []), 0
    rest = records(file, limits)
    if header:
        next(rest, None)
    for line, record in rest:
        if len(block.lines) == rows or size > BLOCK_BYTES:
            yield block
            block, size = Block(where, [], []), 0
        block.lines.append(line)
        block.records.append(record)
        size += len(record)
    if block.lines:
        yield block


def text(record: bytes, line: int, where: str) -> str:
    """The record as text. Raises `DataError` where it isn't UTF-8."""
    step = "save it as UTF-8, for example: iconv -f LATIN1 -t UTF-8 OLD > NEW"
    try:
        decoded = record.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"line {line} is no UTF-8 text", where=where, next_step=step) from error
    if "\0" in decoded:
        raise DataError(f"line {line} holds zero bytes: this is UTF-16, or no text", where=where, next_step=step)
    return decoded
