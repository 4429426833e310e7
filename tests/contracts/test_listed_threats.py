"""Entries of public lists: every one whole, in their own way of writing, and each told once."""

import re

import pytest

from seatrial.contracts.listed_threats import ATLAS, LISTED, NIST, OWASP, listed_as

WRITTEN = {NIST: r"NISTAML\.0\d{2} [A-Z]", ATLAS: r"AML\.T\d{4}(\.\d{3})? [A-Z]", OWASP: r"ML\d{2} [A-Z]"}


@pytest.mark.parametrize("tried", LISTED)
def test_every_list_names_what_is_tried(tried):
    assert set(LISTED[tried]) == set(WRITTEN)
    assert all(re.match(WRITTEN[source], entry) for source, entry in LISTED[tried].items())


def test_an_entry_is_told_once():
    told = listed_as(("weights", "queries")).split("; ")
    assert told.count(f"{OWASP}: ML01 Input Manipulation Attack") == 1
    assert len(told) == len(set(told)) == 5
