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
        "row. A budget of 0.03 lets every feature change by 3 % of its range (Linf); one of 2 words lets two words of a text be edited. It "
        "is what these attacks left standing: a "
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
        "The median, over rows that were right, of the smallest change that made the answer wrong, as a share of each feature's range; of text "
        "a number of edits, or their share.",
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
    "certified": Term("Certified", "What is proved, not tried: no change within a distance can move these answers."),
    "certified.accuracy": Term(
        "Certified accuracy",
        "Share of the rows that are right and certified to stay so, whatever is changed within the budget (L2, in shares of each "
        "feature's range). It is proved by votes over noisy copies, and wrong for a row at most as often as `alpha` says; attacks "
        "may leave more standing than is proved.",
        "",
        "higher",
        short="certified",
        kind="share",
    ),
    "certified.radius": Term(
        "Certified radius",
        "The median distance (L2, in shares of each feature's range) within which no change can move a row's right answer; rows that are "
        "wrong, or whose vote is too close, count as 0.",
        "",
        "higher",
        short="radius",
    ),
    "certified.abstained": Term(
        "Votes too close to certify",
        "Share of the rows whose noisy copies don't agree enough to certify anything about them.",
        "",
        "lower",
        short="too close",
        kind="share",
    ),
    "privacy.epsilon": Term(
        "Privacy promised (epsilon)",
        "Whatever one training row is, nothing about the model is more than e^epsilon times as likely with it as without it, but for a chance "
        "of delta (differential privacy). 1 is strong, 8 weak but not nothing. It speaks of rows: of somebody with several it promises less.",
        "",
        "lower",
        short="epsilon",
    ),
    "privacy.delta": Term(
        "Chance that the privacy promised fails (delta)",
        "How likely it may be that a training row shows by more than epsilon says; it should be well below one over the number of rows.",
        "",
        "lower",
        short="delta",
    ),
    "attack.example": Term(
        "What fooled it",
        "An input that was answered rightly, and what it was changed into to be answered wrongly: the smallest changes that were found. "
        "It shows contents of rows, so that a study has to ask for it.",
        short="example",
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
    "poisoning": Term(
        "Poisoned training", "What becomes of a model when somebody changes some of the rows that it is trained on."
    ),
    "poisoning.accuracy": Term(
        "Accuracy of the clean twins",
        "Mean accuracy, over seeds, of models trained here on clean rows, with which their poisoned twins are compared.",
        "",
        "higher",
        short="clean",
        kind="share",
    ),
    "poisoning.accuracy.drop": Term(
        "Accuracy lost to poison",
        "By how much less accurate models are that were trained with so large a share of poisoned rows than their clean twins from the same seeds.",
        "",
        "lower",
        short="lost",
        kind="change",
    ),
    "poisoning.success": Term(
        "Answers that the trigger gets",
        "Of rows of other classes, how many get the wanted answer once the trigger is on them, by models trained with so large a share of "
        "poisoned rows; share 0: by clean models, which is what the trigger does without poison.",
        "",
        "lower",
        short="obeys",
        kind="share",
    ),
    "poisoning.run": Term(
        "A training of a twin", "What became of a training that couldn't be carried through.", short="training"
    ),
}
