"""Glossary: whether it is still the same model, how sure it may be, for whom, how fairly, and what when inputs go bad."""

from __future__ import annotations

from seatrial.contracts.terms import Term

TRUST: dict[str, Term] = {
    # --- whether it is still the same model -----------------------------------------------------------------------------
    "accuracy.drop": Term(
        "Accuracy lost",
        "The reference's accuracy minus the candidate's, on the same rows. Below 0 the candidate is better.",
        "",
        "lower",
        short="drop",
        kind="change",
    ),
    "flips": Term(
        "Flips",
        "Share of rows whose predicted class is another than the reference's. Equal accuracy can hide many of them.",
        "",
        "lower",
        short="flips",
        kind="share",
    ),
    "flips.lost": Term(
        "Flips to wrong",
        "Share of rows that the reference has right and the candidate wrong.",
        "",
        "lower",
        short="lost",
        kind="share",
    ),
    "flips.gained": Term(
        "Flips to right",
        "Share of rows that the reference has wrong and the candidate right.",
        "",
        "higher",
        short="gained",
        kind="share",
    ),
    "mcnemar": Term(
        "McNemar's test",
        "p-value of `lost and gained flips are equally likely`: small means that accuracy really changed, not by how much.",
        short="McNemar",
        kind="p",
    ),
    "kl": Term(
        "KL divergence",
        "How far the candidate's probabilities are from the reference's, row by row on average. 0 means the same.",
        "nats",
        "lower",
        short="KL",
    ),
    "rank_correlation": Term(
        "Rank correlation",
        "Whether candidate and reference put rows in the same order by their score of a class (Spearman): 1 the same order, 0 "
        "none in common. Rows whose scores nearly agree count as tied.",
        "",
        "higher",
        short="order",
    ),
    "output_difference": Term(
        "Largest output difference",
        "Largest absolute difference between the raw outputs of candidate and reference.",
        "",
        "lower",
        short="difference",
    ),
    "output_difference.mean": Term(
        "Mean output difference",
        "Absolute difference between the raw outputs of candidate and reference, on average over outputs and rows.",
        "",
        "lower",
        short="mean difference",
    ),
    # --- whether it knows how sure it may be ----------------------------------------------------------------------------
    "reliability": Term(
        "Came true",
        "Of the rows given about the same probability (a bin), the share for which it came true. Calibrated: as often as said.",
        short="came true",
        kind="share",
    ),
    "reliability.score": Term(
        "Said",
        "The mean probability that was given to the rows of a bin.",
        short="said",
        kind="share",
    ),
    "ece": Term(
        "Expected calibration error",
        "How far what came true is from what was said, on average over bins. Chance alone makes it larger than 0; the "
        "method says how large.",
        "",
        "lower",
        short="ECE",
        kind="change",
    ),
    "calibration_error": Term(
        "Calibration error, squared",
        "Mean squared distance of what came true from what was said, less what chance adds: 0 for a calibrated model.",
        "",
        "lower",
        short="squared error",
    ),
    "calibration": Term("Calibration", "Whether what was said with 90 % certainty comes true nine times in ten."),
    "calibration.slope": Term(
        "Calibration slope",
        "1 for a calibrated model; below 1 its probabilities are too extreme, above 1 too timid.",
        short="slope",
    ),
    "calibration.intercept": Term(
        "Calibration intercept",
        "Where the line through what came true against what was said (both as log-odds) stands at even odds; 0 is calibrated.",
        short="intercept",
    ),
    "calibration.offset": Term(
        "Calibration in the large",
        "Log-odds by which what was said is too low on the whole; below 0 too high. 0 is calibrated.",
        short="offset",
    ),
    "calibration_in_the_large": Term(
        "Promised too much",
        "The mean probability of a class minus the share of rows that have it: above 0 it is promised more often than it comes, "
        "below 0 less often.",
        short="too much",
        kind="change",
    ),
    "brier.reliability": Term(
        "Brier score, reliability",
        "The part of the Brier score that comes from probabilities that don't come true as often as said.",
        "",
        "lower",
        short="Brier reliability",
    ),
    "brier.resolution": Term(
        "Brier score, resolution",
        "By how much the Brier score is lower because the probabilities tell rows apart.",
        "",
        "higher",
        short="Brier resolution",
    ),
    "brier.uncertainty": Term(
        "Brier score, uncertainty",
        "The Brier score of saying the same overall share for every row: how hard the task is.",
        short="Brier uncertainty",
    ),
    # --- for whom ---------------------------------------------------------------------------------------------------------
    "slice": Term("Search for slices", "What an exhaustive search over combinations of columns' values found."),
    "slice.excess": Term(
        "More errors inside",
        "How much more often it errs in these rows than in all others. Found on one half of the rows, confirmed on the other.",
        "",
        "lower",
        short="more errors",
        kind="change",
    ),
    "slice.hurt": Term(
        "Hurt by the change",
        "How much more often than the reference it errs in these rows, beyond how much more it does in all others. Found on "
        "one half of the rows, confirmed on the other.",
        "",
        "lower",
        short="hurt",
        kind="change",
    ),
    "slice.excess.count": Term(
        "Groups found that are served worse",
        "How many groups of rows with more errors the search could confirm.",
        "",
        "lower",
        short="found",
    ),
    "slice.hurt.count": Term(
        "Groups found that the change hurt",
        "How many groups of rows that the change hurt the search could confirm.",
        "",
        "lower",
        short="found",
    ),
    "slice.excess.detectable": Term(
        "Excess that would have been found",
        "A group of a twentieth of the rows that has more errors by this much would most likely have been found.",
        short="detectable",
        kind="change",
    ),
    "slice.hurt.detectable": Term(
        "Harm that would have been found",
        "Harm of this size in a twentieth of the rows would most likely have been found. Smaller harm may be there.",
        short="detectable",
        kind="change",
    ),
    "rows.unsliced": Term("Rows without a group", "Values of a column that are too rare to have a group of their own."),
    # --- fairness ---------------------------------------------------------------------------------------------------------
    "selection_rate": Term("Selection rate", "Share of rows that are given the class.", short="selected", kind="share"),
    "demographic_parity": Term(
        "Gap in being selected",
        "The share of the group given the favourable class most often, minus that of the group given it least (demographic "
        "parity). It says nothing of who deserved what.",
        "",
        "lower",
        short="selected gap",
        kind="change",
    ),
    "demographic_parity.ratio": Term(
        "Ratio in being selected",
        "The lowest group's share given the favourable class, divided by the highest's. 1 is alike; some look at 0.8.",
        "",
        "higher",
        short="selected ratio",
    ),
    "label_parity": Term(
        "Gap in the labels",
        "The same gap between groups in the labels: how much of it was there before any model.",
        short="label gap",
        kind="change",
    ),
    "equal_opportunity": Term(
        "Gap in being recognised",
        "Of the rows that belong to the favourable class, the share given it: the highest group's minus the lowest's (equal "
        "opportunity).",
        "",
        "lower",
        short="recognised gap",
        kind="change",
    ),
    "equal_opportunity.ratio": Term(
        "Ratio in being recognised",
        "Of the rows that belong to the favourable class, the lowest group's share given it, divided by the highest's. 1 is alike.",
        "",
        "higher",
        short="recognised ratio",
    ),
    "equalised_odds": Term(
        "Gap in the odds",
        "The larger of two gaps between groups: among those who belong to the favourable class, and among those who don't, "
        "how often it is given (equalised odds).",
        "",
        "lower",
        short="odds gap",
        kind="change",
    ),
    "equalised_odds.ratio": Term(
        "Ratio in the odds",
        "The smaller of two ratios of the lowest to the highest group: among those who belong to the favourable class, and "
        "among those who don't, how often it is given. 1 is alike.",
        "",
        "higher",
        short="odds ratio",
    ),
    "calibration_within_groups": Term(
        "Gap in what scores promise",
        "Mean probability of the favourable class minus the share that has it, the highest group's minus the lowest's: where it "
        "is large, the same score means different chances.",
        "",
        "lower",
        short="promise gap",
        kind="change",
    ),
    # --- robustness -------------------------------------------------------------------------------------------------------
    "corrupted": Term("On inputs that went bad", "The same measures on rows that were spoilt on purpose."),
    "corrupted.accuracy": Term(
        "Accuracy on spoilt inputs",
        "Share of the spoilt rows that are right, by corruption and severity from 1 (hardly) to 5 (badly); `clean` are the same "
        "rows unspoilt.",
        "",
        "higher",
        short="accuracy",
        kind="share",
    ),
    "corrupted.accuracy.drop": Term(
        "Accuracy lost on spoilt inputs",
        "The reference's accuracy minus the candidate's, on the same spoilt rows.",
        "",
        "lower",
        short="drop",
        kind="change",
    ),
    "corrupted.extra_drop": Term(
        "Falls faster by",
        "By how much more than the reference it loses from clean rows to spoilt ones, on average over severities. Above 0 it "
        "falls faster.",
        "",
        "lower",
        short="falls faster",
        kind="change",
    ),
    "explanations": Term("Explanations", "Whether candidate and reference answer for the same reasons."),
    "explanations.agreement": Term(
        "Agreement of reasons",
        "Rank correlation of what hiding each part of an input does to the answer of candidate and reference: 1 is alike.",
        "",
        "higher",
        short="reasons",
    ),
    "shift": Term("Shift", "How far two data sets lie apart, column by column, with what chance alone would do."),
    "shift.columns": Term(
        "Columns that have shifted",
        "How many columns differ between two data sets by more than a customary size and by more than chance makes of as many rows.",
        "columns",
        "lower",
        short="shifted",
    ),
    "shift.psi": Term(
        "Shift of a column",
        "Population stability index: how differently a column's values are spread in two data sets; 0 is alike. By custom, below "
        "0.1 is little and above 0.25 much; its note says what chance alone reaches.",
        "",
        "lower",
        short="PSI",
    ),
    "shift.jensen_shannon": Term(
        "Jensen-Shannon divergence",
        "How differently a column's values are spread in two data sets: from 0 (alike) to 1 bit (nothing in common).",
        "bits",
        "lower",
        short="JS",
    ),
    "shift.mean": Term(
        "Shift of the mean",
        "By how many standard deviations a column's mean is higher in the second data set than in the first.",
        "",
        short="mean shift",
    ),
}
