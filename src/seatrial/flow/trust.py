"""Files let through for one run, each by its hash: what `--trust` says is added to what the study says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.study import Study
from seatrial.errors import StudyError

FIELD = "trust"
"""The option by which a part that reads models says that it refuses a file unless its hash is given."""
_HASH = re.compile(r"(sha256:)?[0-9a-f]{64}")


def trusting(study: Study, hashes: Sequence[str], folder: Path) -> Study:
    """The study with these hashes trusted in every form that asks for trust.

    Raises `StudyError` for what is no SHA-256, and where no form of any model asks for trust.
    """
    for given in hashes:
        if not _HASH.fullmatch(given.lower()):
            step = "trust is given to one file at a time: `sha256sum FILE` says its 64 digits"
            raise StudyError(f"--trust: `{given}` is no SHA-256", next_step=step)
    asking = [(name, form) for name, one in study.models.items() for form in one.forms if _asks(form, folder)]
    if not hashes or not asking:
        if hashes:
            step = (
                "leave `--trust` out; other files load without it, or are never loaded (docs/do/trust-a-model-file.md)"
            )
            raise StudyError("--trust: no form of a model in this study can be let through by its hash", next_step=step)
        return study
    models = dict(study.models)
    for name, form in asking:
        forms = models[name].forms
        models[name] = models[name].model_copy(update={"forms": forms | {form: _with(forms[form], hashes)}})
    return study.model_copy(update={"models": models})


def _asks(form: str, folder: Path) -> bool:
    info = catalog.find("subjects", PartRef(name=form).name, folder)
    return FIELD in catalog.options_type(catalog.load(info)).model_fields


def _with(options: dict[str, Any], hashes: Sequence[str]) -> dict[str, Any]:
    stated = options.get(FIELD) or ()
    return options | {FIELD: [*([stated] if isinstance(stated, str) else stated), *hashes]}
