"""Signed manifests: whatever is changed by a byte is named, and a signature is of one key alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from small_study import make

from seatrial.apps.cli.main import main
from seatrial.contracts.artefact import Artefact, Lineage, Signature
from seatrial.contracts.manifest import SignedManifest
from seatrial.flow.keep import Keeper, keep_dossier
from seatrial.testing import dossiers


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """The signed manifest of a kept run of the small study, with one artefact that was made."""
    study = make(tmp_path)
    made = tmp_path / ".seatrial" / "artefacts" / "1" / "int8.onnx"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"a quantised model")
    artefact = Artefact(format="onnx", signature=Signature(inputs=(), outputs=()), lineage=Lineage(recipe="int8_dynamic"), files={"model": str(made)}, hashes={"model": hashlib.sha256(made.read_bytes()).hexdigest()})  # fmt: skip
    sample = next(iter(dossiers.samples().values()))
    content = {"models": {"linear": {"forms": {"onnx": {"path": "linear.onnx"}}}}, "data": {"evaluation": {"from": {"npz": {"path": "rows.npz"}}}}}  # fmt: skip
    run = sample.run.model_copy(update={"study_file": str(study)})
    dossier = sample.model_copy(update={"run": run, "study": content, "artefacts": {artefact.hash: artefact}})
    keep_dossier(Keeper(tmp_path), dossier)
    words = ["--key", str(tmp_path / "key.pem"), "--owner", "Harbour Ltd", "--in", str(tmp_path)]
    assert main(["sign", "latest", "--new-key", *words]) == 0
    return tmp_path / ".seatrial" / "runs" / run.id / "manifest.json"


def test_everything_that_the_run_rested_on_is_signed_and_checked(signed: Path, tmp_path: Path, capsys):
    files = {one.path: one.role for one in SignedManifest.model_validate_json(signed.read_text()).manifest.files}
    run = signed.parent.name
    assert files == {
        f".seatrial/runs/{run}/dossier.json": "dossier",
        "study.yaml": "study",
        "linear.onnx": "model",
        "rows.npz": "data",
        ".seatrial/artefacts/1/int8.onnx": "artefact",
    }
    assert main(["verify", str(signed)]) == 0
    assert main(["verify", str(signed), "--key", str(tmp_path / "key.pem.pub")]) == 0
    assert "Harbour Ltd (as declared)" in " ".join(capsys.readouterr().out.split())
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0


def test_one_changed_byte_in_any_file_is_named(signed: Path, tmp_path: Path, capsys):
    for one in SignedManifest.model_validate_json(signed.read_text()).manifest.files:
        file = tmp_path / one.path
        before = file.read_bytes()
        for at in {0, len(before) // 2, len(before) - 1}:
            file.write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
            capsys.readouterr()
            assert main(["verify", str(signed), "--json"]) == 1
            found = json.loads(capsys.readouterr().out)
            assert [path for path, _ in found["faults"]] == [one.path]
        file.write_bytes(before + b"\n")
        assert main(["verify", str(signed)]) == 1
        file.unlink()
        capsys.readouterr()
        assert main(["verify", str(signed)]) == 1
        assert "it isn't there" in capsys.readouterr().out
        file.write_bytes(before)
    assert main(["verify", str(signed)]) == 0


def test_a_changed_manifest_or_another_key_does_not_hold(signed: Path, tmp_path: Path, capsys):
    before = signed.read_text()
    for old, new in (("Harbour Ltd", "Harbor Ltd"), ('"role": "model"', '"role": "data"')):
        assert old in before
        signed.write_text(before.replace(old, new))
        assert main(["verify", str(signed)]) == 1
        assert "doesn't hold" in capsys.readouterr().out
    signed.write_text(before)
    words = ["--owner", "Somebody else", "--in", str(tmp_path)]
    assert main(["sign", "latest", "--new-key", "--key", str(tmp_path / "other.pem"), *words]) == 0
    assert main(["verify", str(signed)]) == 0, "whoever signs can sign; that is why the signer's key is asked for"
    capsys.readouterr()
    assert main(["verify", str(signed), "--key", str(tmp_path / "key.pem.pub")]) == 1
    assert "another key" in capsys.readouterr().out


def test_what_is_no_key_and_no_manifest_is_told(signed: Path, tmp_path: Path, capsys):
    (tmp_path / "no.pem").write_text("no key")
    words = ["--owner", "Harbour Ltd", "--in", str(tmp_path)]
    assert main(["sign", "latest", "--key", str(tmp_path / "no.pem"), *words]) == 4
    assert "--new-key" in capsys.readouterr().err
    assert main(["verify", str(tmp_path / "study.yaml")]) == 4
    assert "no signed manifest" in capsys.readouterr().err
