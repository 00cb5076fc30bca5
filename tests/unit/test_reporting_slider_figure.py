"""The figure with sliders for notebooks: every stop is what the formulas say, and what a projection of that scenario says."""

from __future__ import annotations

import math
from typing import Any

import plotly.graph_objects as go
import pytest
import reporting_facts as facts

import toolkit
from toolkit.projection.result import Projection
from toolkit.projection.what_if import WhatIf, WhatIfInput, WhatIfOutput, what_if
from toolkit.units import show

STORED = {
    "name": "stored", "horizon_months": 12, "dataset": {"images": 1_000_000, "image_size": "1 MB"},
    "growth": {"kind": "exponential", "yearly_factor": 2, "uncertainty": 0.1},
    "storage": {"protection": {"kind": "replicas", "copies": 2}},
}  # fmt: skip
TRAINED = STORED | {"training": {"model": "resnet50", "accelerator": "l40s", "epochs": 20, "deadline": "14 days"}}


@pytest.fixture(scope="module")
def trained() -> Projection:
    return toolkit.project(TRAINED, draws=50)


def sliders(projection: Projection) -> tuple[go.Figure, WhatIf]:
    found = what_if(projection)
    assert found is not None
    return toolkit.figures(projection)["what-if"], found


def shown_at(figure: go.Figure, slider: int, stop: int) -> dict[str, Any]:
    """Return value and text of each row at a stop."""
    (change, traces) = figure.layout.sliders[slider].steps[stop].args
    assert list(traces) == [0]
    names = figure.layout.meta["rows_of"]
    return dict(zip(names, zip(change["customdata"][0], change["text"][0], change["x"][0], strict=True), strict=True))


def test_every_stop_is_what_the_formulas_say(trained: Projection) -> None:
    figure, found = sliders(trained)
    assert len(figure.layout.sliders) == len(found.inputs) == 4
    for place, given in enumerate(found.inputs):
        assert [step.label for step in figure.layout.sliders[place].steps][given.base_index]
        assert figure.layout.sliders[place].active == given.base_index
        for stop, wanted in enumerate(given.stops):
            for quantity, (value, text, ratio) in shown_at(figure, place, stop).items():
                said = found.value(quantity, **{given.name.replace(".", "_"): wanted})
                assert ratio == pytest.approx(said / found.value(quantity), rel=1e-9)
                unit = next(output.unit for output in found.outputs if output.quantity == quantity)
                wanted_value = trained.value(quantity) * ratio
                assert value == pytest.approx(math.ceil(wanted_value - 1e-9) if unit == "count" else wanted_value, rel=1e-9)
                assert text.startswith(show(value, unit))


@pytest.mark.parametrize(
    ("name", "stop", "other", "quantities"),
    [
        ("storage.protection_factor", 3.0, {"storage": {"protection": {"kind": "replicas", "copies": 3}}},
         ["storage.capacity_bytes", "storage.drive_count", "training.elapsed_s"]),
        ("training.epoch_count", 40.0, {"training": TRAINED["training"] | {"epochs": 40}},
         ["storage.capacity_bytes", "training.elapsed_s"]),
    ],
)  # fmt: skip
def test_a_stop_agrees_with_the_projection_of_that_scenario(
    trained: Projection, name: str, stop: float, other: dict[str, Any], quantities: list[str]
) -> None:
    figure, found = sliders(trained)
    place = [given.name for given in found.inputs].index(name)
    again = toolkit.project(TRAINED | other, draws=50)
    shown = shown_at(figure, place, found.inputs[place].stops.index(stop))
    for quantity in quantities:
        assert shown[quantity][0] == pytest.approx(again.value(quantity), rel=0.01), quantity


def test_one_slider_is_seen_at_a_time_and_the_menu_puts_all_back(trained: Projection) -> None:
    figure, found = sliders(trained)
    assert [slider.visible for slider in figure.layout.sliders] == [True, False, False, False]
    (menu,) = figure.layout.updatemenus
    for place, button in enumerate(menu.buttons):
        change, layout = button.args
        assert change["x"] == [[1.0] * len(found.outputs)]
        assert [layout[f"sliders[{i}].visible"] for i in range(4)] == [i == place for i in range(4)]
        assert [layout[f"sliders[{i}].active"] for i in range(4)] == [given.base_index for given in found.inputs]


def test_a_result_that_is_nothing_now_is_shown_as_it_becomes(trained: Projection, monkeypatch: pytest.MonkeyPatch) -> None:
    given = WhatIfInput(name="storage.protection_factor", unit="ratio", stops=(1.0, 2.0, 3.0), base_index=0)
    output = WhatIfOutput(quantity="storage.capacity_bytes", unit="bytes", depends_on=(0,), values=(0.0, 5e12, math.nan))
    found = WhatIf(month=trained.months[-1], inputs=(given,), outputs=(output,))
    monkeypatch.setattr("toolkit.reporting.figures_sliders.what_if", lambda projection: found)
    figure = toolkit.figures(trained)["what-if"]
    assert [shown_at(figure, 0, stop)["storage.capacity_bytes"] for stop in (1, 2)] == [
        (5e12, "5 TB", None),
        (None, "unknown", None),
    ]


def test_nothing_to_change_or_an_older_file_has_no_such_figure() -> None:
    assert "what-if" not in toolkit.figures(facts.projection())
    assert all(math.isfinite(x) for x in sliders(toolkit.project(STORED, draws=10))[0].data[0].x)
