"""What torch.save and torch.jit.save write (.pt, .pth, .bin, .ckpt): a zip archive with pickles and, of TorchScript, source code."""

from __future__ import annotations

from pathlib import Path

from seatrial.contracts.inspection import Bounds, Danger, Look
from seatrial.parts.formats import _zips
from seatrial.parts.formats._reading import short

GIVES = {"suffix": (".pt", ".pth", ".bin", ".ckpt")}
CANNOT = {
    "tensors": ("never", "their shapes stand in a pickle; only loading it would tell them"),
}


def recognises(path: Path, start: bytes) -> bool:
    """An archive with a member `data.pkl`."""
    return _zips.kind(path, start) == "torch_archive"


def look(path: Path, bounds: Bounds) -> Look:
    """Its members, what its pickles would import, and source code that it carries."""
    with _zips.opened(path, bounds, "a PyTorch archive") as archive:
        members = archive.infolist()
        code = [one.filename for one in members if "/code/" in one.filename and one.filename.endswith(".py")]
        dangers = _zips.pickles(path, archive, bounds)
        if code:
            what = f"TorchScript in {len(code)} files, such as {short(code[0], bounds)}"
            dangers.append(Danger(what="source code", where="code/", executes="when loaded", detail=what))
        stored = sum(one.file_size for one in members if "/data/" in one.filename)
        version = [one for one in archive.namelist() if one.endswith("/version")]
        written = _zips.content(path, archive, version[0], bounds).decode("utf-8", "replace").strip() if version else ""
    return Look(
        summary="TorchScript" if code else "a checkpoint of torch.save",
        members=len(members),
        unpacked=sum(one.file_size for one in members),
        metadata={"bytes of tensors": str(stored)} | ({"version": short(written, bounds)} if written else {}),
        dangers=tuple(dangers),
    )
