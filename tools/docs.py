"""Writes the look-up pages in `docs/reference/` from the code; with `--check` it says which of them are out of date.

python tools/docs.py [--check]
"""

from __future__ import annotations

import difflib
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from seatrial import catalog
from seatrial.apps.cli import _explain, _fields, main
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.glossary import FINDINGS, WORDS
from seatrial.contracts.part import KINDS, PartInfo
from seatrial.contracts.study import Study
from seatrial.flow.read import schema_json

FOLDER = Path(__file__).parent.parent / "docs" / "reference"


def parts() -> str:
    """Every part by kind: description, lesson, options, what it needs, accepts, gives and can't."""
    sections = [
        "# Parts\n\nWhat a study file can name. A part is one file, `src/seatrial/parts/KIND/NAME.py`; "
        "plug-ins add more (`seatrial parts` lists what is installed).\n"
    ]
    for kind in catalog.kinds():
        ours = [info for info in catalog.parts(kind).values() if info.source == "seatrial"]
        sections.append(f"## {kind}: {KINDS[kind]}\n")
        sections += [_part(info) for info in ours]
    return "\n".join(sections)


def _part(info: PartInfo) -> str:
    known = _explain.part(info)
    said = {
        "Needs": ", ".join(f"`{name}`" for name in info.needs)
        + (f" (`pip install 'seatrial[{info.extra}]'`)" if info.extra else ""),
        "Accepts": _aspects(info.accepts),
        "Gives": _aspects(info.gives),
        "Uses": ", ".join(info.uses),
        "Compares": "with the reference, on the same rows" if info.paired else "",
    }
    lines = [f"### {info.name}\n", f"{info.description}\n"]
    if known["lesson"]:
        lines.append(f"{known['lesson']}\n")
    if known["options"]:
        lines.append(_table(("option", "type", "default", "meaning"), map(_cells, known["options"])))
    lines += [f"- {title}: {content}" for title, content in said.items() if content]
    lines += [f"- Can't: {what} ({gap}): {reason}" for what, (gap, reason) in info.cannot.items()]
    return "\n".join(lines) + "\n"


def _aspects(aspects: dict[str, tuple[str, ...]]) -> str:
    return "; ".join(f"{aspect} {', '.join(f'`{value}`' for value in values)}" for aspect, values in aspects.items())


def cli() -> str:
    """Every command with its arguments and options."""
    group: Any = typer.main.get_command(main.app)
    sections = [f"# Command line\n\n{main.app.info.help}\n", "Options before the command:\n", _options(group)]
    sections.append(f"{inspect.cleandoc(main.__doc__ or '').partition(chr(10) * 2)[2]}\n")
    for panel, commands in main.COMMANDS.items():
        sections.append(f"## {panel}\n")
        sections += [_command(group.commands[command.__name__]) for command in commands]
    for panel, apps in main.GROUPS.items():
        sections.append(f"## {panel}\n")
        for within in (group.commands[app.info.name] for app in apps):
            sections.append(f"{within.help}\n")
            sections += [_command(command, f"{within.name} ") for command in within.commands.values()]
    return "\n".join(sections)


def _command(command: Any, within: str = "") -> str:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    usage = " ".join(_placeholder(param) for param in arguments)
    lines = [f"### seatrial {within}{command.name} {usage}".rstrip() + "\n", f"{inspect.cleandoc(command.help)}\n"]
    rows = [(f"`{_placeholder(param).strip('[]')}`", param.help or "", _default(param)) for param in arguments]
    if rows:
        lines.append(_table(("argument", "meaning", "default"), rows))
    return "\n".join([*lines, _options(command)])


def _placeholder(param: Any) -> str:
    name = param.metavar or param.name.upper()
    return name if param.required else f"[{name}]"


def _options(command: Any) -> str:
    shown = [param for param in command.params if param.param_type_name == "option"]
    return _table(
        ("option", "meaning", "default"), [(_spelt(param), param.help or "", _default(param)) for param in shown]
    )


def _spelt(param: Any) -> str:
    value = "" if param.is_flag else f" {param.metavar or param.name.upper()}"
    return ", ".join(f"`{opt}{value}`" for opt in param.opts)


def _default(param: Any) -> str:
    given = param.default
    return "" if given in (None, False, ()) or callable(given) or param.required else f"`{given}`"


def findings() -> str:
    """The vocabulary: names of findings, and the words of studies and reports."""
    rows = [(f"`{what}`", term.title, term.meaning, term.unit, term.better or "") for what, term in FINDINGS.items()]
    words = [(f"`{word}`", meaning) for word, meaning in WORDS.items()]
    return (
        "# Findings\n\nThe names that findings have. Everywhere the same: in requirements, reports and `dossier.json`. "
        "No unit means a share from 0 to 1, or a plain number.\n\n"
        + _table(("what", "in words", "meaning", "unit", "better"), rows)
        + "\n## Words\n\n"
        + _table(("word", "meaning"), words)
    )


def study() -> str:
    """The fields of a study file."""
    return (
        "# Study file\n\nA study is a YAML file. [study.schema.json](study.schema.json) is its JSON Schema: "
        "`seatrial init` writes it beside a new study, and editors complete and check by it.\n\n" + _blocks(Study)
    )


def dossier() -> str:
    """The fields of a dossier."""
    return (
        "# Dossier\n\n`dossier.json` holds everything that a run found, and all that its reports were made from. "
        "[dossier.schema.json](dossier.schema.json) is its JSON Schema.\n\n" + _blocks(Dossier)
    )


def _blocks(record: type[BaseModel]) -> str:
    sections = []
    for block in _fields.blocks(record):
        rows = [_cells(row._asdict()) for row in _fields.rows(block)]
        meaning = inspect.cleandoc(block.__doc__ or "")
        sections.append(f"## {block.__name__}\n\n{meaning}\n\n{_table(('field', 'type', 'default', 'meaning'), rows)}")
    return "\n".join(sections)


def _cells(row: dict[str, str]) -> tuple[str, str, str, str]:
    return f"`{row['name']}`", row["type"], f"`{row['default']}`" if row["default"] else "*required*", row["meaning"]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; nothing where there are no rows."""
    lines = [" | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows]
    if not lines:
        return ""
    head = [f"| {' | '.join(columns)} |", f"|{'|'.join('---' for _ in columns)}|"]
    return "\n".join(head + [f"| {line} |" for line in lines]) + "\n"


def _json(schema: Callable[[], dict[str, Any]]) -> Callable[[], str]:
    return lambda: json.dumps(schema(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "parts.md": parts,
    "cli.md": cli,
    "findings.md": findings,
    "study.md": study,
    "dossier.md": dossier,
    "study.schema.json": _json(schema_json),
    "dossier.schema.json": _json(lambda: Dossier.model_json_schema(mode="serialization")),
}


def stale() -> list[str]:
    """For each page that isn't what the code says: its name and the first lines that differ."""
    found = []
    for name, made in PAGES.items():
        file = FOLDER / name
        there = file.read_text(encoding="utf-8") if file.is_file() else ""
        differing = list(
            difflib.unified_diff(there.splitlines(), made().splitlines(), name, "as the code says", n=0, lineterm="")
        )
        if differing:
            found.append("\n".join(differing[:12]))
    return found


def run(arguments: list[str]) -> int:
    """Write the pages, or check them."""
    if "--check" in arguments:
        wrong = stale()
        print(
            "\n".join(wrong) + "\n`make docs` writes them anew." if wrong else "the look-up pages are as the code says"
        )
        return 1 if wrong else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, made in PAGES.items():
        (FOLDER / name).write_text(made(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
