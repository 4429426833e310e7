"""What all agree on: frozen data and small protocols. No input or output, no framework.

study.py      what the user asks                 candidate.py  one way to run one model
finding.py    one number somebody can rely on    verdict.py    what the requirements make of the findings
dossier.py    all that a report may read         part.py       what a part's file declares
values.py     what goes in and out of models     artefact.py   a model's files and their lineage
rows.py       roles of rows                      events.py     when things happened while it ran
quantity.py   a number with its unit             protocols.py  what each kind of part offers
trusted.py    types that can run no code         damage.py     how bad inputs get
messages.py   orders to a worker                 plan.py       what would run
progress.py   what a run tells its watcher       record.py     the base of all records
"""
