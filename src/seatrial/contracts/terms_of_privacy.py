"""Glossary: what the model tells of the rows that it learnt from."""

from __future__ import annotations

from seatrial.contracts.terms import Term

PRIVACY: dict[str, Term] = {
    "privacy": Term("Privacy", "What somebody who can ask the model learns of the rows that it learnt from."),
    "privacy.tpr": Term(
        "Members picked out",
        "Share of the rows that the model learnt from that a method names, while it wrongly names at most the stated share of rows that it "
        "didn't learn from (`fpr`). Chance alone names as many of either. What counts is a low rate of wrong names: to be sure of a few is "
        "worse than to guess at all. Another method may pick out more.",
        "",
        "lower",
        short="picked out",
        kind="share",
    ),
    "privacy.tpr.change": Term(
        "Members picked out, more than of the reference",
        "The share of members that a method picks out from the candidate's answers less that from the reference's, on the same rows, at the "
        "same rate of wrong names. Above 0 the candidate tells more.",
        "",
        "lower",
        short="more than reference",
        kind="change",
    ),
    "privacy.fpr": Term(
        "Outsiders wrongly named",
        "Share of the rows that the model didn't learn from that a method named meanwhile, at the threshold that was taken.",
        "",
        "lower",
        short="wrongly named",
        kind="share",
    ),
    "privacy.auc": Term(
        "Members told from outsiders",
        "The chance that a row that the model learnt from seems more suspicious to a method than one that it didn't: 0.5 is chance. It speaks of "
        "rows on average, and hides a few of which somebody can be sure.",
        "",
        "lower",
        short="told apart",
    ),
    "privacy.auc.change": Term(
        "Members told from outsiders, more than by the reference",
        "The candidate's chance less the reference's, on the same rows. Above 0 the candidate tells more.",
        "",
        "lower",
        short="more than reference",
        kind="change",
    ),
    "privacy.shadows": Term(
        "Shadows",
        "Models of the same recipe, each trained on half of the rows that are asked about: what the model's answers are compared with.",
        "models",
        short="shadows",
    ),
    "privacy.permitted": Term(
        "Whose leave there is",
        "Who answers for the rows and allowed in writing that it is tried what the model tells of them, as the study states it.",
        short="leave",
    ),
}
"""What the model tells of the rows that it learnt from."""
