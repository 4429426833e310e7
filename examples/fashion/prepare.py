"""Turn the Fashion-MNIST idx files into evaluation.parquet and calibration.parquet."""

import argparse
import gzip
import hashlib
from pathlib import Path

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parent
SOURCE = Path("/usr/share/datasets/fashion-mnist")  # where the Debian package dataset-fashion-mnist puts them
ARTIFACTS = ("evaluation.parquet", "calibration.parquet", "cnn.safetensors", "cnn.onnx")
CALIBRATION_ROWS = 1_000
SEED = 20_170_825

# SHA-256 of the uncompressed files.
SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def read_idx(folder: Path, name: str) -> np.ndarray:
    """The array of unsigned bytes in an idx file, plain or gzipped, after checking its hash."""
    path = folder / name
    data = path.read_bytes() if path.exists() else gzip.decompress((folder / f"{name}.gz").read_bytes())
    if (found := hashlib.sha256(data).hexdigest()) != SHA256[name]:
        raise ValueError(f"{name}: SHA-256 is {found}, expected {SHA256[name]}")
    dimensions = data[3]
    shape = np.frombuffer(data, ">i4", dimensions, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_split(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images [N, 28, 28] as bytes and labels [N] of split `train` or `t10k`."""
    return read_idx(folder, f"{split}-images-idx3-ubyte"), read_idx(folder, f"{split}-labels-idx1-ubyte")


def write_parquet(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    frame = pl.DataFrame(
        {
            "image": pl.Series(images, dtype=pl.Array(pl.UInt8, (28, 28))),
            "label": pl.Series(labels.astype(np.int64)),
        }
    )
    frame.write_parquet(path, compression="zstd", compression_level=19)
    back = pl.read_parquet(path)
    if not (np.array_equal(back["image"].to_numpy(), images) and np.array_equal(back["label"].to_numpy(), labels)):
        raise RuntimeError(f"{path} does not read back as it was written")
    print(f"{path.name}: {len(labels)} rows, {path.stat().st_size:,} bytes")


def write_checksums(folder: Path) -> None:
    """List whichever artifacts are there, in the form `sha256sum --check` reads."""
    present = [name for name in ARTIFACTS if (folder / name).exists()]
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in present]
    (folder / "SHA256SUMS").write_text("".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, nargs="?", default=SOURCE, help="folder of the four idx files")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write to")
    arguments = parser.parse_args()

    train_images, train_labels = read_split(arguments.source, "train")
    test_images, test_labels = read_split(arguments.source, "t10k")

    evaluated = {image.tobytes() for image in test_images}
    usable = np.array([i for i, image in enumerate(train_images) if image.tobytes() not in evaluated])
    rows = np.sort(np.random.default_rng(SEED).choice(usable, CALIBRATION_ROWS, replace=False))
    print(f"{len(train_images) - len(usable)} training images are also test images and cannot be drawn")

    write_parquet(arguments.output / "evaluation.parquet", test_images, test_labels)
    write_parquet(arguments.output / "calibration.parquet", train_images[rows], train_labels[rows])
    write_checksums(arguments.output)


if __name__ == "__main__":
    main()
