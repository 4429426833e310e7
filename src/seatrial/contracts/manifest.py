"""A signed manifest: what a run rested on, file by file, under a signature that a changed byte breaks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seatrial.contracts.record import Record

Role = Literal["dossier", "study", "model", "data", "artefact", "other"]


class Sealed(Record):
    """One file: what it is to the run, where it lies seen from the study's folder, its size and its SHA-256."""

    role: Role = Field(description="what it is to the run")
    path: str = Field(description="where it lies, seen from the study's folder")
    bytes: int = Field(description="its size")
    sha256: str = Field(description="hash of its content")


class Manifest(Record):
    """The files of a run, and who says that the key is theirs."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of the manifest")
    run: str = Field(description="name of the run")
    owner: str = Field(description="whose key it is, as they declare it: nothing here proves it")
    signed: str = Field(description="UTC, by the signer's clock")
    files: tuple[Sealed, ...] = Field(description="the files, in order of their paths")


class SignedManifest(Record):
    """A manifest with its Ed25519 signature and the public key that it can be checked with."""

    manifest: Manifest = Field(description="what is signed")
    public_key: str = Field(description="Ed25519, the 32 bytes in hex")
    signature: str = Field(description="of the manifest's canonical JSON, the 64 bytes in hex")


class Checked(Record):
    """What a check found: `faults` names each file that isn't what was signed, and how; `unsigned` why the signature doesn't hold."""

    files: int = Field(description="how many files were signed")
    faults: tuple[tuple[str, str], ...] = Field(description="path and what is wrong with it")
    unsigned: str = Field(default="", description="why the signature doesn't hold; empty when it does")
    fingerprint: str = Field(description="first 16 hex digits of the public key's SHA-256")

    @property
    def holds(self) -> bool:
        """Whether everything is as it was signed."""
        return not self.faults and not self.unsigned
