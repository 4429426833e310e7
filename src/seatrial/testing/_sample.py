"""A dossier as a study of a small image classifier comes out. Its numbers are made up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.contracts.candidate import Candidate, PartRef, labels
from seatrial.contracts.dossier import Dossier, Dropped, Entry, Run
from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.verdict import CandidateVerdict, Judgement, Outcome, Verdict, all_must_hold

ROWS = 10_000


def sample_dossier(rows: int = ROWS) -> Dossier:
    """Eleven ways to run one model, as a study of a small image classifier comes out: every kind of finding, each outcome,
    one candidate that hung, one that isn't steady, combinations left out. The numbers are made up."""
    candidates = [way.candidate() for way in _WAYS]
    short = labels(candidates)
    entries = [
        Entry(
            id=one.id,
            label=short[one.id],
            candidate=one,
            reference=way.reference,
            eligible=not way.reference,
            artefact=_hash(way.variant),
        )
        for way, one in zip(_WAYS, candidates, strict=True)
    ]
    findings = [finding for way in _WAYS for finding in _filled(way, rows)]
    return Dossier(
        run=Run(
            id="20261104-101502-7f3a",
            study_file="study.yaml",
            started="2026-11-04T10:15:02Z",
            finished="2026-11-04T10:17:38Z",
            seconds=156.2,
            measured=102,
            reused=8,
            seatrial="0.1.0",
        ),
        study=_STUDY,
        candidates=tuple(entries),
        dropped=_DROPPED,
        findings=(*findings, *_surroundings()),
        verdict=_verdict(entries, findings),
        environment=_ENVIRONMENT,
        artefacts={_hash(variant): _artefact(variant) for variant in ("as_is", "int8_dynamic", "int8_static")},
    )


class _Way(NamedTuple):
    """One row of the sample: speed against the reference by load, right answers lost and gained, tail of latency."""

    runtime: PartRef
    precision: str = "fp32"
    variant: str = "as_is"
    offline: float = 1.0
    single: float = 1.0
    lost: int = 0
    gained: int = 0
    memory: float = 142e6
    reference: bool = False
    hung: bool = False
    state: State = State.OK

    def candidate(self) -> Candidate:
        """The candidate of this row."""
        return Candidate(
            model="cnn",
            variant=PartRef(name=self.variant),
            runtime=self.runtime,
            precision=self.precision,
            threads=1,
            batch=32,
        )


_ORT, _OV, _TORCH = PartRef(name="onnxruntime"), PartRef(name="openvino"), PartRef(name="torch")
_COMPILED = PartRef(name="torch", options={"compiled": True})
_WAYS = (
    _Way(_ORT, reference=True),
    _Way(_ORT, variant="int8_dynamic", offline=0.271, single=0.118, lost=44, gained=38, memory=139e6),
    _Way(_ORT, variant="int8_static", offline=3.42, single=2.64, lost=181, gained=62, memory=140e6),
    _Way(_OV, offline=1.31, single=1.22, memory=171e6),
    _Way(_OV, variant="int8_dynamic", offline=1.84, single=1.5, lost=39, gained=41, memory=168e6),
    _Way(_OV, variant="int8_static", offline=8.71, single=4.9, lost=104, gained=70, memory=166e6),
    _Way(_OV, precision="bf16", offline=6.38, single=4.12, lost=27, gained=21, memory=169e6),
    _Way(_TORCH, offline=0.68, single=0.52, lost=0, gained=0, memory=356e6),
    _Way(_TORCH, precision="bf16", offline=1.47, single=0.61, lost=31, gained=27, memory=361e6, state=State.UNSTABLE),
    _Way(_COMPILED, offline=0.97, single=0.93, memory=402e6),
    _Way(_COMPILED, precision="bf16", hung=True),
)
_GATE = 0.99
_CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def _filled(way: _Way, rows: int) -> Iterator[Finding]:
    """The findings of one row at both levels, as `flow` fills them in."""
    id_, reference = way.candidate().id, _WAYS[0].candidate().id
    if way.hung:
        note = "no answer within 120 s while compiling; the worker was ended"
        yield missing("run", State.HUNG, note, candidate=id_, measured_at="2026-11-04T10:16:40Z")
        return
    seen = set()
    for level in (0.95, _GATE):
        for finding in (*_speed(way, level), *_quality(way, rows, level)):
            if finding.level is None and (finding.key, finding.value) in seen:
                continue
            seen.add((finding.key, finding.value))
            against = reference if finding.against else None
            part = finding.what.split(".")[0]
            yield finding.model_copy(
                update={"candidate": id_, "against": against, "part": part, "measured_at": "2026-11-04T10:17:20Z"}
            )


def _speed(way: _Way, level: float) -> Iterator[Finding]:
    wide = 1.0 if level < 0.96 else 1.7
    offline: dict[str, Any] = {"at": {"load": "offline"}, "level": level, "n": 5, "unit_of_replication": "rounds"}
    single = offline | {"at": {"load": "single_stream"}}
    rate, latency = 9_420 * way.offline, 4.62e-4 / way.single
    paired = "t interval on the logarithms of the ratios of paired rounds"
    yield Finding(what="throughput", value=rate, low=rate * (1 - 0.012 * wide), high=rate * (1 + 0.012 * wide), unit="samples/s", better="higher", method="t interval over rounds, on logarithms", state=way.state, **offline)  # fmt: skip
    bounds = single | {"level": 0.98, "n": 20_000, "unit_of_replication": "queries"}
    for name, factor, tail in (("p50", 1.0, 1.006), ("p90", 1.14, 1.02), ("p99", 1.62, 1.09)):
        yield Finding(what=f"latency.{name}", value=latency * factor, high=latency * factor * tail, unit="s", better="lower", method="order statistic of each round, combined over rounds; one-sided 99 % bound", state=way.state, **bounds)  # fmt: skip
    yield Finding(what="latency.mean", value=latency * 1.05, low=latency * 1.04, high=latency * 1.06, unit="s", better="lower", method="t interval over rounds", **single)  # fmt: skip
    if not way.reference:
        for settings, ratio in ((offline, way.offline), (single, way.single)):
            yield Finding(what="speedup", against="reference", value=ratio, low=ratio * (1 - 0.014 * wide), high=ratio * (1 + 0.015 * wide), unit="x", better="higher", method=paired, **settings)  # fmt: skip
    yield Finding(what="memory.peak", value=way.memory, low=way.memory * 0.99, high=way.memory * 1.01, level=level, unit="B", better="lower", n=5, unit_of_replication="rounds", method="highest resident memory of the worker alone, read from the kernel")  # fmt: skip
    size = {"as_is": 430_112, "int8_dynamic": 121_700, "int8_static": 126_004}[way.variant]
    yield Finding(what="size", value=size, unit="B", better="lower", method="bytes of the model's files")
    for name, seconds in ((".import", 0.21), (".load", 0.04), (".first_answer", 0.003), ("", 0.253)):
        yield Finding(what=f"cold_start{name}", value=round(seconds * way.memory / 142e6, 5), unit="s", better="lower", n=1, unit_of_replication="starts")  # fmt: skip
    executed = "int8" if way.variant == "int8_static" else way.precision
    yield Finding(what="executed.precision", value=executed, method="read from the compiled graph")
    yield Finding(what="executed.device", value="cpu", method="read from the session")
    yield missing("energy", State.UNSUPPORTED, "this machine has no energy counter")


def _quality(way: _Way, rows: int, level: float) -> Iterator[Finding]:
    z = 1.96 if level < 0.96 else 2.576
    lost, gained = (round(count * rows / ROWS) for count in (way.lost, way.gained))
    right = round(0.9012 * rows) - lost + gained
    common: dict[str, Any] = {"level": level, "n": rows, "unit_of_replication": "rows"}
    share = right / rows

    def about(value: float, n: int = rows) -> dict[str, Any]:
        half = z * math.sqrt(max(value * (1 - value), 1e-9) / n)
        return {"value": value, "low": max(0.0, value - half), "high": min(1.0, value + half)}

    yield Finding(what="accuracy", better="higher", method="Wilson score interval", **common, **about(share))
    yield Finding(what="top_k", at={"k": 3}, better="higher", method="Wilson score interval", **common, **about(0.9931))
    for index, name in enumerate(_CLASSES):
        for what in ("precision", "recall", "f1"):
            value = 0.98 - 0.031 * (index % 7) - way.lost * 1e-4
            few = common | {"n": rows // 10}
            yield Finding(what=what, at={"class": name}, better="higher", method="bootstrap of the counts", **few, **about(value, rows // 10))  # fmt: skip
    for what in ("precision", "recall", "f1"):
        yield Finding(what=what, at={"average": "macro"}, better="higher", method="bootstrap of the counts", **common, **about(share - 1e-4))  # fmt: skip
    loss = 0.2731 + way.lost * 1e-4
    yield Finding(what="log_loss", value=loss, low=loss - 0.0061 * z, high=loss + 0.0061 * z, unit="nats", better="lower", method="mean with normal interval", **common)  # fmt: skip
    yield Finding(what="brier", value=0.1441, low=0.1391, high=0.1493, better="lower", method="mean with normal interval", **common)  # fmt: skip
    if not way.reference:
        yield from _against(lost, gained, rows, z, common)


def _against(lost: int, gained: int, rows: int, z: float, common: dict[str, Any]) -> Iterator[Finding]:
    drop, half = (lost - gained) / rows, z * math.sqrt(max(lost + gained, 3)) / rows
    paired: dict[str, Any] = common | {"against": "reference"}
    yield Finding(what="accuracy.drop", value=drop, low=drop - half, high=drop + half, better="lower", method="Tango score interval for paired proportions", **paired)  # fmt: skip
    changed = (lost + gained) * 1.3 / rows
    for what, value in (("flips", changed), ("flips.lost", lost / rows), ("flips.gained", gained / rows)):
        yield Finding(what=what, value=value, low=value * 0.8, high=value * 1.2 + 3e-4, better="lower", method="Wilson score interval", **paired)  # fmt: skip
    even = {"against": "reference", "n": rows, "unit_of_replication": "rows"}
    p = math.erfc(abs(lost - gained) / math.sqrt(max(lost + gained, 1)) / math.sqrt(2))
    yield Finding(what="mcnemar", value=p, method="mid-p McNemar test", **even)
    yield Finding(what="kl", value=1e-5 * lost, low=0.9e-5 * lost, high=1.1e-5 * lost, unit="nats", better="lower", method="mean with normal interval", **paired)  # fmt: skip
    yield Finding(what="output_difference", value=0.01 * lost + 1e-6, better="lower", **even)


def _surroundings() -> Iterator[Finding]:
    for name, number, hash_ in (("evaluation", ROWS, "5d" * 32), ("calibration", 500, "9c" * 32)):
        yield Finding(what=f"rows.{name}", at={"hash": hash_, "model": "cnn"}, value=number, unit="rows", n=number, unit_of_replication="rows", method="exact count")  # fmt: skip
    yield Finding(what="forms.difference", value=2.4e-6, n=64, unit_of_replication="rows", method="largest difference of outputs between the forms torch and onnx", part="forms")  # fmt: skip
    yield Finding(what="environment.load", value=0.14, unit="", method="mean run queue per core during the study")
    yield Finding(what="environment.price", value=0.12, unit="EUR/h", origin=Origin.DECLARED, note="as the study says")


def _verdict(entries: list[Entry], findings: list[Finding]) -> Verdict:
    each = [_judge(entry, [f for f in findings if f.candidate == entry.id]) for entry in entries]
    best = next(entry for entry in entries if entry.label == "openvino bf16")
    return Verdict(
        outcome=Outcome.PASS,
        candidates=tuple(each),
        recommended=best.id,
        sentence="Take `openvino bf16`: speedup 6.38 (6.29 to 6.48); accuracy drop at most 0.24 pp; the fastest, `openvino int8_static fp32`, speedup 8.71 (8.59 to 8.84), is not settled: accuracy drop 0.34 pp, from 0 pp to 0.68 pp.",
        confidence=0.95,
        compared=10,
        level=_GATE,
    )


def _judge(entry: Entry, findings: list[Finding]) -> CandidateVerdict:
    asked = (
        ("accuracy.drop", 0.005, "accuracy drop at most 0.5 pp", "drop_at_most"),
        ("latency.p99", 5e-3, "latency.p99 {load: single_stream} at most 5 ms", "at_most"),
        ("accuracy", 0.88, "accuracy at least 0.88", "at_least"),
    )
    judgements = []
    for what, limit, requirement, rule in asked:
        if entry.reference and what.endswith("drop"):
            continue
        found = next((f for f in findings if f.what == what and f.level != 0.95), None)
        outcome, reason, settle = _outcome(found, limit)
        judgements.append(Judgement(requirement=requirement, rule=rule, candidate=entry.id, outcome=outcome, reason=reason, settle=settle, findings=() if found is None else (found,)))  # fmt: skip
    outcome = all_must_hold([judgement.outcome for judgement in judgements])
    return CandidateVerdict(candidate=entry.id, outcome=outcome, eligible=entry.eligible, judgements=tuple(judgements))


def _outcome(found: Finding | None, limit: float) -> tuple[Outcome, str, str]:
    if found is None:
        return Outcome.OPEN, "there is no such finding: the candidate could not be measured", "find out why it hung"
    low, high = found.low if found.low is not None else found.number, found.high or found.number
    factor, unit = {"latency.p99": (1e3, " ms"), "accuracy.drop": (100.0, " pp")}.get(found.what, (1.0, ""))
    good, bad = (low >= limit, high < limit) if found.better == "higher" else (high <= limit, low > limit)
    side, end = ("at least", low) if (found.better == "higher") is good else ("at most", high)
    name = found.what.replace(".drop", " drop")
    said = f"{name} {side} {end * factor:.3g}{unit} (99.5 % confidence; measured {found.number * factor:.3g}{unit})"
    if good:
        return Outcome.PASS, said, ""
    if bad:
        return Outcome.FAIL, said, ""
    said = f"{name} {found.number * factor:.3g}{unit}, from {round(low * factor, 3):g}{unit} to {round(high * factor, 3):g}{unit} ({limit * factor:g}{unit} lies between)"
    return Outcome.OPEN, said, "about 9,400 more rows (19,400 in all), if the value stays where it is"


def _hash(variant: str) -> str:
    return {"as_is": "a1" * 8, "int8_dynamic": "b2" * 8, "int8_static": "c3" * 8}[variant]


def _artefact(variant: str) -> Artefact:
    made = variant != "as_is"
    return Artefact(
        format="onnx",
        files={"model": f"{variant}.onnx"},
        hashes={"model": _hash(variant) * 4},
        signature=Signature(
            inputs=(TensorSpec(name="image", shape=(1, 28, 28)),), outputs=(TensorSpec(name="logits", shape=(10,)),)
        ),
        lineage=Lineage(
            recipe=variant if made else "given",
            parent=_hash("as_is") if made else None,
            seed=0 if made else None,
            rows_hash="9c" * 8 if variant == "int8_static" else None,
            seconds=3.1 if made else None,
            made_with={"onnxruntime": "1.22.0"} if made else {},
        ),
    )


_DROPPED = (
    *(
        Dropped(id=f"cnn/{variant}/openvino/cpu/bf16/t1/b32", reason="an int8 file has no bf16 form: int8 stays int8")
        for variant in ("int8_dynamic", "int8_static")
    ),
    Dropped(id="cnn/int8_static/torch/cpu/fp32/t1/b32", reason="torch takes torch models; the variant gives onnx"),
    Dropped(id="cnn/as_is/onnxruntime/cuda/fp32/t1/b32", reason="no CUDA device on this machine: not run here"),
)
_STUDY: dict[str, Any] = {
    "schema": 1,
    "name": "fashion",
    "description": "A small classifier of clothes, and a dozen ways to run it.",
    "models": {"cnn": {"forms": {"onnx": {"path": "cnn.onnx"}}, "task": {"name": "classification", "options": {}}}},
    "data": {"evaluation": {"from": {"name": "parquet", "options": {"path": "evaluation.parquet"}}, "label": "label"}},
    "require": [
        {"name": "drop_at_most", "options": {"what": "accuracy", "margin": "0.5 pp"}},
        {
            "name": "at_most",
            "options": {"what": "latency.p99", "bound": "5 ms", "at": {"load": "single_stream"}},
        },
        {"name": "at_least", "options": {"what": "accuracy", "bound": 0.88}},
    ],
    "prefer": {"what": "speedup", "at": {"load": "offline"}},
    "reports": [{"name": "json", "options": {}}, {"name": "html", "options": {"rows": "images"}}],
}
_ENVIRONMENT: dict[str, Any] = {
    "machine": {"processor": "Intel Xeon Platinum 8488C", "cores": 2, "memory": 16_400_000_000, "accelerators": []},
    "system": "Linux 6.1, glibc 2.36",
    "python": "3.11.9",
    "packages": {"onnxruntime": "1.22.0", "openvino": "2025.3.0", "torch": "2.8.0", "numpy": "2.1.3"},
    "threads": {"OMP_NUM_THREADS": "1"},
    "seed": 0,
}
