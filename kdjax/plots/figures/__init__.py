"""One file for each figure of a report, found by its name: nothing to register.

A file has `ORDER`, its place in a report from the top. With `HEADING` and `CAPTION` it has
`draw_records(records)`, a figure of all runs, or `draw_record(record)`, a figure of each run. A
file that draws several figures, or more than a record, yields `Section`s from `of_runs(runs)`, from
`of_run(run)`, or from both. Drawing functions take plain data and return a matplotlib Figure, or
None where there is nothing to draw; `style.styled()` surrounds their calls. A **record** is the
evaluation of one run, as `evaluation.json` holds it.
"""
