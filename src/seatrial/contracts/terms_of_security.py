"""Glossary: how it stands against somebody who means harm."""

from __future__ import annotations

from seatrial.contracts.terms import Term

SECURITY: dict[str, Term] = {
    "attack": Term(
        "Under attack", "What becomes of answers when somebody changes inputs on purpose to make them wrong."
    ),
    "attack.accuracy": Term(
        "Accuracy under attack",
        "Share of the attacked rows that stayed right whatever was tried within the budget; `all` is every attack together, row by "
        "row. A budget of 0.03 lets every feature change by 3 % of its range (Linf). It is what these attacks left standing: a "
        "better attack can only lower it.",
        "",
        "higher",
        short="stands",
        kind="share",
    ),
    "attack.accuracy.drop": Term(
        "Accuracy under attack lost",
        "The reference's accuracy under attack minus the candidate's, on the same rows, by the same attacks and budgets. Below 0 "
        "the candidate stands better.",
        "",
        "lower",
        short="drop",
        kind="change",
    ),
    "attack.smallest": Term(
        "Smallest change that fools",
        "The median, over rows that were right, of the smallest change that made the answer wrong, as a share of each feature's range.",
        "",
        "higher",
        short="smallest",
    ),
    "attack.queries": Term(
        "Answers an attack asked for",
        "How many answers an attack asked for, a row on average: what it would cost somebody, and what a limit on requests would notice.",
        "answers",
        short="asked",
    ),
    "attack.late": Term(
        "Fooled late",
        "Of the rows that an attack newly fooled, the share that fell in the last quarter of its questions. Where that is much, more "
        "patience would fool more.",
        "",
        "lower",
        short="late",
        kind="share",
    ),
    "attack.flag": Term(
        "Sign of a weak attack",
        "A sign that the attacks are weak and not the model strong: no or false slopes, answers by chance, attacks without slopes "
        "that find more. Where one is raised, accuracy under attack says less than it seems to.",
        short="sign",
    ),
    "attack.threat": Term(
        "Who is to be feared",
        "Who attacks, what they want and what they know, as the study states it. It chooses the attacks.",
        short="threat",
    ),
    "secure": Term(
        "Evaluated without showing",
        "A private model on private rows, each staying with its owner: three parties compute on secret shares, and counts alone are opened.",
    ),
    "secure.accuracy": Term(
        "Accuracy, evaluated without showing",
        "Share of the data owner's rows that the model owner's model answers rightly, from the counts that were opened. Nobody saw both.",
        "",
        "higher",
        short="right",
        kind="share",
    ),
    "secure.recall": Term(
        "Recall, evaluated without showing",
        "Share of the rows of a class that were answered with it, from the opened counts.",
        "",
        "higher",
        short="recall",
        kind="share",
    ),
    "secure.correct": Term(
        "Right answers of a class, evaluated without showing",
        "How many rows of a class were answered with it, where its number of rows isn't opened.",
        "rows",
        "higher",
        short="right",
    ),
    "secure.difference": Term(
        "Rows that plain float32 could answer otherwise",
        "At most this share of the rows is counted otherwise than the plain model would: their best two scores lie closer together than "
        "fixed point can move them. The number is opened, and not which rows.",
        "",
        "lower",
        short="uncertain",
        kind="share",
    ),
    "secure.seconds": Term(
        "Time of a secure evaluation", "From the last connection to the last count, at this party.", "s", "lower"
    ),
    "secure.bytes": Term("Bytes of a secure evaluation", "What this party sent to the other two.", "bytes", "lower"),
    "secure.rounds": Term(
        "Messages one after another",
        "The longest chain of messages, each sent after the one before it had come: times the delay of the network, what distance costs.",
        "messages",
        "lower",
        short="rounds",
    ),
    "secure.trust": Term(
        "What a secure evaluation rests on",
        "Whom one has to trust: of three parties at most one may be corrupt, and all follow the protocol. Two who put together what they hold see everything.",
        short="trust",
    ),
}
