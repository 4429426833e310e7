"""Formulas: pure functions on numpy arrays and counts, with no I/O and no state, each with its source.

interval.py       the shape of every uncertain number
distributions.py  beta, Student t, binomial, chi-square and normal without scipy
proportions.py    a share of rows: Wilson, Clopper-Pearson
paired.py         a variant against its reference on the same rows: Tango, McNemar, rows needed
percentiles.py    percentiles of latency: one definition, upper bounds over rounds that differ
ratios.py         paired ratios of few rounds
stopping.py       looking more than once without fooling oneself
classes.py        accuracy, precision, recall, F1 from a confusion matrix
losses.py         log-loss, Brier, KL, top-k, and the mean of a skewed loss
robustness.py     accuracy on corrupted rows, and whether a candidate falls farther than its reference
shift.py          how far two data sets lie apart
flat_buffer.py    a reader of flat buffers, as far as models need it
"""
