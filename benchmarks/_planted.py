"""What hostile.py throws at the program: mutated studies, tables and model files, made from sound ones by a seed.

A pickle that is planted here makes a file in `marks` if anything ever loads it; so do a YAML tag and an imported module.
"""

from __future__ import annotations

import copy
import io
import json
import pickle
import random
import string
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.testing import _models

SUFFIXES = (".onnx", ".pkl", ".joblib", ".pt", ".pth", ".pt2", ".bin", ".safetensors", ".npy", ".npz", ".parquet")
STUDY: dict[str, Any] = {
    "schema": 1,
    "name": "small",
    "models": {
        "net": {
            "forms": {
                "onnx": {"path": "model.onnx"},
                "torch": {"module": "net.py:build", "weights": "w.safetensors", "arguments": {"width": 3}},
            },
            "task": "classification",
            "inputs": {"features": {"columns": "features", "scale": {"divide": 2, "mean": 0.1, "std": [0.5] * 32}}},
            "outputs": {"logits": {"means": "logits", "classes": list(range(10))}},
        }
    },
    "data": {
        "evaluation": {
            "from": {"npz": {"path": "rows.npz"}},
            "label": "label",
            "group": "user",
            "roles": {"draw": {"confirm": 0.5, "calibrate": 0.5}},
        }
    },
    "candidates": [
        {"runtime": "onnxruntime", "batch": [1, 8], "variant": ["as_is", "int8_static"]},
        {"runtime": [{"torch": {"compiled": True}}], "precision": ["fp32", "bf16"], "threads": 2},
    ],
    "reference": {"runtime": "onnxruntime", "variant": "as_is", "batch": 1},
    "measure": {
        "loads": ["offline", {"single_stream": {"seconds": 1}}],
        "rounds": {"least": 2, "most": 3},
        "metrics": ["accuracy", {"top_k": {"k": 2}}, "flips"],
        "limits": {"open": "30 s", "memory": "2 GiB"},
    },
    "require": [{"at_most": {"what": "latency.p99", "bound": "5 ms", "at": {"load": "single_stream"}}}],
    "prefer": {"what": "speedup", "at": {"load": "offline"}},
    "confidence": 0.95,
    "reports": ["json", "html"],
}

NASTY: list[Any] = [
    None, True, False, -1, 0, 0.5, 2**31, 2**63, 2**64, 10**30, -(10**30), 1e308, float("inf"), float("nan"), "", " ", "\x00",
    "a\x00b", "\x1b[2J", "\x7f", "\x85", "\ud800", "\u202e", "é" * 500, "𝔘", "a" * 300, "a" * 5000, "..", ".", "/", "/dev/zero",
    "/etc/passwd", "../../../etc/passwd", "/proc/self/mem", "~", "**", "/**", "**.npz", "*", "[", "x/**/y", "rows.npz/x",
    "5 parsecs", "-3 ms", "1e999 s", "NaN s", "inf", ".inf", "1e400", "0 s", "9" * 400 + " s", "9" * 6000, "0x", "1_000", "=",
    [], {}, [[]], {"a": {}}, [None], [1, "a", {}], {"name": "torch", "options": 3}, {"name": None}, {"": ""}, ["a"] * 300,
    [list(range(50))] * 50, {str(one): one for one in range(300)}, "__import__('os').abort()", "{{ 7 * 7 }}", "%s%n", "no", "C" * 40,
    "float8", "object", "O", "U8", "M8[s]", "V16", "complex64", "f4,f4", "float32, (1000000000,)f8", "H", "HWC", "confirm", "train",
    {"column": "label"}, {"draw": {"confirm": -1, "calibrate": 2}}, {"stored": "", "model": ""}, {"stored": "AB", "model": "BAC"},
]  # fmt: skip


class Payload:
    """Opens a file for writing when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.mark), "w")


def sound(folder: Path, marks: Path) -> None:
    """A folder with a sound study, model, weights and tables; its module must not be imported by whoever only reads."""
    import polars as pl
    from safetensors.numpy import save_file

    _models.mlp_file(folder / "model.onnx")
    save_file({"w": np.zeros((4, 4), np.float32), "b": np.ones(4, np.float32)}, folder / "w.safetensors")
    (folder / "net.py").write_text(f"open({str(marks / 'imported')!r}, 'w')\ndef build(**options): ...\n")
    columns = {"features": _models.rows(60, 32), "label": np.arange(60) % 10, "user": np.arange(60) // 3}
    np.savez_compressed(folder / "rows.npz", **columns)
    np.save(folder / "rows.npy", columns["features"])
    pl.DataFrame(columns).write_parquet(folder / "rows.parquet")
    pl.DataFrame(columns).write_ipc(folder / "rows.arrow")
    _separated(columns).write_csv(folder / "rows.csv")
    _pictures(folder / "pictures")
    (folder / "study.yaml").write_text(json.dumps(STUDY))


def _separated(columns: dict[str, Any]) -> Any:
    """The columns as a table of single numbers and words, as CSV files hold them."""
    import polars as pl

    numbers = {f"f{index}": columns["features"][:, index] for index in range(columns["features"].shape[1])}
    words = {"label": columns["label"], "name": [f'row {row}, "{row % 7}"' for row in range(60)]}
    return pl.DataFrame(numbers | words)


def _pictures(folder: Path) -> None:
    """Two folders of small pictures, one for each label, in the formats that people have."""
    from PIL import Image

    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for index, suffix in enumerate(("png", "jpg", "bmp", "gif", "tif", "webp")):
            pixels = np.random.default_rng(index).integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{index}.{suffix}")


# --- what several kinds of file take ---------------------------------------------------------------------------------------


def damaged(draw: random.Random, content: bytes) -> bytes:
    """Cut off, with bits flipped (often near an end, where headers are), bytes doubled, or nothing but noise."""
    way, size = draw.choice(("cut", "flip", "flip", "flip", "splice", "noise")), len(content)
    if way == "cut":
        return content[: draw.choice((0, 1, 4, 8, draw.randrange(size), size - 1))]
    if way == "noise":
        return draw.choice((b"", content[:8])) + draw.randbytes(draw.choice((1, 100, 5000)))
    if way == "splice":
        start, length = draw.randrange(size), draw.randrange(200)
        return (
            content[:start]
            + draw.choice((b"", content[start : start + length] * 3, bytes(length)))
            + content[start + length :]
        )
    changed = bytearray(content)
    near = draw.choice((size, min(size, 300), -min(size, 600)))
    for _ in range(draw.choice((1, 3, 20))):
        at = draw.randrange(near) if near > 0 else size + draw.randrange(near, 0)
        changed[at] ^= 1 << draw.randrange(8)
    return bytes(changed)


def pickled(mark: Path, how: str) -> bytes:
    """A payload as pickles come: of a protocol, in a PyTorch archive, in an archive of an exported program, compressed."""
    if how.isdigit():
        return pickle.dumps(Payload(mark), int(how))
    if how == "gzip":
        import gzip

        return gzip.compress(pickle.dumps(Payload(mark)))
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name in ("archive/data.pkl", "archive/version") if how == "zip" else ("serialized_exported_program.json", "data/weights/weights.pt", "data/sample_inputs/model.pt"):  # fmt: skip
            archive.writestr(name, pickle.dumps(Payload(mark)) if name.endswith(("pkl", "pt")) else b"3")
    return held.getvalue()


# --- studies ------------------------------------------------------------------------------------------------------------


def study(draw: random.Random, mark: Path) -> bytes:
    """A study with one to four things wrong, in its tree or in its text."""
    if draw.random() < 0.2:
        return _text_of_its_own(draw, mark).encode("utf-8", "surrogatepass")
    tree = copy.deepcopy(STUDY)
    for _ in range(draw.choice((1, 1, 2, 4))):
        _wrong(draw, tree)
    text = json.dumps(tree, ensure_ascii=draw.random() < 0.7)
    for _ in range(draw.choice((0, 0, 0, 1, 3))):
        text = _smudged(draw, text)
    return text.encode("utf-8", "surrogatepass")


def _wrong(draw: random.Random, tree: Any) -> None:
    """Delete, double, misspell, retype or move one value of the tree."""
    places = list(_places(tree))
    if not places:
        return
    holder, key = draw.choice(places)
    way = draw.choice(("delete", "misspell", "retype", "retype", "retype", "move", "wrap"))
    if way == "delete":
        del holder[key]
    elif way == "misspell" and isinstance(holder, dict):
        holder[_misspelt(draw, str(key))] = holder.pop(key)
    elif way == "move":
        other, name = draw.choice(places)
        holder[key] = copy.deepcopy(other[name])
    elif way == "wrap":
        holder[key] = draw.choice(([holder[key]], {"name": holder[key]}, {str(key): holder[key]}, [holder[key]] * 3))
    else:
        holder[key] = copy.deepcopy(draw.choice(NASTY))


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
        found.append((tree, key))
        if isinstance(tree[key], dict | list):
            found += _places(tree[key])
    return found


def _misspelt(draw: random.Random, word: str) -> str:
    at = draw.randrange(len(word) + 1)
    return draw.choice(
        (word[:at] + word[at + 1 :], word[:at] + draw.choice("xé\x00\u202e ") + word[at:], word.upper(), "")
    )


def _smudged(draw: random.Random, text: str) -> str:
    """Change the text somewhere."""
    at = draw.randrange(len(text) + 1)
    put = draw.choice(
        (
            *string.punctuation,
            "\x00",
            "\x1b",
            "\ufeff",
            "\u2028",
            "\t",
            "\n",
            "&a ",
            "*a",
            "!!set ",
            "<<: ",
            "? ",
            "---\n",
        )
    )
    return draw.choice(
        (text[:at], text[:at] + put + text[at:], text[:at] + put + text[at + 1 :], text[:at] + text[at:][1:])
    )


def _text_of_its_own(draw: random.Random, mark: Path) -> str:
    """YAML that json can't write: tags, aliases, depth, numbers of all kinds."""
    number, depth = draw.choice((5, 50, 4400, 100_000)), draw.choice((50, 100, 1000, 20_000))
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    whole = json.dumps(STUDY)
    return draw.choice(
        (
            f"name: !!python/object/apply:builtins.open [{str(mark)!r}, w]\n",
            f"name: !!python/object/apply:os.system ['touch {mark}']\n",
            "[" * depth, "{a: " * depth, "- " * depth + "x", "\n".join(" " * n + "a:" for n in range(min(depth, 1000))),
            bomb, "a: &a [*a]\n", "a: &a {<<: *a}\n", "<<: 3\n", "<<: [[]]\n", "? [a, b]\n: c\n", "? {a: b}\n: c\n", "*a\n", "a: 1\na: 2\n",
            whole.replace('"batch": 1', f'"batch": {"9" * number}'), whole.replace("0.95", f"{'9' * number}.5"),
            whole.replace("0.95", draw.choice(("0x", "0o9", "0b2", "1e5000", "+.INF", ".NaN", "0o", "1__0", "-0x1", "1:30", "!!int x", "!!float x", "!!null x", "!!bool x", "!!binary x", "!!timestamp 1", "2026-99-99"))),
            "%YAML 9.9\n---\na: 1\n", "%TAG ! tag:x,2000:\n--- !a b\n", "--- a\n--- b\n", "", "\n", "# nothing", "~", "3", "[]", "{}", "\ufeff", "\x00" * 9,
            "'" * 99, "a: |99\n x", "a: >-\n", "\t- a", "&" + "a" * 2000 + " b", "{" + ", ".join(f"k{n}: {n}" for n in range(3000)) + "}",
            "".join(map(chr, (draw.randrange(1, 0x2FFF) for _ in range(300)))), whole + whole, whole[::-1],
        )
    )  # fmt: skip
