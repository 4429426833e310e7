"""Orders to a worker and their answers: one JSON object a line, both ways. Arrays go through files named by content.

| order     | the worker                                                       | answers with |
|-----------|------------------------------------------------------------------|--------------|
| `hello`   | says what it is                                                  | versions, machine |
| `look`    | looks at a model file and rows for `init`                        | what was seen, or the refusal |
| `make`    | applies a variant                                                | artefact, seconds |
| `convert` | turns a model into another format                                | artefact, seconds |
| `open`    | opens a session and lets it answer once                          | opening times, memory |
| `warm`    | drives it until windows agree                                    | stable or not, windows |
| `block`   | drives one timed block                                           | readings of each meter, disturbance |
| `predict` | answers these rows                                               | outputs as array references |
| `attack`  | lets an attack try the open session, or looks whether attacks mean anything | the smallest change that fooled each row, counts |
| `privacy` | learns of the rows behind the open session's model               | what was learnt, an array |
| `shadows` | trains models of one recipe on parts of the same rows            | their answers to all rows |
| `certify` | counts the classes that noisy copies of rows are given           | counts by row and class |
| `search`  | looks for a backdoor in the open session                         | for each class the smallest trigger, and how many rows it carries over |
| `facts`   | says what really runs; last, because finding out may cost memory | device, precision, details |
| `train`   | begins a training, times some of its steps, or carries one through | step times, waits, what the trainer told |
| `close`   | ends                                                             | |

An answer is `{"ok": true, ...}` or `{"ok": false, "error": {"kind", "message", "next_step"}}`.
"""

from __future__ import annotations

from typing import Any, Literal

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.record import Record

OUT_OF_MEMORY = ("out of memory", "bad_alloc", "bad allocation", "can't allocate memory", "cannot allocate memory")
"""How frameworks and the C++ runtime say it, where it is no MemoryError."""

OrderName = Literal[
    "hello",
    "look",
    "make",
    "convert",
    "open",
    "warm",
    "block",
    "predict",
    "attack",
    "privacy",
    "shadows",
    "certify",
    "search",
    "facts",
    "train",
    "close",
]


class ArrayRef(Record):
    """An array in a file named by its content: `<sha256>.npy`."""

    hash: str
    path: str
    shape: tuple[int, ...]
    dtype: str


class Order(Record):
    """One order; the fields that it doesn't need stay empty."""

    order: OrderName
    id: int = 0
    part: PartRef | None = None
    base: str = "."
    artefact: Artefact | None = None
    setting: dict[str, Any] = {}
    values: dict[str, ArrayRef] = {}
    rows: tuple[int, int] | None = None
    samples: int = 1
    meters: tuple[str, ...] = ()
    folder: str = ""
    seed: int = 0
    core: int | None = None
    settings: dict[str, Any] = {}
    train: dict[str, Any] = {}


NETWORK = "SEATRIAL_NETWORK"
"""The variable in a worker's environment that says `none` where it mustn't reach the network."""
FOLDER = "SEATRIAL_FOLDER"
"""The variable that names a folder of the worker's own, which it goes to; whoever started it removes that."""
WORKER = "seatrial.flow.worker"
"""The module that an executor starts (`python -m`) to get a worker."""
RELAY = "seatrial.parts.executors._relay"
"""The module that an executor starts on another machine: it takes files in and starts the worker there."""


def wants_memory(words: str) -> bool:
    """Whether an error or a worker's last words speak of memory that was not to be had."""
    return any(sign in words.lower() for sign in OUT_OF_MEMORY)
