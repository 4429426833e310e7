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
    "privacy.attribute": Term("Values guessed", "How often somebody guesses a value that was left out of a row."),
    "privacy.attribute.imputed": Term(
        "Values guessed without the model",
        "Share of rows whose left-out value an imputer guesses, which learnt from the attacker's own rows and never saw the model.",
        "",
        "lower",
        short="without it",
        kind="share",
    ),
    "privacy.attribute.guessed": Term(
        "Values guessed with the model",
        "Share of rows whose left-out value is guessed with the model's answers and the imputer together.",
        "",
        "lower",
        short="with it",
        kind="share",
    ),
    "privacy.attribute.gain": Term(
        "What the model adds to guessing",
        "The share guessed with the model less the share that the imputer guesses, on the same rows. Above 0 the model tells what the "
        "population doesn't; where it is no more for members than for outsiders, it tells of people like them, not of them.",
        "",
        "lower",
        short="gain",
        kind="change",
    ),
    "privacy.attribute.gain.change": Term(
        "What the model adds to guessing, more than of the reference",
        "The candidate's figure less the reference's, on the same rows. Above 0 the candidate tells more.",
        "",
        "lower",
        short="more than reference",
        kind="change",
    ),
    "privacy.extraction": Term("Copying", "How well the model can be copied from its answers."),
    "privacy.extraction.agreement": Term(
        "Answers like the model's",
        "Share of rows that nobody bought answers for to which a copy, trained on so many answers, gives the class that the model gives. "
        "The note says how often the model's most frequent class alone agrees.",
        "",
        "lower",
        short="copy agrees",
        kind="share",
    ),
    "privacy.extraction.agreement.change": Term(
        "Answers like the model's, more than of the reference",
        "The candidate's figure less the reference's, on the same rows. Above 0 the candidate tells more.",
        "",
        "lower",
        short="more than reference",
        kind="change",
    ),
    "privacy.inversion": Term(
        "Drawing a class", "How like the rows of a class is what is drawn from the model's answers."
    ),
    "privacy.inversion.likeness": Term(
        "Likeness of what is drawn",
        "What is drawn of a class from the model's answers, correlated with the mean of its members, both less their mean over classes; the "
        "mean over classes. 0 is what a random picture has on average, 1 the class itself. It tells of classes, not of one row.",
        "",
        "lower",
        short="likeness",
    ),
    "privacy.inversion.likeness.change": Term(
        "Likeness of what is drawn, more than of the reference",
        "The candidate's figure less the reference's, on the same rows. Above 0 the candidate tells more.",
        "",
        "lower",
        short="more than reference",
    ),
    "privacy.shadows": Term(
        "Shadows",
        "Models of the same recipe, each trained on half of the rows that are asked about: what the model's answers are compared with.",
        "models",
        short="shadows",
    ),
    "privacy.memberships": Term(
        "Rows one by one",
        "How many lines there are in the file that says how suspicious each single row is; it is written only where the study asks.",
        "lines",
        short="lines",
    ),
    "privacy.permitted": Term(
        "Whose leave there is",
        "Who answers for the rows and allowed in writing that it is tried what the model tells of them, as the study states it.",
        short="leave",
    ),
}
"""What the model tells of the rows that it learnt from."""
