"""Figures are drawn under the settings of a report."""

import pytest

from kdjax.plots.drawing import style


@pytest.fixture(autouse=True)
def _styled():
    with style.styled():
        yield
