"""Glossary: what is wrong with the data."""

from __future__ import annotations

from seatrial.contracts.terms import Term

DATA: dict[str, Term] = {
    "audit": Term("Audit of the data", "What was looked for in the rows that the proof rests on."),
    "audit.rows": Term("Rows looked at", "Rows of a table that audits read.", "rows", short="rows"),
    "audit.unread": Term("Columns that could not be read", "Their cells are of a kind that no audit knows.", "columns", "lower", short="unread"),
    "audit.serious": Term(
        "Serious faults of the data",
        "Audits that found, in a table, something because of which figures mean less than they seem to, or that mustn't be there. "
        "`at_most` with a bound of 0 demands a clean audit.",
        "results", "lower", short="serious",
    ),
    "audit.minor": Term("Minor faults of the data", "Audits that found, in a table, something worth a look.", "results", "lower", short="minor"),
    "audit.duplicates": Term("Copies of rows", "Rows that are equal to an earlier one in every column. They count twice in every average.", "rows", "lower", short="copies"),
    "audit.duplicates.share": Term("Share of copies", "Of all rows.", "", "lower", short="copies", kind="share"),
    "audit.duplicates.different": Term("Rows that stand more than once", "Different rows, each counted once.", "rows", "lower", short="repeated"),
    "audit.duplicates.conflicting": Term(
        "Equal rows with different labels", "Rows that are equal in everything but the label: at least one label of each is wrong, or the columns can't tell.", "rows", "lower", short="conflicting"
    ),
    "audit.near_duplicates": Term("Rows nearly alike", "Rows that differ from an earlier one by rounding or spelling alone.", "rows", "lower", short="near"),
    "audit.near_duplicates.text": Term("Texts nearly alike", "Texts that share most of their runs of three words with an earlier one.", "rows", "lower", short="near texts"),
    "audit.near_duplicates.image": Term("Pictures nearly alike", "Pictures that are an earlier one, brightened, resized or packed again.", "rows", "lower", short="near pictures"),
    "audit.imbalance": Term("Rows of the rarest class", "What is said of a class rests on its own rows, however many others there are.", "rows", short="rarest"),
    "audit.imbalance.ratio": Term("Imbalance of classes", "Rows of the most frequent class for each row of the rarest.", "", "lower", short="ratio"),
    "audit.imbalance.effective": Term("Effective rows, by class", "As many rows, equally shared by the classes, would say as much.", "rows", "higher", short="effective"),
    "audit.imbalance.effective_weight": Term("Effective rows, by weight", "As many rows of equal weight would say as much.", "rows", "higher", short="by weight"),
    "audit.imbalance.effective_group": Term("Effective rows, by group", "As many independent rows would say as much, given how alike rows of a group are.", "rows", "higher", short="by group"),
    "audit.outliers": Term("Rows with outliers", "Rows with a number so far from the others of its column that it hardly belongs to them.", "rows", "lower", short="outliers"),
    "audit.outliers.column": Term("Outliers of a column", "Cells beyond where the column's tail would reach.", "cells", "lower", short="outliers"),
    "audit.missingness": Term("Missing cells", "Cells that hold nothing.", "cells", "lower", short="missing"),
    "audit.missingness.column": Term("Missing cells of a column", "Cells that hold nothing, or a word that means nothing.", "cells", "lower", short="missing"),
    "audit.missingness.words": Term("Words that mean nothing", "Cells with a word such as NA, ? or unknown.", "cells", "lower", short="empty words"),
    "audit.missingness.tells_label": Term("A gap that tells the label", "How strongly being missing goes with the label, from 0 (not at all) to 1.", "", "lower", short="tells label"),
    "audit.mixed_types": Term("Columns of mixed kinds", "Columns of text with numbers and words in them, or dates written in several ways.", "columns", "lower", short="mixed"),
    "audit.mixed_types.cells": Term("Cells of the rarer kind", "Cells of another kind than most of their column.", "cells", "lower", short="rarer kind"),
    "audit.mixed_types.spellings": Term("Cells in another spelling", "Words that are a more frequent one but for case and spaces.", "cells", "lower", short="spellings"),
    "audit.impossible_values": Term("Impossible values", "Cells beyond what can be, and numbers that stand for what isn't known.", "cells", "lower", short="impossible"),
    "audit.impossible_values.column": Term("Impossible values of a column", "Cells beyond what the column's name or the stated range allows.", "cells", "lower", short="impossible"),
    "audit.units": Term("Columns in two units", "Numbers in two heaps that are a factor between units apart.", "columns", "lower", short="units"),
    "audit.units.cells": Term("Cells in the rarer unit", "Cells in the smaller heap.", "cells", "lower", short="rarer unit"),
    "audit.constant_columns": Term("Constant columns", "Columns with one value alone.", "columns", "lower", short="constant"),
    "audit.constant_columns.nearly": Term("Columns nearly constant", "Columns in which at most one cell in ten thousand differs.", "columns", "lower", short="nearly constant"),
    "audit.constant_columns.copies": Term("Copies of columns", "Columns that are equal to an earlier one, cell by cell.", "columns", "lower", short="copied columns"),
    "audit.encoding_faults": Term("Cells with faults of encoding", "Text that was read in another encoding than it was written in, or with characters that don't belong there.", "cells", "lower", short="encoding"),
    "audit.encoding_faults.kind": Term("Faults of encoding of a column", "Cells with one kind of fault.", "cells", "lower", short="encoding"),
    "audit.sensitive_columns": Term("Sensitive columns", "Columns that decisions mustn't rest on: named by the study, or by what they are called.", "columns", short="sensitive"),
    "audit.sensitive_columns.proxy": Term("Proxy of a sensitive column", "How strongly a column tells a sensitive one, from 0 (not at all) to 1 (wholly).", "", "lower", short="proxy"),
    "audit.sensitive_columns.label": Term("Label and sensitive column", "How strongly the label goes with a sensitive column, from 0 to 1.", "", "lower", short="with label"),
    "audit.personal_data": Term("Cells with personal data", "E-mail addresses, telephone, card, account and national numbers, IP addresses: counted, never shown.", "cells", "lower", short="personal"),
    "audit.personal_data.kind": Term("Personal data of a kind", "Cells of a column with one kind of personal data.", "cells", "lower", short="personal"),
    "audit.personal_names": Term("Cells with names of people", "As a language model finds them: counted, never shown.", "cells", "lower", short="names"),
    "audit.personal_names.kind": Term("Names and places of a column", "Cells of a column with one kind of name.", "cells", "lower", short="names"),
}  # fmt: skip
