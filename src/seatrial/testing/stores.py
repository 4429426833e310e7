"""The exam for stores: what `put` returned from is there, whole, in order, also after reopening."""

from __future__ import annotations

import tempfile
from pathlib import Path

from seatrial import catalog
from seatrial.contracts.part import PartInfo


def exam(part: PartInfo) -> None:
    """Raises `AssertionError` where the store doesn't do what stores do. Needs only a folder."""
    module, options = catalog.load(part), catalog.options(part)
    with tempfile.TemporaryDirectory() as name:
        store = module.open(Path(name), options)
        assert store.get("round", "a") is None
        assert store.all("round") == []
        store.put([])
        bodies = {
            f"k{index}/{index % 3}": {"n": index, "x": 0.1 * index, "words": "ü ✓ '\"", "none": None}
            for index in range(20)
        }
        store.put([("round", key, body) for key, body in bodies.items()])
        assert store.all("round") == list(bodies.items()), (
            "not all entries are there in the order in which they were kept"
        )
        assert store.all("round", "k1") == [item for item in bodies.items() if item[0].startswith("k1")]
        assert store.all("run") == [], "shelves are mixed up"
        store.put([("round", "k1/1", {"n": 99}), ("run", "k1/1", [1, 2])])
        assert store.get("round", "k1/1") == {"n": 99}, "an entry was not replaced"
        assert store.all("round", "k%") == [], "a key's prefix is taken for a pattern"
        _all_or_none(store)
        again = module.open(Path(name), options)
        assert again.get("round", "k1/1") == {"n": 99}, "lost on reopening"
        again.put([("round", "late", 1)])
        assert store.get("round", "late") == 1, "two openings don't see each other's entries"


def _all_or_none(store: object) -> None:
    try:
        store.put([("round", "half", 1), ("round", "other half", float("nan"))])  # type: ignore[attr-defined]
    except ValueError:
        assert store.get("round", "half") is None, "half of a failed put was kept"  # type: ignore[attr-defined]
        return
    raise AssertionError("a number that JSON can't hold was kept")
