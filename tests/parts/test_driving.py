"""Loads, meters, stores and executors sit the exam of their kind."""

import importlib

import pytest

from seatrial import catalog

KINDS = ("loads", "meters", "stores", "executors")
PARTS = [
    (kind, name)
    for kind in KINDS
    for name, part in catalog.parts(kind).items()
    if "another" not in part.gives.get("machine", ())  # what reaches other machines is examined where there is one
]


@pytest.mark.parametrize(("kind", "name"), PARTS, ids=[f"{kind}.{name}" for kind, name in PARTS])
def test_the_part_passes_its_exam(kind, name):
    importlib.import_module(f"seatrial.testing.{kind}").exam(catalog.find(kind, name))
