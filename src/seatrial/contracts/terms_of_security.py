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
    "backdoor": Term(
        "Backdoors", "Whether a small pattern makes the model answer one class whatever else it is shown: a trigger."
    ),
    "backdoor.found": Term(
        "Classes with a suspected backdoor",
        "Classes to which an unusually small pattern carries rows of all other classes, tried on rows that the search hasn't seen. 0 says "
        "that no trigger of the kinds that were looked for was found, not that there is none.",
        "classes",
        "lower",
        short="backdoors",
    ),
    "backdoor.index": Term(
        "How unusually small a trigger is",
        "How many deviations (from the median absolute deviation) the smallest trigger of a class lies below the median of all classes. "
        "Above 2, and at most two fifths of the median in size, it is suspected. Clean models have such an index now and then.",
        "",
        "lower",
        short="index",
    ),
    "backdoor.flips": Term(
        "Rows that a trigger carries over",
        "Of unseen rows that are answered otherwise, the share that the deployed artefact gives to the class once the trigger is on them.",
        "",
        "lower",
        short="carried over",
        kind="share",
    ),
    "backdoor.size": Term(
        "Size of the smallest trigger",
        "How much of the input the smallest pattern covers that carries rows to the class. Every class has one: a large one is nothing unusual.",
        "",
        "higher",
        short="size",
        kind="share",
    ),
}
