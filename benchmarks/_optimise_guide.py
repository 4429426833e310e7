"""The tables of `docs/do/which-optimisation-for-which-model.md`, from the recorded figures: `python _optimise_guide.py` writes them anew.

So it does with the speed-ups in its sentences, each right after the way that it is of, by the table that the heading above speaks of. What else a sentence says
is held to the tables by a test, and is to be written again where they no longer bear it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TABLE = HERE / "optimise_table.json"
PAGE = HERE.parent / "docs" / "do" / "which-optimisation-for-which-model.md"
REFERENCE = "onnxruntime fp32"


RUNS = ("fashion", "cnn", "transformer")
"""Networks whose candidates were measured by one run each."""


HEADINGS = {
    "The small CNN": "fashion",
    "The larger CNN": "cnn",
    "The transformer": "transformer",
    "With matrix units": "amx",
}
"""Of which table the sentences under each heading speak."""
SPEED = re.compile(r"`([^`]+)`(,? (?:has )?)[\d.]+×")


def tables(known: dict[str, Any]) -> dict[str, str]:
    """Each table by its name, as Markdown."""
    return {name: _by_run(known[name]) for name in RUNS} | {"amx": _by_hand(known["amx"])}


def _by_run(recorded: dict[str, Any]) -> str:
    lines = ["| way | speed-up | accuracy lost | answers changed | file | ran in |", "|---|---|---|---|---|---|"]
    found = recorded["candidates"]
    for way in sorted(found, key=lambda one: -found[one].get("speedup", [0])[0]):
        one = found[way]
        if "failed" in one:
            lines.append(f"| `{short(way)}` | {one['failed'].partition(':')[0]} | | | | |")
            continue
        cells = [_times(one.get("speedup")), _points(one.get("accuracy.drop")), _share(one.get("flips")), _size(one.get("size")), one.get("executed") or ""]  # fmt: skip
        lines.append(f"| `{short(way)}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def short(way: str) -> str:
    """A candidate's label without the options of its students."""
    name, _, rest = way.partition("(")
    if "distilled" not in name and "narrowed" not in name:
        return way
    return f"{name}{rest.rpartition(')')[2]}"


def _by_hand(recorded: dict[str, Any]) -> str:
    """Speed-ups at batch 32 over ONNX Runtime in fp32."""
    lines = ["| way | CNN | transformer |", "|---|---|---|"]
    found = recorded["candidates"]
    base = found[REFERENCE]
    for way, one in found.items():
        cells = [f"{one[net][1] / base[net][1]:.2g}×" for net in ("cnn", "transformer")]
        lines.append(f"| `{way}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _times(bounds: list[float | None] | None) -> str:
    if bounds is None:
        return "1 (reference)"
    value, low, high = bounds
    return f"{value:.2f}×" + (f" ({low:.2f} to {high:.2f})" if low is not None and high is not None else "")


def _points(bounds: list[float | None] | None) -> str:
    if bounds is None:
        return ""
    value, low, high = bounds
    return f"{100 * (value or 0):.2f} pp ({100 * (low or 0):.2f} to {100 * (high or 0):.2f})"


def _share(bounds: list[float | None] | None) -> str:
    return "" if bounds is None else f"{100 * (bounds[0] or 0):.2f} %"


def _size(bounds: list[float | None] | None) -> str:
    return "" if bounds is None else f"{(bounds[0] or 0) / 1000:.0f} kB"


def filled(page: str, known: dict[str, Any]) -> str:
    """The page with its tables as they are recorded."""
    for name, table in tables(known).items():
        head, mark, rest = page.partition(f"<!-- {name} -->\n")
        if not mark:
            raise SystemExit(
                f"{PAGE.name} has no place for the table `{name}`: a line <!-- {name} --> and one <!-- end -->"
            )
        page = head + mark + table + "\n" + rest[rest.index("<!-- end -->") :]
    head, told, rest = page.partition("## What follows")
    return head + told + _refreshed(rest, tables(known))


def _refreshed(text: str, found: dict[str, str]) -> str:
    """Sentences with the speed-ups of their tables."""
    lines, table = [], ""
    for line in text.splitlines(keepends=True):
        table = next((name for start, name in HEADINGS.items() if line.startswith(f"### {start}")), table)
        speeds = dict(re.findall(r"^\| `([^`]+)` \|[^\n]*?([\d.]+)×", found.get(table, ""), re.MULTILINE))
        whole = line if table != "amx" else ""
        lines.append(
            SPEED.sub(
                lambda one, speeds=speeds: f"`{one[1]}`{one[2]}{speeds[one[1]]}×" if one[1] in speeds else one[0], whole
            )
            or line
        )  # type: ignore[misc]
    return "".join(lines)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(), json.loads(TABLE.read_text())))
