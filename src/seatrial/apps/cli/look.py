"""Commands that look without measuring: `parts`, `explain`, `doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from seatrial.apps.cli import _out

if TYPE_CHECKING:
    from rich.console import RenderableType


def _kinds() -> list[str]:
    """For the shell's completion."""
    from seatrial import catalog

    return catalog.kinds()


def _names() -> list[str]:
    """For the shell's completion."""
    from seatrial.apps.cli._explain import names

    return names()


Json = Annotated[bool, typer.Option("--json", help="For machines: JSON on stdout.")]
GIB = 2**30


def parts(
    kind: Annotated[
        str | None,
        typer.Argument(help="A kind of part, such as `runtimes` or `metrics`; all if left out.", autocompletion=_kinds),
    ] = None,
    json: Json = False,
) -> int:
    """List the parts that a study can name, and what is missing for them."""
    from seatrial import catalog
    from seatrial.apps.cli._explain import summary
    from seatrial.contracts.part import KINDS

    listed = {
        of: [summary(info) for info in catalog.parts(of).values()] for of in ([kind] if kind else catalog.kinds())
    }
    if json:
        _out.data(listed)
        return 0
    for of, found in listed.items():
        if found:
            _out.show(_out.heading(f"{of}  ({KINDS[of]})"), _listing(found))
            _out.say()
    _out.say("`seatrial explain NAME` tells more about one of them.")
    return 0


def explain(
    name: Annotated[
        str,
        typer.Argument(
            help="A part (`openvino`, `metrics.accuracy`, `./my_metric.py`), a finding (`latency.p99`), a word, `study` or `study.measure`.",
            autocompletion=_names,
        ),
    ],
    json: Annotated[
        bool, typer.Option("--json", help="For machines; `explain study --json` is the JSON Schema of a study file.")
    ] = False,
) -> int:
    """Explain a part, a finding, a word, or the fields of a study file."""
    from seatrial.apps.cli._explain import everything

    if json and name == "study":
        from seatrial.flow.read import schema_json

        _out.data(schema_json())
        return 0
    found = everything(name)
    if json:
        _out.data(found)
        return 0
    if "word" in found:
        _out.show(f"{found['name']}: {found['word']}")
        _out.say()
    for what, term in found.get("findings", {}).items():
        _explain_finding(what, term)
    if "kind" in found:
        _out.show(_out.heading(f"{found['name']}: {found['kind']}"), _listing(found.get("parts", [])))
    else:
        for part in found.get("parts", []):
            _explain_part(part)
    for block in found.get("study", []):
        _out.show(_out.heading(block["block"]), block["meaning"], _fields(block["fields"]))
        _out.say()
    return 0


def doctor(json: Json = False) -> int:
    """Say what this machine can run, and the command that adds the rest."""
    from seatrial.apps.cli._machine import FEATURES, survey

    found = survey()
    if json:
        _out.data(found)
        return 0
    machine = found["machine"]
    features = (
        ", ".join(f"{name} ({FEATURES[name]})" for name in machine["features"]) or "none that low precision needs"
    )
    usable = "" if machine["cores_usable"] == machine["cores"] else f", {machine['cores_usable']} of them usable here"
    busy = "  (busy: timings will be disturbed)" if machine["load_1m"] > 0.5 * machine["cores_usable"] else ""
    rows = [
        ("seatrial", f"{found['seatrial']}, Python {machine['python']} on {machine['system']}"),
        ("processor", machine["processor"]),
        ("features", features),
        ("cores", f"{machine['cores']}{usable}"),
        ("memory", f"{machine['memory_bytes'] / GIB:.1f} GiB, {machine['memory_free_bytes'] / GIB:.1f} GiB free"),
        ("load", f"{machine['load_1m']:g} in the last minute{busy}"),
    ]
    _out.show(_out.table(("machine", ""), rows))
    _out.say()
    _out.show(_out.table(("part", "kind", "packages", "devices"), [_provision(part) for part in found["parts"]]))
    commands = list(dict.fromkeys(part["install"] for part in found["parts"] if part["install"]))
    _out.say()
    _out.say("Everything that parts need is installed." if not commands else "To add what is missing:")
    for command in commands:
        _out.say(f"  {command}")
    return 0


def _listing(found: list[dict[str, Any]]) -> RenderableType:
    rows = [(part["name"], part["description"], _lacks(part)) for part in found]
    return _out.table(("name", "what it is", ""), rows)


def _lacks(part: dict[str, Any]) -> str:
    where = "" if part["source"] == "seatrial" else f"from {part['source']}  "
    return where + (f"needs {', '.join(part['missing'])}: {part['install']}" if part["missing"] else "")


def _provision(part: dict[str, Any]) -> tuple[str, str, str, str]:
    packages = [f"{name} {version}" for name, version in part["installed"].items()]
    packages += [f"{name} missing" for name in part["missing"]]
    devices = [f"{name}: {reason}" if reason else name for name, reason in part["devices"].items()]
    return part["name"], part["kind"], ", ".join(packages) or "core", "\n".join(devices)


def _explain_finding(what: str, term: dict[str, Any]) -> None:
    _out.show(_out.heading(f"{what}: {term['title']}"))
    _out.show(term["meaning"])
    facts = [f"unit: {term['unit']}" if term["unit"] else "", f"better: {term['better']}" if term["better"] else ""]
    if any(facts):
        _out.show(", ".join(filter(None, facts)))
    _out.say()


def _explain_part(part: dict[str, Any]) -> None:
    _out.show(_out.heading(f"{part['kind']}.{part['name']}: {part['description']}"))
    if part["lesson"]:
        _out.say()
        _out.say(part["lesson"])
    _out.say()
    _out.show(_fields(part["options"]) if part["options"] else "It has no options.")
    for title, content in _declared(part).items():
        _out.show(f"{title}: {content}")
    _out.say()


def _declared(part: dict[str, Any]) -> dict[str, str]:
    """What a part's file says about itself, by title; only what it says."""
    aspects = {
        title: "; ".join(f"{aspect} {', '.join(values)}" for aspect, values in part[title].items())
        for title in ("accepts", "gives")
    }
    cannot = "; ".join(f"{what} ({gap['gap']}: {gap['reason']})" for what, gap in part["cannot"].items())
    needs = ", ".join(part["needs"]) + (f"  (missing: {part['install']})" if part["missing"] else "")
    told = {"needs": needs, **aspects, "uses": ", ".join(part["uses"]), "cannot": cannot}
    told["from"] = "" if part["source"] == "seatrial" else part["source"]
    return {title: content for title, content in told.items() if content.strip()}


def _fields(rows: list[dict[str, str]]) -> RenderableType:
    cells = [(row["name"], row["type"], row["default"] or "required", row["meaning"]) for row in rows]
    return _out.table(("field", "type", "default", "meaning"), cells)
