"""One file for each figure of a report, found by its name: nothing to register.

A file has `ORDER`, its place in a report from the top, and yields `Section`s from `of_runs(runs)`,
for figures of all runs, from `of_run(run)`, for figures of each run, or from both. Its `draw` takes
plain data and returns a matplotlib Figure, or None where there is nothing to draw. A **record** is
the evaluation of one run, as `evaluation.json` holds it.
"""
