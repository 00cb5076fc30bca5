"""Several inputs of a projection moved at once in a notebook: the results are those of the formulas, whatever it is called."""

from __future__ import annotations

import dataclasses
import html
import json
import re

import pytest
import reporting_facts as facts

import toolkit
from toolkit.errors import ScenarioError
from toolkit.projection.what_if import what_if
from toolkit.reporting.sliders import Sliders

SMALL = {
    "name": "</script><script>alert(1)</script>\" onload='x'",
    "dataset": {"images": 1000, "image_size": "1 MB"},
    "horizon_months": 6,
}


def test_the_frame_holds_every_combination_that_the_formulas_give() -> None:
    projection = toolkit.project(SMALL, draws=10)
    made = toolkit.sliders(projection)
    found = what_if(projection)
    assert made.found == found
    shown = made._repr_html_()
    (inner,) = re.findall(r'srcdoc="([^"]*)"', shown)
    page = html.unescape(inner)
    (held,) = re.findall(r'<script type="application/json">(.*?)</script>', page)
    outputs = {output["name"]: output for output in json.loads(held)["outputs"]}
    assert found is not None
    for output in found.outputs:
        assert outputs[output.quantity]["values"] == pytest.approx(list(output.values), rel=1e-5)
    assert "alert(1)" not in page
    assert "<script>" not in shown
    assert shown.count("<iframe") == 1
    assert "onload='x'" not in re.sub(r'"[^"]*"', '""', shown)


def test_no_name_in_the_frame_ends_its_script() -> None:
    found = toolkit.sliders(toolkit.project(SMALL, draws=10)).found
    first, *rest = found.outputs
    hostile = dataclasses.replace(found, outputs=(dataclasses.replace(first, quantity=SMALL["name"]), *rest))
    (inner,) = re.findall(r'srcdoc="([^"]*)"', Sliders(name="x", found=hostile)._repr_html_())
    held, _, after = html.unescape(inner).partition('<script type="application/json">')[2].partition("</script>")
    assert json.loads(held)["outputs"][0]["name"] == SMALL["name"]
    assert after.count("<script>") == 1, "the page's own"


def test_a_projection_with_nothing_to_move_is_told_in_a_sentence() -> None:
    with pytest.raises(ScenarioError, match="no growth, protection, epochs or deadline to move"):
        toolkit.sliders(facts.projection())
