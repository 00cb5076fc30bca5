"""Every figure of a page says where its numbers come from, and each heading of a figure that is explained leads there."""

from __future__ import annotations

import re

import reporting_everything as everything
import reporting_facts as facts

from toolkit.reporting.evidence import Gallery
from toolkit.reporting.page import charts_of, render
from toolkit.reporting.sources import source_of
from toolkit.reporting.subjects import subjects_of


def test_every_figure_says_where_its_numbers_come_from() -> None:
    charts = charts_of(subjects_of(everything.subjects(), Gallery()))
    assert len(charts) > 40
    assert [name for name, chart in charts.items() if not chart.source] == []
    assert charts["funnel"].source == "Counted in the dataset 'flowers', version 2."
    assert charts["rates"].source == "Measured on bench-1, 2026-02-01 11:00 UTC."
    assert charts["growth"].source.startswith(
        "Projected by formulas from 4 inputs: 1 measured, 1 published, 1 vendor and 1 assumed"
    )


def test_the_line_stands_in_the_page_and_names_are_only_text() -> None:
    page = render(subjects_of((facts.profile(name=facts.HOSTILE),), Gallery()))
    lines = re.findall(r'<p class="source">(.*?)</p>', page, re.DOTALL)
    assert len(lines) == page.count("<figure ")
    assert all("<" not in line for line in lines)
    assert source_of(3) == ""
