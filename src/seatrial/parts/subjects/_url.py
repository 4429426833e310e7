"""What forms share that are a URL: one that is safe to ask, and headers that name where secrets lie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit


def checked_url(url: str, example: str) -> SplitResult:
    """The parts of an http or https URL without a user or a password. Raises `ValueError` with what is wrong."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError(f"`{url}` is no URL like {example}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL holds a user or a password: put them in an environment variable, under `headers`")
    parts.port  # noqa: B018 - raises a ValueError where it is none
    return parts


def checked_headers(headers: Mapping[str, str]) -> None:
    """Raises `ValueError` unless each header has a name that can be sent and the name of an environment variable."""
    for header, variable in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", header):
            raise ValueError(f"`{header}` is no name of a header")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
            raise ValueError(f"`headers.{header}` must be the name of an environment variable, not the value itself")
