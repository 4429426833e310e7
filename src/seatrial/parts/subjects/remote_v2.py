"""A model behind a server that speaks the Open Inference Protocol (KServe v2): Triton, OpenVINO Model Server, MLServer, KServe.

`forms: {remote_v2: {url: "http://host:8000/v2/models/cnn"}}`, or `.../v2/models/cnn/versions/3` for one version of it. What
stands before `/v2` is kept, so a gateway's path may be there.

A study holds no secrets: `headers` names environment variables, `{Authorization: MODEL_TOKEN}`, whose values are read by
the worker that measures. Nothing is sent anywhere but to this server: redirects and proxies aren't followed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from seatrial.contracts.artefact import Artefact, Lineage, Signature
from seatrial.contracts.part import PartOptions
from seatrial.contracts.study import Seconds
from seatrial.parts.subjects._url import checked_headers, checked_url

GIVES = {"format": ("remote_v2",)}
CANNOT = {
    "identity": (
        "never",
        "from here nobody can see whether the model behind a URL has changed; every run measures it anew",
    ),
    "signature": ("not yet ours", "the study states inputs and outputs; the server's are held against them when asked"),
    "grpc": ("not yet ours", "the protocol over gRPC; its HTTP side is spoken"),
}
EXAMPLE = "http://host:8000/v2/models/cnn"


class Options(PartOptions):
    """Where the model is, and how to be let in."""

    url: str = Field(
        description="the model's URL, with or without a version: `http://host:8000/v2/models/cnn/versions/3`"
    )
    headers: dict[str, str] = Field(
        default={}, description="further headers, each the name of an environment variable that holds its value"
    )
    timeout: Seconds = Field(default=30.0, description="longest silence of the server before a query has failed")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        parts = checked_url(self.url, EXAMPLE)
        checked_headers(self.headers)
        if parts.query or parts.fragment:
            raise ValueError(f"`{self.url}` goes on after the model: end it with the model's name, like {EXAMPLE}")
        if not re.fullmatch(r"(/.+)?/v2/models/[^/]+(/versions/[^/]+)?", parts.path):
            step = "; leave out what stands after it" if parts.path.endswith(("/infer", "/ready", "/")) else ""
            raise ValueError(
                f"`{self.url}` names no model of a v2 server, like {EXAMPLE} or {EXAMPLE}/versions/3{step}"
            )
        return self


def read(options: Options, folder: Path) -> Artefact:
    """Describe the endpoint. Nothing is sent: whether the server is ready and has the model is found out when it is opened."""
    return Artefact(
        format="remote_v2",
        files={},
        hashes={},
        signature=Signature(inputs=(), outputs=()),
        lineage=Lineage(recipe="given"),
        entry=json.dumps(options.model_dump(mode="json"), sort_keys=True),
    )
