"""Planted detections, and what COCO's own evaluation makes of them (`python tests/numerics/detections.py` where pycocotools is).

The values in `detections.json` are those of pycocotools 2.0.11; it isn't needed to run the tests.
"""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np

CASES = {"few": (12, 2, 4, 0), "crowds": (60, 3, 6, 1), "many": (150, 5, 12, 2), "crowded": (4, 1, 130, 3)}
"""Images, classes, boxes an image at most, seed."""
FILE = Path(__file__).with_suffix(".json")
STATS = ("all", "0.5", "0.75", "small", "medium", "large", "AR1", "AR10", "recall")


def planted(images: int, classes: int, most: int, seed: int) -> tuple[list[dict], list[dict]]:
    """Labelled boxes and found ones: moved, lost, doubled, of another class, and out of nothing; corner and size in pixels."""
    rng = np.random.default_rng(seed)
    labelled, found = [], []
    for image in range(images):
        for _ in range(rng.integers(0, most + 1)):
            size = np.exp(rng.uniform(np.log(8), np.log(200), 2))
            box, kind = [*rng.uniform(0, 300, 2), *size], int(rng.integers(classes))
            area = float(size.prod() * rng.uniform(0.5, 1.0))
            crowd = int(rng.random() < 0.12)
            labelled.append({"image": image, "kind": kind, "box": box, "area": area, "crowd": crowd})
            for _ in range(rng.choice([0, 1, 1, 1, 2])):
                moved = [*(np.array(box) + rng.normal(scale=0.12, size=4) * [*size, *size])]
                moved[2:] = [max(1.0, one) for one in moved[2:]]
                other = kind if rng.random() < 0.9 else int(rng.integers(classes))
                found.append({"image": image, "kind": other, "box": moved, "score": float(rng.random() ** 0.5)})
        for _ in range(rng.integers(0, 3)):
            box = [*rng.uniform(0, 300, 2), *np.exp(rng.uniform(2, 5, 2))]
            found.append({"image": image, "kind": int(rng.integers(classes)), "box": box, "score": float(rng.random())})
    return labelled, found


def by_pycocotools(images: int, classes: int, most: int, seed: int) -> dict[str, float]:
    """COCO's twelve numbers, those of `STATS`."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    labelled, found = planted(images, classes, most, seed)
    truth = COCO()
    truth.dataset = {
        "images": [{"id": image + 1} for image in range(images)],
        "categories": [{"id": kind + 1} for kind in range(classes)],
        "annotations": [
            {"id": at + 1, "image_id": one["image"] + 1, "category_id": one["kind"] + 1, "bbox": one["box"]}
            | {"area": one["area"], "iscrowd": one["crowd"]}
            for at, one in enumerate(labelled)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        results = truth.loadRes(
            [
                {
                    "image_id": one["image"] + 1,
                    "category_id": one["kind"] + 1,
                    "bbox": one["box"],
                    "score": one["score"],
                }
                for one in found
            ]
        )
        run = COCOeval(truth, results, "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return {name: float(one) for name, one in zip(STATS, run.stats[: len(STATS)], strict=True)}


if __name__ == "__main__":
    FILE.write_text(json.dumps({name: by_pycocotools(*case) for name, case in CASES.items()}, indent=1) + "\n")
