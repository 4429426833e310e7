"""The command line: `seatrial COMMAND`.

main.py     the application, and what becomes of errors     run.py     run, plan, gate
start.py    init                                            kept.py    runs, report, clean
look.py     parts, explain, doctor                          progress.py  what a run shows while it runs
compare.py  compare

Files with an underscore hold what the commands print (`_out`), explain (`_explain`, `_fields`) and find out (`_machine`).
"""
