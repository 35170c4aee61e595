"""How the accuracy of a network changes from stage to stage."""

from matplotlib.figure import Figure

from kdjax.evaluation.records import Record, histories
from kdjax.plots.drawing import bars

ORDER = 80
HEADING = "Before and after"
CAPTION = "Networks that several stages train, as each stage left them."


def draw_record(record: Record) -> Figure | None:
    """A group of points for each network that several stages train, the first stage's point first.

    Points of later stages print the difference from the stage before.
    """
    drawn = []
    for group, rows in enumerate(histories(record)):
        values = [100 * row.measures["accuracy"] for row in rows]
        for place, row in enumerate(rows):
            bar = bars.accuracy_bar(row, group=group, look=len(rows) - 1 - place)
            if place:
                change = f"{values[place] - values[place - 1]:+.2f}".replace("-", "\N{MINUS SIGN}")
                bar = bar._replace(text=f"{bar.text} ({change} points)")
            drawn.append(bar)
    return bars.draw_accuracies(drawn, [record])
