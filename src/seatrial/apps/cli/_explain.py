"""What can be said about a name: a part, a kind of part, a finding, a word, or a block of the study file."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial import catalog
from seatrial.contracts import glossary
from seatrial.contracts.glossary import FINDINGS, WORDS
from seatrial.contracts.part import KINDS, PartInfo
from seatrial.contracts.terms import Term
from seatrial.errors import UnknownPart

if TYPE_CHECKING:
    from pydantic import BaseModel


def everything(name: str) -> dict[str, Any]:
    """All that is known under this name, by sort. Raises `UnknownPart` with the nearest right name."""
    word = name.strip().lower()
    found: dict[str, Any] = {
        "study": study_block(name) if word.split(".")[0] == "study" else [],
        "kind": KINDS.get(word, ""),
        "parts": [part(info) for info in named(name)],
        "findings": {what: term._asdict() for what, term in _terms(word).items()},
        "word": WORDS.get(word, ""),
    }
    if found["kind"] and word in catalog.kinds():
        found["parts"] = [summary(info) for info in catalog.parts(word).values()]
    if not any(found.values()):
        near = catalog.nearest(word, names())
        raise UnknownPart(
            f"nothing here is called `{name}`",
            next_step=f"did you mean `{near}`?" if near else "`seatrial parts` lists the parts",
        )
    return {"name": name} | {sort: content for sort, content in found.items() if content}


def names() -> list[str]:
    """Every name that can be explained."""
    known = [name for kind in catalog.kinds() for name in catalog.parts(kind)]
    return sorted({*known, *KINDS, *FINDINGS, *WORDS, "study"})


def named(name: str) -> list[PartInfo]:
    """The parts of that name in every kind; `runtimes.torch` or `runtimes/torch` asks for one; `./my_metric.py` is a file."""
    if name.endswith(".py"):
        kind = _kind_of(Path(name))
        return [catalog.find(kind, name)] if kind else []
    kind, _, alone = name.replace("/", ".").partition(".")
    if not alone or kind not in catalog.kinds():
        kind, alone = "", name
    kinds = [kind] if kind else catalog.kinds()
    return [catalog.parts(of)[alone] for of in kinds if alone in catalog.parts(of)]


def summary(info: PartInfo) -> dict[str, Any]:
    """A part in a line: its name, description, and what is missing for it."""
    absent = catalog.absent(info)
    return {
        "kind": info.kind,
        "name": info.name,
        "description": info.description,
        "missing": absent,
        "install": info.install() if absent else "",
        "source": info.source,
    }


def part(info: PartInfo) -> dict[str, Any]:
    """A part in full: its lesson, options, what it needs, accepts, gives and can't."""
    return summary(info) | {
        "lesson": lesson(info),
        "options": fields(catalog.options_type(catalog.load(info))),
        "needs": list(info.needs),
        "extra": info.extra or "",
        "accepts": {aspect: list(values) for aspect, values in info.accepts.items()},
        "gives": {aspect: list(values) for aspect, values in info.gives.items()},
        "uses": list(info.uses),
        "cannot": {what: {"gap": gap, "reason": reason} for what, (gap, reason) in info.cannot.items()},
        "paired": info.paired,
        "version": info.version,
    }


def lesson(info: PartInfo) -> str:
    """The docstring of a part's file after its first line."""
    text = ast.get_docstring(ast.parse(Path(info.path).read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[2].strip()


def study_block(name: str) -> list[dict[str, Any]]:
    """The blocks of a study file: all for `study`, one for `study.measure` or `study.candidates`. Empty if there is none."""
    from seatrial.apps.cli._fields import blocks
    from seatrial.contracts.study import Study

    path = name.strip().split(".")[1:]
    wanted: type[BaseModel] = Study
    for step in path:
        field = next((field for key, field in wanted.model_fields.items() if step in (key, field.alias)), None)
        inside = blocks(field.annotation) if field else []  # type: ignore[arg-type]
        if not inside:
            return []
        wanted = inside[0]
    return [
        {"block": record.__name__, "meaning": inspect.cleandoc(record.__doc__ or ""), "fields": fields(record)}
        for record in (blocks(wanted) if not path else [wanted])
    ]


def fields(record: type[BaseModel]) -> list[dict[str, str]]:
    """The fields of a record in words."""
    from seatrial.apps.cli._fields import rows

    return [row._asdict() for row in rows(record)]


def _kind_of(file: Path) -> str:
    """The kind of part whose functions this file offers (defined, imported or assigned), told by their names; empty if there is none."""
    from seatrial.contracts import attack, audit, poisoning, privacy, protocols, quality

    if not file.is_file():
        return ""
    tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    here = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    here |= {
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assigned = (target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets)
    here |= {one.id for target in assigned for one in ast.walk(target) if isinstance(one, ast.Name)}
    asked = [
        (found.group(1), {name for name in vars(protocol) if not name.startswith("_")})
        for protocol in (
            *vars(protocols).values(),
            *vars(quality).values(),
            *vars(audit).values(),
            *vars(attack).values(),
            *vars(privacy).values(),
            *vars(poisoning).values(),
        )
        if (found := re.match(r"`parts/(\w+)`", getattr(protocol, "__doc__", None) or ""))
    ]
    fitting = [(len(names), kind) for kind, names in asked if names <= here]
    return max(fitting, key=lambda one: one[0], default=(0, ""))[1]


def _terms(word: str) -> dict[str, Term]:
    """The findings that the word speaks of; the drop of a finding is known by the finding."""
    found = {what: one for what, one in FINDINGS.items() if _speaks_of(what, word)}
    derived = glossary.term(word) if word.endswith(".drop") and word.removesuffix(".drop") in FINDINGS else None
    return found or ({word: derived} if derived else {})


def _speaks_of(what: str, word: str) -> bool:
    return what == word or what.startswith(f"{word}.") or what.endswith(f".{word}")
