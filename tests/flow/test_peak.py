"""The peak of memory is the candidate's: not what its worker needs to answer thousands of rows at once for the judges."""

import json
import subprocess
import sys

import numpy as np

from seatrial.contracts.artefact import Artefact, Lineage, Signature
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.messages import Order
from seatrial.flow import arrays, peak

WIDE = '''"""A runtime for tests: each row is answered by 16 kB; the first answer takes so many bytes beside."""
import numpy as np
from seatrial.contracts.protocols import Facts
ACCEPTS = {"format": ("onnx",), "precision": ("fp32",), "device": ("cpu",)}
def absent(device): return None
def import_framework(): pass
class Session:
    def facts(self): return Facts("cpu", "fp32")
    def close(self): pass
    def predict(self, values): return {"y": np.full((len(values["x"]), 4000), values["x"][0, 0], np.float32)}
def open(artefact, setting, options):
    np.ones(LOADING, np.uint8)
    return Session()
'''
WORKER = """
import sys
from seatrial.flow.bench import Bench
bench = Bench()
for line in sys.stdin:
    print(bench.answer(line))
"""
MB = 2**20


def reading(folder, loading, rows):
    """What the meter reads of a worker that loaded so much, answered so many rows, and then a few timed ones."""
    (folder / "wide.py").write_text(WIDE.replace("LOADING", str(loading)))
    (folder / "model.bin").write_bytes(b"0")
    lineage, signature = Lineage(recipe="test"), Signature(inputs=(), outputs=())
    artefact = Artefact(format="onnx", files={"model": str(folder / "model.bin")}, hashes={"model": "0" * 64}, signature=signature, lineage=lineage)  # fmt: skip
    values = {"x": arrays.save(folder, np.random.default_rng(0).random((rows, 2)).astype(np.float32))}
    common = {"base": str(folder), "folder": str(folder), "values": values}
    setting = {"device": "cpu", "precision": "fp32", "threads": 1, "batch": 64}
    load = PartRef(name="offline", options={"seconds": 0.01, "queries": 2})
    orders = [
        Order(order="open", part=PartRef(name="./wide.py"), artefact=artefact, setting=setting, **common),
        Order(order="predict", rows=(0, rows), samples=64, **common),
        Order(order="block", part=load, **common),
        Order(order="block", meters=("memory",), **common),
    ]
    asked = "".join(one.model_dump_json(exclude_defaults=True) + "\n" for one in orders)
    done = subprocess.run([sys.executable, "-c", WORKER], input=asked, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(one["ok"] for one in answers), answers
    return answers[-1]["readings"]["memory"]


def test_answers_to_all_rows_are_not_in_the_peak_and_what_loading_took_is(tmp_path):
    few = reading(tmp_path, 1, 64)["peak"]
    many = reading(tmp_path, 1, 16_000)["peak"]  # 256 MB of answers
    assert abs(many - few) < 40 * MB, f"{few / MB:.0f} MB with few rows, {many / MB:.0f} MB with many"
    assert reading(tmp_path, 300 * MB, 64)["peak"] > few + 250 * MB, "loading took more than it holds later"


def test_where_the_mark_can_not_be_set_back_it_is_left_as_it_is(tmp_path, monkeypatch):
    assert peak.mark() > MB
    monkeypatch.setattr(peak, "RESET", tmp_path)  # a folder: it can't be written
    assert not peak.set_back()
    monkeypatch.setattr(peak, "STATUS", tmp_path / "none")
    assert peak.mark() == 0
