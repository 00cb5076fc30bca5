"""What the sliders show is what a projection of the changed scenario finds: each position held against one made afresh."""

from __future__ import annotations

import base64
import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import toolkit
from toolkit.projection.result import Projection
from toolkit.projection.uncertainty import Given
from toolkit.projection.what_if import what_if
from toolkit.reporting.page import render
from toolkit.reporting.sections_what_if import what_if_facts
from toolkit.reporting.subjects import Subjects
from toolkit.reporting.topics_inference import INFERENCE_TOPICS
from toolkit.reporting.topics_training import TRAINING_TOPICS

SCENARIOS = Path(__file__).parents[2] / "sample_data" / "scenarios"
ERASURE = {1.0: {"kind": "none"}, 1.5: {"kind": "erasure", "data": 4, "parity": 2}, 3.0: {"kind": "replicas", "copies": 3}}


@pytest.fixture
def certain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every input at its median, as the sliders have those that are not moved: no spread is left between the two."""
    monkeypatch.setattr(Given, "draw", lambda self, _, count: np.full((count, 1), self.value))


def scenario_of(name: str) -> dict[str, Any]:
    facts: dict[str, Any] = yaml.safe_load((SCENARIOS / f"{name}.yaml").read_text(encoding="utf-8"))
    facts["dataset"].setdefault("image_size", "110 kB")
    return facts


def project(facts: dict[str, Any]) -> Projection:
    return toolkit.project(facts, draws=2)


def shown(projection: Projection, moved: dict[str, float]) -> dict[str, float]:
    """Return what the page's script shows once the sliders named stand at the values given."""
    found = what_if(projection)
    assert found is not None
    facts = what_if_facts(found)
    places = [given["base"] for given in facts["inputs"]]
    for place, given in enumerate(found.inputs):
        if given.name in moved:
            distances = [abs(stop - moved[given.name]) for stop in given.stops]
            places[place] = distances.index(min(distances))
            assert given.stops[places[place]] == pytest.approx(moved[given.name])
    values = {}
    for output in facts["outputs"]:
        index = 0
        for on in output["on"]:
            index = index * len(facts["inputs"][on]["stops"]) + places[on]
        values[output["name"]] = output["values"][index]
    return values


@pytest.mark.parametrize("name", ["lab_one_node", "vision_team_100tb"])
@pytest.mark.parametrize("position", range(4))
@pytest.mark.usefixtures("certain")
def test_a_position_shows_what_a_fresh_projection_finds(name: str, position: int) -> None:
    facts = scenario_of(name)
    base = project(facts)
    copies = (1.0, 1.5, 3.0, 3.0)[position]
    epochs, days = facts["training"]["epochs"] * (0.5, 2, 1.5, 3)[position], 14 * (0.5, 1, 2, 3)[position]
    moved = {"storage.protection_factor": copies, "training.epoch_count": epochs, "training.deadline_s": days * 86_400.0}
    changed = scenario_of(name)
    changed["storage"]["protection"] = ERASURE[copies]
    changed["training"] |= {"epochs": int(epochs), "deadline": f"{days} days"}
    if changed["growth"]["kind"] == "linear":
        moved["growth.factor"] = (0.25, 1.5, 2.0, 4.0)[position]
        changed["growth"]["images_per_month"] *= moved["growth.factor"]
    fresh, table = project(changed), shown(base, moved)
    assert len(table) >= 5
    for quantity, value in table.items():
        if value is not None:
            whole = 1 if quantity.endswith("_count") else 0  # rounded up from two sides of a whole number
            assert fresh.value(quantity) == pytest.approx(value, rel=0.01, abs=whole), quantity


@pytest.mark.usefixtures("certain")
def test_the_sliders_stand_after_the_doubling_and_before_the_assumptions() -> None:
    page = render(Subjects(projections=(project(scenario_of("lab_one_node")),)))
    places = [page.index(f'<section id="{name}"') for name in ("costs", "doubling", "what-if", "assumptions")]
    assert places == sorted(places)
    assert 'id="surface-sliders"' in page


@pytest.mark.usefixtures("certain")
def test_numbers_of_every_section_lead_to_how_they_are_made() -> None:
    page = render(Subjects(projections=(project(scenario_of("lab_one_node")),)))
    topics = [topic.name for topic in (*TRAINING_TOPICS, *INFERENCE_TOPICS)]
    for section in ("answer", "plan", "growth", "load", "doubling", "sensitivity", *topics):
        start = page.index(f' id="{section}"')
        assert 'href="#why-' in page[start : page.index("<section", start)], section
    (packed,) = re.findall(r'<script type="text/plain">([^<]+)</script>', page)
    surface = gzip.decompress(base64.b64decode(packed)).decode()
    assert '"why":"why-storage-capacity-bytes"' in surface
    links = set(re.findall(r'href="#(why-[^"]+)"', page)) | set(re.findall(r'"why":"(why-[^"]+)"', surface))
    assert sorted(link for link in links if f'id="{link}"' not in page) == []
