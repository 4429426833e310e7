"""Names of people and places in text, as a language model finds them through Presidio: counted, never shown.

It looks only where it is named: `audit: {audits: [personal_names]}`, or `--only`. Patterns and checksums find numbers and addresses (`personal_data`); names want a language model. Presidio asks a spaCy model that must be installed
already: nothing is downloaded here. Of each column of text at most `cells` different ones are looked at, drawn by a hash; what is found is an
estimate, for the model errs: in names of other languages most.

audit.personal_names         cells looked at in which a name was found
audit.personal_names.kind    of them by kind {column, kind}: person, location, ...
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import Chunk, Ground, Table
from seatrial.contracts.finding import Finding, Origin, Severity, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.numerics.row_hash import word_hashes
from seatrial.parts.audits._shared import MOST_COLUMNS, result

NEEDS = ("presidio_analyzer", "spacy")
EXTRA = "names"
ACCEPTS = {"tables": ("one",)}
GIVES = {"way": ("model",), "when": ("named",)}
CANNOT = {
    "without a language model": (
        "not run here",
        "`python -m spacy download en_core_web_sm` fetches one; it is never fetched unasked",
    ),
    "several languages in a column": ("not yet ours", "one model is asked of all cells"),
}
KEY = b"which cells are looked at"


class Options(PartOptions):
    """Which language model, and how much it reads."""

    model: str = Field(default="en_core_web_sm", description="the spaCy model, installed or a folder")
    language: str = Field(default="en", description="its language, as Presidio calls it")
    kinds: tuple[str, ...] = Field(
        default=("PERSON", "LOCATION"), description="the kinds of names that are counted, as Presidio calls them"
    )
    least: float = Field(default=0.6, gt=0, lt=1, description="how sure Presidio must be")
    cells: int = Field(default=500, ge=1, description="different cells of a column that are looked at, at most")
    minor: float = Field(default=0.01, ge=0, lt=1, description="share of cells above which names are worth a look")


def begin(table: Table, ground: Ground, options: Options) -> _Look | None:
    """Looks at columns of text but for the label."""
    names = [
        name for name in table.columns if table.columns[name] == "text" and name not in (table.label, *table.ignored)
    ]
    return _Look(table, ground, options, names) if names else None


class _Look:
    """Gathers the cells with the smallest hashes, how often each stands, and asks the model at the end."""

    again = False

    def __init__(self, table: Table, ground: Ground, options: Options, names: list[str]) -> None:
        self.table, self.ground, self.options = table, ground, options
        self.cells: dict[str, dict[int, tuple[str, int]]] = {name: {} for name in names}

    def see(self, chunk: Chunk) -> None:
        """Keep the cells of each column whose hashes are the smallest: the same cells however rows are cut."""
        for name, kept in self.cells.items():
            piece = chunk.columns[name]
            counts = np.bincount(piece.values[~piece.holes], minlength=len(piece.words))
            for place, hashed in enumerate(word_hashes(list(piece.words), KEY).tolist()):
                if counts[place]:
                    kept[hashed] = (piece.words[place], kept.get(hashed, ("", 0))[1] + int(counts[place]))
            if len(kept) > 2 * self.options.cells:
                self._cut(name)

    def _cut(self, name: str) -> None:
        kept = self.cells[name]
        self.cells[name] = {hashed: kept[hashed] for hashed in sorted(kept)[: self.options.cells]}

    def findings(self) -> Iterator[Finding]:
        """How many cells hold a name, and of which kind."""
        at = {"table": self.table.name}
        analyzer, why = _analyzer(self.options)
        if analyzer is None:
            yield missing("audit.personal_names", State.NOT_INSTALLED, why, at=at)
            return
        looked = hit = 0
        kinds: Counter[tuple[str, str]] = Counter()
        for name in self.cells:
            self._cut(name)
            for text, count in self.cells[name].values():
                found = {one.entity_type for one in analyzer.analyze(text, self.options.language, list(self.options.kinds), score_threshold=self.options.least)}  # fmt: skip
                looked, hit = looked + count, hit + (count if found else 0)
                kinds.update({(name, kind.lower()): count for kind in found})
        severity = Severity.MINOR if hit > self.options.minor * max(1, looked) else Severity.FINE
        method = (
            f"Presidio over the spaCy model {self.options.model}, at most {self.options.cells} different cells a column"
        )
        for one in result("personal_names", hit, looked, severity, method, self.table, self.ground, unit="cells"):
            yield one.model_copy(update={"origin": Origin.ESTIMATED})
        for (column, kind), count in kinds.most_common(MOST_COLUMNS):
            yield Finding(
                what="audit.personal_names.kind",
                at={**at, "column": column, "kind": kind},
                value=count,
                unit="cells",
                better="lower",
                n=looked,
                unit_of_replication="cells",
                severity=Severity.MINOR,
                origin=Origin.ESTIMATED,
                method=method,
            )


def _analyzer(options: Options) -> tuple[Any, str]:
    """Presidio's analyzer over the installed model; or why there is none."""
    import spacy
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    try:
        spacy.load(options.model)
    except OSError:
        return None, f"the spaCy model {options.model} isn't installed: python -m spacy download {options.model}"
    stated = {"nlp_engine_name": "spacy", "models": [{"lang_code": options.language, "model_name": options.model}]}
    engine = NlpEngineProvider(nlp_configuration=stated).create_engine()
    return AnalyzerEngine(nlp_engine=engine, supported_languages=[options.language]), ""
