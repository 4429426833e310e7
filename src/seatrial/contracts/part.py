"""What a part's file declares. The catalogue reads it without importing the file.

A part is one file, `parts/<kind>/<name>.py`: the first line of its docstring is its description everywhere, and beside the
functions of its kind (`contracts/protocols.py`) it declares, as plain literals:

    NEEDS = ("openvino",)                         packages beyond the core
    EXTRA = "openvino"                            the extra that brings them (`pip install 'seatrial[openvino]'`)
    ACCEPTS = {"format": ("onnx",)}               what it can take, by aspect
    GIVES = {"format": ("onnx",)}                 what it offers, by aspect
    USES = ("runtimes",)                          kinds of part that `flow` hands to it
    COUNTS = ("confusion",)                       shared counts that a metric is computed from
    ACROSS = True                                 a metric that compares groups
    WHOLE = True                                  a metric that looks at all rows at once
    USUAL = True                                  `seatrial init` writes it into a study without being asked
    CANNOT = {"npu": ("not run here", "no NPU was at hand")}
    VERSION = 1                                   raise it when results change: what was measured before counts no more
    class Options(PartOptions): ...               its block of the study file
"""

from __future__ import annotations

from typing import Literal, get_args

from seatrial.contracts.record import Record

Gap = Literal["not yet ours", "not yet theirs", "never", "not run here"]
GAPS: tuple[str, ...] = get_args(Gap)

KINDS: dict[str, str] = {
    "subjects": "how a model arrives",
    "formats": "what a file is, looked at without loading it",
    "datasets": "how data arrives",
    "tasks": "what answers mean",
    "conversions": "one format into another, proved equal",
    "variants": "what is done to the model",
    "trainers": "what fits a model",
    "runtimes": "what runs it",
    "loads": "how it is driven",
    "meters": "what is read off while it runs",
    "metrics": "how good the answers are",
    "corruptions": "how inputs go bad",
    "attacks": "how somebody breaks it",
    "privacy": "what somebody learns of the rows behind it",
    "poisoning": "how training is poisoned, and how that is found",
    "audits": "what is wrong with the data",
    "rules": "how one decides",
    "reports": "what is told, from a dossier",
    "searches": "which candidates to measure, in what order, when to stop",
    "stores": "where findings are kept",
    "executors": "where work runs",
}


class PartOptions(Record):
    """A part's block of the study file. Each field has a type, a default where there is a sensible one, and a description."""


class PartInfo(Record):
    """What is known of a part without importing it."""

    kind: str
    name: str
    path: str
    module: str
    description: str
    needs: tuple[str, ...] = ()
    extra: str | None = None
    accepts: dict[str, tuple[str, ...]] = {}
    gives: dict[str, tuple[str, ...]] = {}
    uses: tuple[str, ...] = ()
    cannot: dict[str, tuple[Gap, str]] = {}
    paired: bool = False
    counts: tuple[str, ...] = ()
    across: bool = False
    whole: bool = False
    usual: bool = False
    version: int = 1
    source: str = "seatrial"

    def takes(self, aspect: str, value: str) -> bool:
        """Whether `value` is acceptable; an aspect that isn't declared accepts anything."""
        return aspect not in self.accepts or value in self.accepts[aspect]

    def only(self, aspect: str) -> str | None:
        """The one value that is acceptable, where there is one alone."""
        accepted = self.accepts.get(aspect, ())
        return accepted[0] if len(accepted) == 1 else None

    def install(self) -> str:
        """The command that adds what the part needs."""
        return f"pip install 'seatrial[{self.extra}]'" if self.extra else f"pip install {' '.join(self.needs)}"
