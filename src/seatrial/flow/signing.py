"""Signs what a run rested on, and checks it: the dossier, the study, and every file of models and data that it names.

Ed25519 (RFC 8032), by the package `cryptography`. The signature is of the manifest's canonical JSON behind a fixed beginning,
so that no other signature of the same key can pass for it. What holds is that the files are those that the key's holder signed; who
that is, is declared and not proved.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.manifest import Checked, Manifest, Role, Sealed, SignedManifest
from seatrial.errors import MissingPackage, StoreError
from seatrial.flow.trial import now

FILE = "manifest.json"
BEGINNING = b"seatrial manifest 1\n"
PIECE = 1 << 20
ROLES: dict[str, Role] = {"models": "model", "data": "data"}


def new_key(file: Path) -> None:
    """Write a private key, readable by its owner alone, and its public half beside it (`.pub`). Raises `StoreError` where one is."""
    ed25519, serialization = _cryptography()
    key = ed25519.Ed25519PrivateKey.generate()
    content = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(content)
        Path(f"{file}.pub").write_text(_public(key) + "\n")
    except OSError as error:
        raise StoreError(f"{file} can't be written: {error.strerror}", next_step="name a file that isn't there yet") from error  # fmt: skip


def sign(dossier: Dossier, place: Path, base: Path, key: Path, owner: str) -> Path:
    """Write the signed manifest beside the dossier in `place`. `base` is the study's folder. Raises `StoreError`."""
    private = _private(key)
    found = {_path(file, base): (role, file) for role, file in _files(dossier, place, base)}
    sealed = tuple(_sealed(role, path, file) for path, (role, file) in sorted(found.items()))
    manifest = Manifest(run=dossier.run.id, owner=owner, signed=now(), files=sealed)
    signature = private.sign(_signed(manifest)).hex()
    made = SignedManifest(manifest=manifest, public_key=_public(private), signature=signature)
    target = place / FILE
    target.write_text(made.model_dump_json(indent=1), encoding="utf-8")
    return target


def verify(file: Path, base: Path, expected: str | None = None) -> tuple[SignedManifest, Checked]:
    """Check the signature, against the `expected` public key (hex) where one is given, and every file. Raises `StoreError`."""
    ed25519, _ = _cryptography()
    signed = _read(file)
    unsigned = ""
    if expected is not None and expected.strip().lower() != signed.public_key:
        unsigned = "it was signed with another key than the one given"
    else:
        from cryptography.exceptions import InvalidSignature

        try:
            public = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(signed.public_key))
            public.verify(bytes.fromhex(signed.signature), _signed(signed.manifest))
        except (InvalidSignature, ValueError):
            unsigned = "the manifest isn't what was signed: it, the key or the signature was changed"
    faults = [(one.path, why) for one in signed.manifest.files if (why := _fault(one, base))]
    mark = hashlib.sha256(bytes.fromhex(signed.public_key)).hexdigest()[:16] if not unsigned or expected else "unknown"
    return signed, Checked(files=len(signed.manifest.files), faults=tuple(faults), unsigned=unsigned, fingerprint=mark)


# --- which files ----------------------------------------------------------------------------------------------------------


def _files(dossier: Dossier, place: Path, base: Path) -> Iterator[tuple[Role, Path]]:
    """Everything that the run rested on: later ones give way to earlier ones of the same path."""
    for artefact in dossier.artefacts.values():
        for file in artefact.files.values():
            if (base / file).is_file():
                yield "artefact", base / file
    for part, content in dossier.study.items():
        for word in _words(content):
            named = base / word
            if not word or len(word) > 1000 or "\n" in word or not named.exists():
                continue
            files = sorted(one for one in named.rglob("*") if one.is_file()) if named.is_dir() else [named]
            if named.resolve() != base.resolve():
                yield from ((ROLES.get(part, "other"), one) for one in files)
    study = base / Path(dossier.run.study_file).name
    if study.is_file():
        yield "study", study
    yield "dossier", place / "dossier.json"


def _words(content: Any) -> Iterator[str]:
    """Every string in nested content that could name a file; `file.py:function` names the file before the colon."""
    if isinstance(content, str):
        yield content
        if ".py:" in content:
            yield content.partition(":")[0]
    elif isinstance(content, dict):
        for value in content.values():
            yield from _words(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _words(value)


def _path(file: Path, base: Path) -> str:
    return Path(os.path.relpath(file.resolve(), base.resolve())).as_posix()


def _sealed(role: Role, path: str, file: Path) -> Sealed:
    return Sealed(role=role, path=path, bytes=file.stat().st_size, sha256=_hash(file))


def _hash(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while piece := opened.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _fault(one: Sealed, base: Path) -> str:
    """What is wrong with a file; empty when nothing is."""
    file = base / one.path
    try:
        if not file.is_file():
            return "it isn't there"
        if (size := file.stat().st_size) != one.bytes:
            return f"it has {size:,} bytes, and {one.bytes:,} were signed"
        return "" if _hash(file) == one.sha256 else "its content was changed; its size is the same"
    except OSError as error:
        return f"it can't be read: {error.strerror}"


# --- the signature --------------------------------------------------------------------------------------------------------


def _signed(manifest: Manifest) -> bytes:
    """The bytes that are signed."""
    content = manifest.model_dump(mode="json")
    return BEGINNING + json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _private(file: Path) -> Any:
    ed25519, serialization = _cryptography()
    step = "`seatrial sign RUN --key FILE --new-key` makes one"
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"{file} is no private key that can be read", next_step=step) from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise StoreError(f"{file} holds another kind of key than Ed25519", next_step=step)
    return key


def _public(key: Any) -> str:
    return str(key.public_key().public_bytes_raw().hex())


def _read(file: Path) -> SignedManifest:
    try:
        return SignedManifest.model_validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(f"{file} is no signed manifest", next_step="`seatrial sign RUN --key FILE` makes one") from error  # fmt: skip


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise MissingPackage("signing needs cryptography, which isn't installed", next_step="pip install 'seatrial[sign]'") from error  # fmt: skip
    return ed25519, serialization
