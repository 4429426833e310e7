"""What the names of findings and the words of a study mean, in plain words: one table for `explain`, reports and docs."""

from __future__ import annotations

from typing import Literal

from seatrial.contracts.terms import Term
from seatrial.contracts.terms_of_data import DATA
from seatrial.contracts.terms_of_energy import ENERGY
from seatrial.contracts.terms_of_money import MONEY
from seatrial.contracts.terms_of_parties import PARTIES
from seatrial.contracts.terms_of_prediction import PREDICTION
from seatrial.contracts.terms_of_privacy import PRIVACY
from seatrial.contracts.terms_of_provenance import PROVENANCE
from seatrial.contracts.terms_of_quality import QUALITY
from seatrial.contracts.terms_of_security import SECURITY
from seatrial.contracts.terms_of_training import TRAINING
from seatrial.contracts.terms_of_trust import TRUST

_SPEED: dict[str, Term] = {
    # --- speed ---------------------------------------------------------------------------------------------------------
    "throughput": Term(
        "Throughput",
        "Rows answered in a second while as much as possible is sent (load `offline`).",
        "samples/s",
        "higher",
        short="rows/s",
    ),
    "latency.p50": Term(
        "Latency, median", "Half of all queries were answered within this time.", "s", "lower", short="p50"
    ),
    "latency.p90": Term(
        "Latency, 90th percentile", "Nine of ten queries were answered within this time.", "s", "lower", short="p90"
    ),
    "latency.p99": Term(
        "Latency, 99th percentile",
        "99 of 100 queries were answered within this time: what the slowest users wait. Its upper bound is one-sided and "
        "holds with 99 % confidence; with too few queries there is none.",
        "s",
        "lower",
        short="p99",
    ),
    "latency.mean": Term(
        "Latency, mean", "The average time from when a query was due to its answer.", "s", "lower", short="mean"
    ),
    "latency.misses": Term(
        "Deadlines missed",
        "Share of queries that took longer than the deadline, the wait in a queue included.",
        "",
        "lower",
        short="missed",
        kind="share",
    ),
    "latency.jitter": Term(
        "Jitter", "How much the latencies of successive queries differ, on average.", "s", "lower", short="jitter"
    ),
    "throughput.sustained": Term(
        "Rate sustained",
        "The highest of the stated arrival rates (load `server`) at which a percentile of latency is shown to keep its bound. "
        "It holds on one instance that answers queries one by one.",
        "samples/s",
        "higher",
        short="sustained",
    ),
    "rate_at_bound": Term(
        "Highest rate within a bound",
        "The highest arrival rate that was tried, in a search (load `server` with `find`), at which a percentile of latency kept its "
        "bound in every probe. Between it and the next rate that was tried nothing is claimed.",
        "samples/s",
        "higher",
        short="rate",
    ),
    "rate_at_bound.fails": Term(
        "Lowest rate beyond a bound",
        "The lowest arrival rate that was tried at which a percentile of latency is shown to be above its bound.",
        "samples/s",
        "higher",
        short="too much",
    ),
    "validity": Term(
        "Validity by LoadGen's rules",
        "Whether blocks are as long, and have as many queries, as MLPerf's LoadGen asks of a valid run: `valid`, `short` or "
        "`invalid`. Short is usual here, where many short blocks in turn compare candidates. LoadGen-style, unverified.",
    ),
    "identical_inputs": Term(
        "Identical inputs answered faster",
        "How many times as fast inputs are answered when they come again. Where they are, speed measured on rows that repeat doesn't hold for "
        "other requests.",
        "x",
        short="cached",
    ),
    "network.time": Term(
        "Time on the network",
        "Mean time of a query between the first byte sent and the last received, less the server's own time: measured where the "
        "server states that, else estimated by the round trip of an empty request.",
        "s",
        "lower",
        short="network",
    ),
    "network.share": Term(
        "The network's share",
        "Which share of the mean time of a query the network takes; the rest is the server's own time, and writing and reading "
        "tensors on this side.",
        "",
        "lower",
        short="on the wire",
        kind="share",
    ),
    "speedup": Term(
        "Speed against the reference",
        "How many times faster than the reference: the ratio of throughputs (load `offline`) or of median latencies (other "
        "loads), paired round by round. Above 1 is faster.",
        "x",
        "higher",
        short="speed",
    ),
    # --- what it takes --------------------------------------------------------------------------------------------------
    "memory.peak": Term(
        "Peak memory", "The most main memory that the process running the model held.", "B", "lower", short="memory"
    ),
    "memory.growth": Term(
        "Growth of memory",
        "By how much the memory of the process grows from one round to the next. Where it goes on growing, the model leaks.",
        "B",
        "lower",
        short="growth",
    ),
    "size": Term("Size", "Bytes of the model's files on disk.", "B", "lower", short="size"),
    "cold_start": Term(
        "Cold start",
        "From nothing to the first answer: import, load and first answer together.",
        "s",
        "lower",
        short="start",
    ),
    "cold_start.import": Term(
        "Cold start, import", "Time to import the runtime's packages.", "s", "lower", short="import"
    ),
    "cold_start.load": Term(
        "Cold start, load", "Time to read, optimise and compile the model.", "s", "lower", short="load"
    ),
    "cold_start.compile": Term(
        "Cold start, compiling when first asked",
        "By how much longer the first answer took than the next one to the same row: what is compiled and allocated when it is first "
        "asked. A part of the first answer.",
        "s",
        "lower",
        short="compile",
    ),
    "memory.device": Term(
        "Memory of the GPU", "The memory of the GPU that the candidate took.", "B", "lower", short="GPU memory"
    ),
    "device_time.query": Term(
        "Device time of a query",
        "What the processor's threads, or the GPU, worked for one query; users wait for the latency.",
        "s",
        "lower",
        short="device time",
    ),
    "device_time.share": Term(
        "Device time over wall time",
        "Device time over the time that passed: 1 is one processor, or the GPU, at work all the time.",
        "x",
        short="device/wall",
    ),
    "utilisation.processors": Term(
        "Processors kept busy",
        "Processor time over wall time while it was timed: 1.5 is one and a half processors.",
        "processors",
        short="busy",
    ),
    "utilisation.foreign": Term(
        "Processors busy with other work",
        "Processor time that everything else on the machine took meanwhile, over wall time.",
        "processors",
        short="others",
    ),
    "slow_start": Term(
        "Slow start",
        "How many times as long the first ten answers to a load took as later ones.",
        "x",
        "lower",
        short="slow start",
    ),
    "machine.foreign": Term(
        "Other work on the machine",
        "Processor time that everything else took during timed blocks, over wall time.",
        "processors",
        "lower",
        short="others",
    ),
    "machine.clock": Term("Clock", "The processors' mean clock after timed blocks.", "MHz", short="clock"),
    "machine.temperature": Term(
        "Temperature", "The hottest sensor of the machine after timed blocks.", "degrees Celsius", short="hottest"
    ),
    "machine.gpu_processes": Term(
        "Processes on the GPUs",
        "Processes that computed on the machine's GPUs after timed blocks, ours included.",
        "processes",
        short="on the GPUs",
    ),
    "cold_start.first_answer": Term(
        "Cold start, first answer", "Time of the first answer after loading.", "s", "lower", short="first"
    ),
}

_RAN: dict[str, Term] = {
    # --- what really ran ------------------------------------------------------------------------------------------------
    "executed.precision": Term(
        "Precision as executed",
        "The lowest precision among the heavy operators that really ran: fp32, bf16, fp16, int8.",
        short="ran in",
    ),
    "executed.device": Term("Device as executed", "The device that really did the work.", short="ran on"),
    "sensitivity": Term(
        "Sensitivity of a layer",
        "How much the answers change when this layer alone computes in int8: root mean square, as a share of their standard "
        "deviation. The most sensitive layers are the first to leave in float.",
        "",
        "lower",
        short="sensitivity",
    ),
    "left_in_float": Term(
        "Layers left in float",
        "Layers that the variant didn't convert, because they would have cost too many right answers or overflowed. Leave them in "
        "float in tools of your own too.",
        short="left in float",
    ),
    "most_changed": Term(
        "Rows that changed most",
        "How much a row's outputs changed against the reference: root mean square, as a share of their standard deviation. Rows are "
        "numbered from 0 in the order in which they judge.",
        "",
        "lower",
        short="change",
    ),
    "batch.seconds": Term(
        "Time of a batch", "How long a full batch takes: its rows over the throughput.", "s", "lower", short="a batch"
    ),
    "batch.knee": Term(
        "Knee of the batches",
        "The batch size at which throughput over latency is largest: larger batches give little more throughput for much more "
        "latency. The range holds the sizes that can't be told from it.",
        "rows",
        short="knee",
    ),
    "batch.p99": Term(
        "p99 with dynamic batching",
        "Simulated from the times that were measured: the 99th percentile of latency when single rows arrive by chance, at a share "
        "of the largest throughput, and those that wait are answered together.",
        "s",
        "lower",
        short="p99 in batches",
    ),
    "forms.difference": Term(
        "Difference of forms",
        "Largest output difference between two forms of one model, before they count as the same.",
        "",
        "lower",
        short="forms",
    ),
    "batch.difference": Term(
        "Change with the batch",
        "Largest difference between outputs of a row answered alone and in a batch; stated only where answers change.",
        "",
        "lower",
    ),
    "search": Term(
        "Search", "What the search over candidates did: which it left out is said at each, by its state and note."
    ),
    "search.left_out": Term(
        "Candidates left out by the search",
        "How many candidates were measured no further, because a bound showed that they aren't the one or an assumption said so.",
        short="left out",
    ),
    "run": Term(
        "Run", "Missing when a candidate couldn't be measured at all; its state and note say why.", short="run"
    ),
    "environment": Term("Environment", "What it ran on: machine, versions, settings, load."),
}

FINDINGS: dict[str, Term] = (
    _SPEED
    | ENERGY
    | DATA
    | QUALITY
    | TRUST
    | SECURITY
    | PRIVACY
    | PARTIES
    | PROVENANCE
    | TRAINING
    | PREDICTION
    | MONEY
    | _RAN
)

WORDS: dict[str, str] = {
    # the five nouns
    "study": "What the user asks: models, data, ways to run them, requirements. A YAML file.",
    "candidate": "One way to run one model: variant, runtime, device, precision, threads and batch together.",
    "finding": "One number or state that somebody can rely on, with its uncertainty and how it was got.",
    "verdict": "What the requirements make of the findings: pass, fail, or not enough evidence.",
    "dossier": "All that a report may read: study, candidates, findings, verdict, environment, artefacts.",
    # how one judges
    "reference": "The model that was approved, as it ran: every candidate is compared with it, on the same rows.",
    "pass": "The bound of the interval is on the right side of the requirement: not the value alone.",
    "fail": "The bound of the interval is on the wrong side of the requirement.",
    "not enough evidence": "The interval contains the limit: more rows or rounds would settle it, and the reason says how many.",
    "confidence": "How sure the verdict is, one-sided, for all compared candidates together.",
    "margin": "How much worse than the reference still counts as the same: stated before anything is measured.",
    "bound": "One end of an interval. Requirements look at bounds, so that luck doesn't pass.",
    "interval": "The values that the data don't rule out, at the stated level (95 % unless said otherwise). Another run could give any of them.",
    "percentage point": "The difference between two percentages: from 90.1 % to 89.6 % is 0.5 pp.",
    "p-value": "How likely a difference at least this large would be by chance alone.",
    # how a measurement runs
    "round": "One turn in which every candidate is timed once, in random order, so that drift of the machine hits all alike.",
    "block": "The queries of one candidate, one load and one round, timed together.",
    "single_stream": "One query at a time, the next when the last is answered: what one waiting user feels.",
    "offline": "Everything at once, in batches: how much gets done.",
    "runtime": "The program that runs the model: onnxruntime, openvino and torch are runtimes.",
    "artefact": "A model's files with their hash and how they were made.",
    "variant": "Something done to a model before it runs, such as int8 quantisation.",
    "form": "One of several files that hold the same model, such as ONNX and torch; proved equal before use.",
    "calibration": "Rows from which a variant learns the ranges of numbers. They never judge.",
    # precisions
    "fp32": "Numbers of 32 bits: what models are usually trained in.",
    "bf16": "Numbers of 16 bits with the range of fp32 and 8 bits of precision; matrix units of processors and GPUs take them.",
    "fp16": "Numbers of 16 bits with 11 bits of precision and a small range.",
    "int8": "Whole numbers of 8 bits with a scale: fast, and a different model until it is shown to be the same.",
    "int8_static": "The model in int8, its ranges fixed beforehand with calibration rows.",
    "int8_dynamic": "The weights in int8; ranges of the rest are found anew at every call.",
    # origins
    "measured": "Got by measuring here, in this study.",
    "imported": "Measured elsewhere and brought in.",
    "estimated": "Worked out from something else. Never passes a requirement.",
    "predicted": "Said by a model of hardware that wasn't at hand. Never passes a requirement.",
    "declared": "Stated by a person (a price). Passes only where the requirement accepts it.",
    "missing": "There is no value; the state and the note say why.",
    # states
    "disturbed": "It was measured while the machine did other things: measure it again with --fresh when it is quiet.",
    "unstable": "It was measured before it had become steady, or its note says what speaks against it.",
    "too_few": "There were not enough rows, queries or rounds for this statement.",
    "failed": "It raised an error.",
    "crashed": "The process ended without an answer.",
    "hung": "No answer came within the time limit.",
    "out_of_memory": "It was killed, or refused, for want of memory.",
    "not_installed": "A package isn't installed.",
    "not_here": "The device isn't on this machine.",
    "unsupported": "The part says that it can't do this.",
    "refused": "Unsafe, or not the same model.",
    "left_out": "A search saw that it isn't the one, and measured it no further; the note says why.",
    "withheld": "Personal, or otherwise not to be shown.",
    # how much a fault of the data matters
    "fine": "Nothing was found, or so little that it changes nothing.",
    "minor": "A fault worth a look.",
    "serious": "Because of it figures mean less than they seem to, or it mustn't be there.",
    # roles of rows
    "train": "Rows the model learnt from.",
    "calibrate": "Rows that fix ranges and temperatures.",
    "tune": "Rows that choose settings.",
    "discover": "Rows in which slices are looked for.",
    "confirm": "Rows that judge.",
    # gaps of parts
    "not yet ours": "Possible, and not built here yet.",
    "not yet theirs": "The package underneath doesn't offer it.",
    "never": "It makes no sense, or won't be done.",
    "not run here": "Written, but no machine was at hand to try it on.",
}


def term(what: str) -> Term | None:
    """The finding of that name, or of the nearest dotted name above it (`environment.cpu` -> `environment`); None if unknown.

    The drop of something known is known: `f1.drop` is by how much worse the candidate's F1 is than the reference's.
    """
    base = FINDINGS.get(what.removesuffix(".drop"))
    if what not in FINDINGS and what.endswith(".drop") and base:
        return _drop(base)
    while what:
        if what in FINDINGS:
            return FINDINGS[what]
        what = what.rpartition(".")[0]
    return None


def _drop(base: Term) -> Term:
    """By how much worse something is than the reference's, whichever way is better."""
    kind: Literal["", "change"] = "change" if base.kind in ("share", "change") else ""
    meaning = f"By how much worse than the reference's it is on the same rows. Below 0 it is better. {base.title}: {base.meaning}"
    return Term(f"{base.title}: worse than the reference by", meaning, base.unit, "lower", short="worse by", kind=kind)
