"""Glossary: a private model on private rows."""

from __future__ import annotations

from seatrial.contracts.terms import Term

PARTIES: dict[str, Term] = {
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
        short="found",
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
