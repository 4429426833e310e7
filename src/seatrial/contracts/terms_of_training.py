"""Glossary: how fast a model trains, and how long and for how much money until it is good enough."""

from __future__ import annotations

from seatrial.contracts.terms import Term

TRAINING: dict[str, Term] = {
    "training.step.p50": Term(
        "Training step, median",
        "Half of all steps took less than this. The first step is apart.",
        "s",
        "lower",
        short="step",
    ),
    "training.step.p90": Term(
        "Training step, 90th percentile", "Nine of ten steps took less than this.", "s", "lower", short="step p90"
    ),
    "training.first_step": Term(
        "First training step",
        "The first step of a fresh worker. Where the module is compiled, that happens here and costs seconds, once.",
        "s",
        "lower",
        short="first step",
    ),
    "training.throughput": Term(
        "Rows trained on a second",
        "Rows learnt from in a second of steps, all workers together; evaluations left out.",
        "samples/s",
        "higher",
        short="rows/s",
    ),
    "training.speedup": Term(
        "Training speed against the reference way",
        "How many times as many rows are learnt from in a second as in the reference way, paired round by round.",
        "x",
        "higher",
        short="speed",
    ),
    "training.scaling_efficiency": Term(
        "Scaling efficiency",
        "Of N workers: the time of a step with one worker over N times that with N, on the same rows. 100 % is perfect sharing; at 50 % two workers do "
        "the work of one.",
        "",
        "higher",
        short="efficiency",
        kind="share",
    ),
    "training.starved": Term(
        "Waiting for data",
        "Share of a step's time that is spent waiting for the next batch. What computes idles meanwhile: a faster one would not help.",
        "",
        "lower",
        short="waits",
        kind="share",
    ),
    "training.padding": Term(
        "Padding",
        "Share of tokens that only fill rows up to equal length. They are computed and teach nothing.",
        "",
        "lower",
        short="padding",
        kind="share",
    ),
    "training.quality": Term(
        "Quality when training ends",
        "What the trainer told of its quality after its last pass, mean over seeds. The measure stands beside it.",
        short="quality",
    ),
    "training.quality.drop": Term(
        "Quality lost by the way to train",
        "By how much worse the quality at the end is than that of the reference way, the same seeds in pairs. Below 0 it is better.",
        "",
        "lower",
        short="quality lost",
    ),
    "training.batch_effect": Term(
        "Effect of the batch size on quality",
        "By how much worse the quality at the end is than that of the way that differs in its batch alone, the same seeds in pairs. "
        "Below 0 it is better.",
        "",
        "lower",
        short="batch effect",
    ),
    "training.reached": Term(
        "Seeds that reach the target",
        "Share of trainings, each from another seed, that reached the quality asked for before they ended.",
        "",
        "higher",
        short="reached",
        kind="share",
    ),
    "training.time_to_target": Term(
        "Time to the target quality",
        "How long training takes until the quality asked for is reached: the median over seeds. Trainings that end without reaching it count as longer.",
        "s",
        "lower",
        short="to target",
    ),
    "training.target_speedup": Term(
        "How much sooner the target is reached",
        "The reference way's time to the target over this way's, the same seeds in pairs. Above 1 it is reached sooner.",
        "x",
        "higher",
        short="sooner",
    ),
    "training.money_to_target": Term(
        "Money to the target quality",
        "That time at the price of an hour of the machine, which the study declares.",
        "",
        "lower",
        short="money",
    ),
    "training.run": Term(
        "Training",
        "Missing where a way to train, or one seed of it, gave nothing; its state and note say why.",
        short="training",
    ),
}
