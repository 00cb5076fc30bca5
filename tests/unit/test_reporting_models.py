"""A fitted law is drawn with what was measured, its interval, and a shade where the data ends."""

from __future__ import annotations

import dataclasses

import reporting_facts as facts

import toolkit
from toolkit.facts import Model, Prediction


def test_a_law_is_drawn_with_its_interval_and_a_shade_beyond_the_data() -> None:
    said = tuple(
        Prediction(level=level, value=level * 90, low=level * 80, high=level * 100, measured=measured, is_beyond_data=beyond)
        for level, measured, beyond in ((1, 91.0, False), (2, 178.0, False), (4, 365.0, False), (16, None, True))
    )
    law = Model(
        metric="decode.threads",
        title="decode",
        unit="images_per_s",
        law="Amdahl",
        swept="threads",
        conditions={},
        parameters={},
        parameter_intervals={},
        left_out_share={},
        predictions=said,
    )
    found = dataclasses.replace(facts.measurements(), models=(law,))
    figure = toolkit.figures(found)["law-1"]
    assert list(figure.data[2].y) == [91.0, 178.0, 365.0]
    assert list(figure.data[1].y) == [90, 180, 360, 1440]
    assert [(shape.x0, shape.x1) for shape in figure.layout.shapes] == [(4, 16)]
    assert "beyond the data" in figure.layout.title.text
    assert "law-1" not in toolkit.figures(facts.measurements())
