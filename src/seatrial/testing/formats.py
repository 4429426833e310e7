"""The exam of formats: nothing raises but in words, nothing is believed beyond the bounds, nothing in a file runs.

from seatrial import catalog
from seatrial.testing.formats import exam

exam(catalog.find("formats", "my_format"))
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from seatrial import catalog
from seatrial.contracts.inspection import Bounds, Look
from seatrial.contracts.part import PartInfo
from seatrial.errors import ModelError
from seatrial.testing._format_samples import sample

DAMAGES = 60
TIGHT = Bounds(unpacked=1024, growth=1.5, small=1, members=1, header=64, text=20, depth=10, steps=1000, elements=1)


def exam(part: PartInfo, given: Path | None = None) -> None:
    """Try a format on a sound file (`given`, or one that is made here where its suffix is known), on damaged ones and on noise.

    Raises `AssertionError`.
    """
    module = catalog.load(part)
    suffixes = part.gives.get("suffix", ())
    assert suffixes, f"{part.name}: say in GIVES which suffixes its files have"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = given or sample(part.name, folder)
        content = file.read_bytes() if file else b""
        if file is not None:
            assert module.recognises(file, content[:4096]) is True, f"{part.name}: doesn't recognise a sound file"
            _sound(part, module.look(file, Bounds()))
            tight = _tried(part, module, file, TIGHT)
            assert tight is None or len(tight.model_dump_json()) < 20_000, (
                f"{part.name}: texts aren't cut to `bounds.text`"
            )
        for number, damaged in enumerate(_damaged(content)):
            odd = folder / f"damaged{number}{suffixes[0]}"
            odd.write_bytes(damaged)
            told = module.recognises(odd, damaged[:4096])
            assert type(told) is bool, f"{part.name}: `recognises` answers True or False"
            if told:
                _tried(part, module, odd, Bounds())


def _sound(part: PartInfo, look: Look) -> None:
    assert isinstance(look, Look), f"{part.name}: `look` gives a Look"
    assert Look.model_validate_json(look.model_dump_json()) == look, f"{part.name}: what is found is JSON"
    if look.parameters is not None and look.precision:
        assert sum(look.precision.values()) == look.parameters, f"{part.name}: `precision` adds up to `parameters`"


def _tried(part: PartInfo, module: object, file: Path, bounds: Bounds) -> Look | None:
    """What is found, or None where it is refused in words."""
    problem = None
    try:
        look: Look = module.look(file, bounds)  # type: ignore[attr-defined]
    except ModelError as error:
        problem = error
    if problem is not None:
        assert problem.what, f"{part.name}: a refusal says why"
        assert problem.next_step, f"{part.name}: a refusal says the next step: {problem.what}"
        return None
    _sound(part, look)
    return look


def _damaged(content: bytes) -> Iterator[bytes]:
    """Noise, and the sound file cut off, with bits flipped and with pieces doubled."""
    draw = random.Random(5)
    yield from (b"", b"\x00", b"PK\x03\x04", b"PK\x03\x04" + draw.randbytes(500), b"\x80\x04.", draw.randbytes(5000))
    yield from (
        b"<?xml version='1.0'?><net>",
        b"\x10\x00\x00\x00TFL3" + b"\xff" * 64,
        (2**39).to_bytes(8, "little") + b"{",
    )
    for number in range(DAMAGES if content else 0):
        changed = bytearray(content)
        if number % 6 == 0:
            yield bytes(changed[: draw.randrange(len(changed))])
            continue
        near = draw.choice((len(changed), min(len(changed), 200)))
        for _ in range(draw.choice((1, 3, 20))):
            at = draw.randrange(near) if number % 2 else len(changed) - 1 - draw.randrange(near)
            changed[at] ^= 1 << draw.randrange(8)
        yield bytes(changed)
