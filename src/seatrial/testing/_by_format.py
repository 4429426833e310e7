"""The sample models of the exams, by the format in which they come."""

from __future__ import annotations

from pathlib import Path

from seatrial.testing import _jax, _litert, _models, _skops, _user
from seatrial.testing._models import Sample


def samples(format_: str, folder: Path) -> list[Sample]:
    """Samples in this format (`onnx`, `torch`, `jax`, `tflite`, `skops`, `python`, `http`, `remote_v2`), their files in `folder`; none for formats unknown here."""
    folder.mkdir(parents=True, exist_ok=True)
    makers = {"skops": (_skops.table, _skops.pipeline), "python": (_user.python_mlp,), "http": (_user.http_mlp,)}
    makers["tflite"] = (_litert.mlp, _litert.conv)
    makers["jax"] = (_jax.mlp, _jax.conv)
    makers["remote_v2"] = (_user.v2_mlp, _user.v2_mlp_in_json)
    return [*_models.samples(format_, folder), *(make(folder) for make in makers.get(format_, ()))]
