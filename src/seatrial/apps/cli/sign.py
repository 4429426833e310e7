"""Commands that seal a run and check the seal: `sign`, `verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seatrial.apps.cli import _out

Json = Annotated[bool, typer.Option("--json", help="For machines: JSON on stdout.")]
Folder = Annotated[Path, typer.Option("--in", help="The folder of the study.", file_okay=False, exists=True)]
BROKEN = 1


def sign(
    key: Annotated[Path, typer.Option("--key", help="The file of your private key (Ed25519, PEM).", dir_okay=False)],
    owner: Annotated[str, typer.Option("--owner", help="Whose key it is: your name, as you declare it.")],
    run: Annotated[
        str, typer.Argument(help="A run's name or the beginning of it, `latest`, its folder, or a study file.")
    ] = "latest",
    new: Annotated[bool, typer.Option("--new-key", help="Make the key first, where there is none.")] = False,
    folder: Folder = Path(),
    json: Json = False,
) -> int:
    """Sign what a run rested on: dossier, study, and every file of models and data."""
    from seatrial.apps.find import dossier, home
    from seatrial.flow import signing
    from seatrial.flow.keep import run_folder

    if new and not key.exists():
        signing.new_key(key)
        _out.note(f"{key} is the private key: keep it to yourself; {key}.pub is for everybody")
    found = dossier(run, folder)
    kept = home(run, folder, found)
    made = signing.sign(found, run_folder(kept, found.run.id), kept.parent, key, owner)
    signed, checked = signing.verify(made, kept.parent)
    if json:
        _out.data({"manifest": str(made), "files": checked.files, "key": signed.public_key})
        return 0
    _out.say(f"signed {checked.files} files as {owner} (key {checked.fingerprint}): {made}")
    _out.say(f"next: `seatrial verify {made}`, anywhere that the same folder lies")
    return 0


def verify(
    manifest: Annotated[Path, typer.Argument(help="The signed `manifest.json`.", exists=True, dir_okay=False)],
    key: Annotated[
        Path | None,
        typer.Option("--key", help="The signer's public key (`.pub`), got from them.", exists=True, dir_okay=False),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--in", help="The folder of the study; the one around the manifest if left out.")
    ] = None,
    json: Json = False,
) -> int:
    """Check a signed manifest: exit 0 if every file is what was signed, 1 with the names of those that aren't."""
    from seatrial.flow import signing

    around = manifest.resolve().parents
    base = folder or (around[3] if len(around) > 3 else around[0])
    signed, checked = signing.verify(manifest, base, key.read_text().strip() if key else None)
    if json:
        _out.data(checked.model_dump(mode="json") | {"holds": checked.holds, "owner": signed.manifest.owner})
        return 0 if checked.holds else BROKEN
    if checked.unsigned:
        _out.say(f"The signature doesn't hold: {checked.unsigned}.")
    for path, why in checked.faults:
        _out.say(f"{path}: {why}")
    if not checked.holds:
        return BROKEN
    known = "the key that you gave" if key else f"the key {checked.fingerprint}, which nobody vouched for: give the signer's with `--key`"  # fmt: skip
    told = signed.manifest
    _out.say(f"All {checked.files} files are what {told.owner} (as declared) signed on {told.signed} with {known}.")
    return 0
