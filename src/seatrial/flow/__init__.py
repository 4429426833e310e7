"""The spine, one file a step: read, plan, measure, keep, decide, publish; study.py runs the six."""
