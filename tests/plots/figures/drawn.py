"""What a reader can see of a figure, measured by drawing it."""

from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from kdjax.plots.drawing import style


def visible(figure):
    """Texts that are shown, with their boxes in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            slack = 1e-6 * (high - low)
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low - slack <= tick.get_loc() <= high + slack:
                    hidden |= {id(tick.label1), id(tick.label2)}
    return [
        # An annotation's own extent would count its line.
        (text, Text.get_window_extent(text, canvas.get_renderer()))
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and id(text) not in hidden
    ]


def words(figure):
    return [text.get_text() for text, _ in visible(figure)]


def assert_readable(figure):
    """No text leaves the figure, covers another, or is too small; it is as wide as a page."""
    assert figure.get_figwidth() == style.WIDTH
    texts = visible(figure)
    assert texts
    for text, box in texts:
        assert text.get_fontsize() >= style.SMALL, text
        assert box.x0 >= -0.5, text
        assert box.y0 >= -0.5, text
        assert box.x1 <= figure.bbox.width + 0.5, text
        assert box.y1 <= figure.bbox.height + 0.5, text
    for (one, first), (other, second) in combinations(texts, 2):
        wide = min(first.x1, second.x1) - max(first.x0, second.x0)
        tall = min(first.y1, second.y1) - max(first.y0, second.y0)
        # Boxes have room for accents and descenders; a pixel and a half of it may be shared.
        assert min(wide, tall) < 1.5, (one.get_text(), other.get_text(), wide, tall)


def bars(axes):
    """Ends of the bars, or of what is points in their place, from the top."""
    points = [line for line in axes.lines if len(line.get_xdata()) == 1]
    if points:
        return [float(line.get_xdata()[0]) for line in points]
    return [patch.get_x() + patch.get_width() for patch in axes.patches]


def whiskers(axes):
    """Their ends, from the top."""
    return [tuple(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2]


def tick_names(axis):
    return [label.get_text() for label in axis.get_ticklabels()]
