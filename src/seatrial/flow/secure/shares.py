"""Shares as bytes, and the guard around MPyC: what it would unpickle is parsed here, and it opens nothing but behind masks.

MPyC 0.11 pickles arrays of shares between parties, so that whoever is at the other end of a line could run code here. In its place stand
numbers of fixed width. The version is pinned, because MPyC is told so by names of its own.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import struct
import sys
from collections import Counter
from typing import Any

import numpy as np

from seatrial.errors import MissingPackage, PartyError
from seatrial.flow.secure.lines import Payload
from seatrial.numerics.mersenne import PRIME, inverse_roots

VERSION = "0.11"
WIDTH = 12
"""Bytes of a number. The field is that of `mersenne.PRIME`, 2^89 - 1: room for 47 bits of value and 40 of mask."""
_NUMBER, _DRAWN = struct.Struct("<QI"), 4096
MASKED = {
    "np_trunc": "a product with random bits added",
    "np_sgn": "a difference with random bits added",
    "np_random_bits": "the square of a random number",
    "np_is_zero_public": "a number times a random one: whether it is 0, of a value whose sign was flipped at random",
}
"""The steps of MPyC in which values are opened behind one-time masks, and what is seen there."""


def dumps(numbers: Any) -> bytes:
    """Whole numbers of the field as bytes, 12 each, least byte first."""
    if not isinstance(numbers, np.ndarray):
        raise TypeError("only arrays of shares are sent")
    return b"".join([one.to_bytes(WIDTH, "little") for one in numbers.reshape(-1).tolist()])


def loads(data: bytes) -> Any:
    """The numbers, as an array of Python's integers. Raises `PartyError` naming the sender for anything else."""
    if len(data) % WIDTH:
        raise PartyError(f"{_sender(data)} sent bytes that are no shares")
    made = _numbers(data)
    if max(made, default=0) >= PRIME:
        raise PartyError(f"{_sender(data)} sent numbers that are no shares")
    return _array(made)


def _numbers(data: bytes) -> list[int]:
    return [low | high << 64 for low, high in _NUMBER.iter_unpack(data)]


def _array(numbers: list[int]) -> Any:
    made = np.empty(len(numbers), object)
    made[:] = numbers
    return made


def _sender(data: bytes) -> str:
    from seatrial.contracts.parties import CALLED

    return CALLED.get(data.peer, "somebody") if isinstance(data, Payload) else "somebody"


class Guard:
    """Stands in for MPyC's `output`: counts what is opened behind masks, and opens counts only through `open`."""

    def __init__(self, runtime: Any) -> None:
        self.masked: Counter[str] = Counter()
        self.agreed: list[str] = []
        self._output = runtime.output
        runtime.output = self._inner

    def open(self, name: str, secret: Any, receivers: list[int]) -> Any:
        """Open an agreed count to these parties, as something to wait for."""
        self.agreed.append(name)
        return self._output(secret, receivers, raw=True)

    def _inner(self, secret: Any, receivers: Any = None, threshold: Any = None, raw: bool = False) -> Any:
        step = sys._getframe(1).f_code.co_name
        if step not in MASKED:
            raise PartyError(f"`{step}` would open a value that isn't agreed on")
        self.masked[step] += int(secret.size)
        return self._output(secret, receivers, threshold, raw)


def runtime(pid: int, security: int) -> Any:
    """MPyC's runtime for party `pid` of three; it has no line yet. Call it once, before anything else loads MPyC."""
    kept = sys.argv
    sys.argv = [kept[0], "-M3", f"-I{pid}", "-T1", f"-K{security}", "--no-log", "--no-barrier"]
    try:
        import mpyc
        import mpyc.runtime as module
    except ImportError as error:
        raise MissingPackage(
            "secure evaluation needs mpyc, which isn't installed", next_step="pip install 'seatrial[secure]'"
        ) from error
    finally:
        sys.argv = kept
    if mpyc.__version__ != VERSION:
        raise MissingPackage(f"secure evaluation needs mpyc {VERSION}, and {mpyc.__version__} is installed", next_step=f"pip install mpyc=={VERSION}")  # fmt: skip
    module.pickle = sys.modules[__name__]  # its `dumps` and `loads` are these
    _faster(module)
    return module.mpc


class Drawn:
    """Random numbers from the system's source, thousands for one call of it: in place of the module `secrets` in MPyC's sharing."""

    def __init__(self) -> None:
        self._kept: list[int] = []

    def randbelow(self, bound: int) -> int:
        """A number from 0 to `bound` - 1, each as likely, never handed out twice."""
        if bound != PRIME:
            return secrets.randbelow(bound)
        while not self._kept:  # 89 bits of each; the one number too many is left out
            self._kept = [one & PRIME for one in _numbers(secrets.token_bytes(WIDTH * _DRAWN)) if one & PRIME != PRIME]
        return self._kept.pop()


def common(key: bytes, where: bytes, shape: tuple[int, ...]) -> Any:
    """Numbers of the field that all who hold the key draw alike at this place of the protocol: 89 bits of SHAKE-128 for each.

    2^89 - 1 counts as 0, so that their distance from evenly spread ones is below 2^-88.
    """
    stream = hashlib.shake_128(key + where).digest(WIDTH * math.prod(shape))
    return _array([one & PRIME for one in _numbers(stream)]).reshape(shape) % PRIME


def _faster(module: Any) -> None:
    """Give MPyC what does the same as its own, for this field, in less time: most of it went into single numbers."""
    module.mpc.SecInt(2, p=PRIME).field.array._sqrt = _inverse_root
    module.thresha.secrets = Drawn()
    theirs = module.thresha.PRF.__call__

    def draw(self: Any, where: bytes, shape: Any = None) -> Any:
        known = self.max == PRIME and isinstance(shape, tuple)
        return common(bytes(self.key), where, shape) if known else theirs(self, where, shape)

    module.thresha.PRF.__call__ = draw


def _inverse_root(numbers: Any, INV: bool = False) -> Any:  # noqa: N803 - MPyC's word
    """In place of MPyC's powers of one number after the other, which took most of its time."""
    if not INV:
        raise PartyError("no step of this protocol takes a plain square root")
    return inverse_roots(numbers)
