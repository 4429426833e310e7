"""What findings on the origin of data, on features, and on values online and offline are called, for people."""

from __future__ import annotations

from seatrial.contracts.terms import Term

PROVENANCE: dict[str, Term] = {
    "data": Term("Data", "What can be said of a data set as a whole."),
    "data.content": Term(
        "Content of the data",
        "The hash of all values of a data set, by column: the same however the rows are stored (files, row groups, compression, "
        "format), another as soon as one value differs.",
        short="content",
    ),
    "data.approved": Term(
        "Data as approved",
        "Whether the data set holds the very rows that were approved, by their content hash.",
        "",
        "higher",
        short="approved",
    ),
    "lineage": Term("Lineage", "Where data comes from, as its owner states it in `lineage.yaml`."),
    "lineage.description": Term("What the rows are", "What a row is and what the rows are for, as their owner states."),
    "lineage.owner": Term("Owner of the data", "Who answers for the data."),
    "lineage.version": Term("Version of the data", "As its owner counts."),
    "lineage.files": Term(
        "Source files", "Whether the files that the rows were made from are those that are stated, by their hashes."
    ),
    "lineage.queries": Term("Queries", "Queries that fetched the rows."),
    "lineage.transformations": Term("Transformations", "What was done to the rows, in order."),
    "lineage.collection": Term("Collection", "How, when and where the rows were collected, and by whom."),
    "lineage.population": Term("Population", "Whom or what the rows stand for, and whom they leave out."),
    "lineage.labelling": Term("Labelling", "Who gave the labels, and by which instructions."),
    "lineage.licence": Term("Licence of the data", "Under which licence the rows may be used."),
    "lineage.consent": Term("Consent", "What the people in the rows agreed to, or on what other ground they are used."),
    "lineage.personal": Term("Personal data, as stated", "Which personal data the owner says is in the rows."),
    "lineage.retention": Term("Retention", "How long the rows are kept, and who deletes them."),
    "lineage.funding": Term("Funding of the data", "Who paid for the rows."),
    "lineage.review": Term(
        "Review of the data", "Whether its ethics were reviewed, and how people can have their rows taken out."
    ),
    "lineage.distribution": Term("Distribution of the data", "To whom the rows are given, and how."),
    "lineage.maintenance": Term("Maintenance of the data", "Who mends and renews the rows, and where faults are told."),
    "lineage.not_for": Term("Not fit for", "Uses that the rows are not fit for."),
    "lineage.privacy_tests": Term(
        "Tests of privacy", "Whether it may be tried what a model tells of these rows, as their owner states."
    ),
    "lineage.stated": Term(
        "Lineage stated",
        "How many of the fields that a data sheet must have its owner has filled in.",
        "fields",
        "higher",
        short="stated",
    ),
    "lineage.overdue": Term(
        "Deletion overdue", "Days since the day after which the rows must be gone.", "days", "lower", short="overdue"
    ),
    "feature": Term("Feature", "What is stated of a feature, and what it is worth to the model."),
    "feature.importance": Term(
        "Importance of a feature",
        "By how much the model's loss rises when a feature tells of another row. Features that go together are looked at together.",
        "",
        "higher",
        short="importance",
    ),
    "feature.stability": Term(
        "Stability of a feature",
        "In which share of resamples of the rows its importance is more than the study asks.",
        "",
        "higher",
        short="stability",
        kind="share",
    ),
    "feature.redundancy": Term(
        "Redundancy of a feature",
        "Its highest rank correlation with a feature that isn't looked at together with it: from 0 to 1.",
        "",
        "lower",
        short="redundancy",
    ),
    "feature.missing": Term(
        "Missing values of a feature",
        "Share of its values that are missing.",
        "",
        "lower",
        short="missing",
        kind="share",
    ),
    "feature.association": Term(
        "What a feature tells alone",
        "How well it tells the label all by itself: 1 is wholly. A feature near 1 may hold the answer, and not be known in time.",
        short="alone",
    ),
    "feature.cost": Term(
        "Cost of a feature", "What it costs for a thousand answers, as stated.", "", "lower", short="costs"
    ),
    "feature.kept": Term(
        "Feature kept", "Whether a feature is kept, by the criteria that the study states.", "", "higher", short="kept"
    ),
    "features": Term("Features together", "What the model's answers are worth with the features that were chosen."),
    "features.loss": Term(
        "Loss with all features",
        "The reference's mean loss on rows that nothing was chosen on: log-loss, the share that is wrong, or the absolute error.",
        "",
        "lower",
        short="loss",
    ),
    "features.refitted.loss": Term(
        "Loss of the model fitted anew with the chosen features",
        "Fitted anew to the training rows, in which dropped features hold one value; on rows that nothing was chosen on.",
        "",
        "lower",
        short="fitted anew",
    ),
    "features.refitted.rise": Term(
        "What dropping features costs a model that is fitted anew",
        "By how much more the loss is than that of the same model fitted anew with all features.",
        "",
        "lower",
        short="fitted anew rise",
    ),
    "features.quality": Term(
        "Quality with the chosen features",
        "A metric of the model with the chosen features alone, fitted anew where it can be; `.drop` is by how much worse than with all.",
        short="with chosen",
    ),
    "features.loss.rise": Term(
        "Loss without what was dropped",
        "By how much the loss rises on rows that nothing was chosen on, when dropped features say their middle value. A model trained "
        "anew without them usually loses less.",
        "",
        "lower",
        short="rise",
    ),
    "feature.version": Term("Version of a feature", "As stated in the study."),
    "feature.owner": Term("Owner of a feature", "Who answers for it, as stated in the study."),
    "feature.approval": Term("Approval of a feature", "Who approved it and when, as stated in the study."),
    "skew": Term(
        "Skew", "Whether two data sets (features offline and online) say the same of the same things, row by row."
    ),
    "skew.rows": Term(
        "Rows that differ",
        "Share of the rows of both data sets, matched by a key, in which a column says something else: a model that is served other values "
        "than it was trained on isn't the model that was tested.",
        "",
        "lower",
        short="differ",
        kind="share",
    ),
    "skew.largest": Term(
        "Largest difference", "How far apart a number lies at most in two data sets.", "", "lower", short="largest"
    ),
    "skew.unmatched": Term(
        "Rows without a partner", "Rows whose key only one of two data sets has.", "rows", "lower", short="unmatched"
    ),
}
