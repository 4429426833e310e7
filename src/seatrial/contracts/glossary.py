"""What the names of findings and the words of a study mean, in plain words: one table for `explain`, reports and docs."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Term(NamedTuple):
    """A finding's name for people, what it means, its unit (empty: a share from 0 to 1, or a plain number), and which way is better."""

    title: str
    meaning: str
    unit: str = ""
    better: Literal["higher", "lower"] | None = None


FINDINGS: dict[str, Term] = {
    # --- speed ---------------------------------------------------------------------------------------------------------
    "throughput": Term(
        "Throughput",
        "Rows answered in a second while as much as possible is sent (load `offline`).",
        "samples/s",
        "higher",
    ),
    "latency.p50": Term("Latency, median", "Half of all queries were answered within this time.", "s", "lower"),
    "latency.p90": Term(
        "Latency, 90th percentile", "Nine of ten queries were answered within this time.", "s", "lower"
    ),
    "latency.p99": Term(
        "Latency, 99th percentile",
        "99 of 100 queries were answered within this time: what the slowest users wait. Its upper bound is one-sided and "
        "holds with 99 % confidence; with too few queries there is none.",
        "s",
        "lower",
    ),
    "latency.mean": Term("Latency, mean", "The average time from when a query was due to its answer.", "s", "lower"),
    "speedup": Term(
        "Speed against the reference",
        "How many times faster than the reference: the ratio of throughputs (load `offline`) or of median latencies (load "
        "`single_stream`), paired round by round. Above 1 is faster.",
        "x",
        "higher",
    ),
    # --- what it takes --------------------------------------------------------------------------------------------------
    "memory.peak": Term("Peak memory", "The most main memory that the process running the model held.", "B", "lower"),
    "size": Term("Size", "Bytes of the model's files on disk.", "B", "lower"),
    "cold_start": Term(
        "Cold start", "From nothing to the first answer: import, load and first answer together.", "s", "lower"
    ),
    "cold_start.import": Term("Cold start, import", "Time to import the runtime's packages.", "s", "lower"),
    "cold_start.load": Term("Cold start, load", "Time to read, optimise and compile the model.", "s", "lower"),
    "cold_start.first_answer": Term(
        "Cold start, first answer", "Time of the first answer after loading.", "s", "lower"
    ),
    # --- how good the answers are ---------------------------------------------------------------------------------------
    "accuracy": Term("Accuracy", "Share of rows whose predicted class is the labelled one.", "", "higher"),
    "top_k": Term("Top-k accuracy", "Share of rows whose labelled class is among the k highest-scored.", "", "higher"),
    "precision": Term("Precision", "Of the rows given a class, the share that belong to it.", "", "higher"),
    "recall": Term("Recall", "Of the rows that belong to a class, the share that were given it.", "", "higher"),
    "f1": Term("F1", "Harmonic mean of precision and recall; `average: macro` counts every class alike.", "", "higher"),
    "log_loss": Term(
        "Log-loss",
        "Minus the logarithm of the probability given to the labelled class, on average: punishes being sure and wrong.",
        "nats",
        "lower",
    ),
    "brier": Term(
        "Brier score", "Squared distance between the probabilities given and what happened, on average.", "", "lower"
    ),
    # --- whether it is still the same model -----------------------------------------------------------------------------
    "accuracy.drop": Term(
        "Accuracy lost",
        "The reference's accuracy minus the candidate's, on the same rows. Below 0 the candidate is better.",
        "",
        "lower",
    ),
    "flips": Term(
        "Flips",
        "Share of rows whose predicted class is another than the reference's. Equal accuracy can hide many of them.",
        "",
        "lower",
    ),
    "flips.lost": Term(
        "Flips to wrong", "Share of rows that the reference has right and the candidate wrong.", "", "lower"
    ),
    "flips.gained": Term(
        "Flips to right", "Share of rows that the reference has wrong and the candidate right.", "", "higher"
    ),
    "mcnemar": Term(
        "McNemar's test",
        "p-value of `lost and gained flips are equally likely`: small means that accuracy really changed, not by how much.",
    ),
    "kl": Term(
        "KL divergence",
        "How far the candidate's probabilities are from the reference's, row by row on average. 0 means the same.",
        "nats",
        "lower",
    ),
    "output_difference": Term(
        "Largest output difference",
        "Largest absolute difference between the raw outputs of candidate and reference.",
        "",
        "lower",
    ),
    # --- what really ran ------------------------------------------------------------------------------------------------
    "executed.precision": Term(
        "Precision as executed",
        "The lowest precision among the heavy operators that really ran: fp32, bf16, fp16, int8.",
    ),
    "executed.device": Term("Device as executed", "The device that really did the work."),
    "forms.difference": Term(
        "Difference of forms",
        "Largest output difference between two forms of one model, before they count as the same.",
        "",
        "lower",
    ),
    "run": Term("Run", "Missing when a candidate couldn't be measured at all; its state and note say why."),
    "environment": Term("Environment", "What it ran on: machine, versions, settings, load."),
}

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
    "interval": "The values that the data don't rule out, at the stated level (95 % unless said otherwise).",
    # how a measurement runs
    "round": "One turn in which every candidate is timed once, in random order, so that drift of the machine hits all alike.",
    "block": "The queries of one candidate, one load and one round, timed together.",
    "single_stream": "One query at a time, the next when the last is answered: what one waiting user feels.",
    "offline": "Everything at once, in batches: how much gets done.",
    "artefact": "A model's files with their hash and how they were made.",
    "variant": "Something done to a model before it runs, such as int8 quantisation.",
    "form": "One of several files that hold the same model, such as ONNX and torch; proved equal before use.",
    "calibration": "Rows from which a variant learns the ranges of numbers. They never judge.",
    # precisions
    "fp32": "Numbers of 32 bits: what models are usually trained in.",
    "bf16": "Numbers of 16 bits with the range of fp32 and 8 bits of precision; matrix units of processors and GPUs take them.",
    "fp16": "Numbers of 16 bits with 11 bits of precision and a small range.",
    "int8": "Whole numbers of 8 bits with a scale: fast, and a different model until it is shown to be the same.",
    # origins
    "measured": "Got by measuring here, in this study.",
    "imported": "Measured elsewhere and brought in.",
    "estimated": "Worked out from something else. Never passes a requirement.",
    "predicted": "Said by a model of hardware that wasn't at hand. Never passes a requirement.",
    "declared": "Stated by a person (a price). Passes only where the requirement accepts it.",
    "missing": "There is no value; the state and the note say why.",
    # states
    "disturbed": "Measured while the machine did other things.",
    "unstable": "Measured before it had become steady.",
    "too_few": "Not enough rows, queries or rounds for this statement.",
    "failed": "It raised an error.",
    "crashed": "The process ended without an answer.",
    "hung": "No answer came within the time limit.",
    "out_of_memory": "It was killed, or refused, for want of memory.",
    "not_installed": "A package isn't installed.",
    "not_here": "The device isn't on this machine.",
    "unsupported": "The part says that it can't do this.",
    "refused": "Unsafe, or not the same model.",
    "withheld": "Personal, or otherwise not to be shown.",
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
    """The finding of that name, or of the nearest dotted name above it (`environment.cpu` -> `environment`); None if unknown."""
    while what:
        if what in FINDINGS:
            return FINDINGS[what]
        what = what.rpartition(".")[0]
    return None
