"""A model behind a URL: JSON over HTTP, as TensorFlow Serving's public REST API has it.

`forms: {http: {url: "http://host:8501/v1/models/cnn:predict"}}`. The rows go out as `instances` (a list of rows, answered as
`predictions`) or as `inputs` (a list a column, answered as `outputs`). KServe's first protocol and MLflow's scoring server
understand `instances` too. A model with one input gets its values alone, one with several gets them by name.

A study holds no secrets: `headers` names environment variables, `{Authorization: MODEL_TOKEN}`, whose values are read by
the worker that measures. Nothing is sent anywhere but to this URL: redirects and proxies aren't followed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from seatrial.contracts.artefact import Artefact, Lineage, Signature
from seatrial.contracts.part import PartOptions
from seatrial.contracts.study import Seconds
from seatrial.parts.subjects._url import checked_headers, checked_url

GIVES = {"format": ("http",)}
CANNOT = {
    "identity": (
        "never",
        "from here nobody can see whether the model behind a URL has changed; every run measures it anew",
    ),
    "signature": ("not yet ours", "what the endpoint takes and gives isn't asked of it; the study states it"),
    "binary and text": ("not yet ours", "numbers go over the wire; `b64` values and strings don't"),
}


class Options(PartOptions):
    """Where the model answers, and how to talk to it."""

    url: str = Field(description="where rows are posted: `http://host:8501/v1/models/cnn:predict`")
    protocol: Literal["instances", "columns"] = Field(
        default="instances", description="`instances` -> `predictions` by row, or `inputs` -> `outputs` by column"
    )
    named: bool = Field(default=False, description="send inputs by name even where there is only one")
    headers: dict[str, str] = Field(
        default={}, description="further headers, each the name of an environment variable that holds its value"
    )
    timeout: Seconds = Field(default=30.0, description="longest silence of the endpoint before a query has failed")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        checked_url(self.url, "http://host:8501/v1/models/cnn:predict")
        checked_headers(self.headers)
        return self


def read(options: Options, folder: Path) -> Artefact:
    """Describe the endpoint. Nothing is sent: whether it answers is found out when it is measured."""
    return Artefact(
        format="http",
        files={},
        hashes={},
        signature=Signature(inputs=(), outputs=()),
        lineage=Lineage(recipe="given"),
        entry=json.dumps(options.model_dump(mode="json"), sort_keys=True),
    )
