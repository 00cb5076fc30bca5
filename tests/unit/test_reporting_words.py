"""Words for people: no dotted or underscored name reaches a reader."""

from __future__ import annotations

from pathlib import Path

import pytest

import toolkit
from toolkit.projection.result import Projection
from toolkit.reporting.vocabulary import QUANTITY_WORDS
from toolkit.reporting.wording import quantity_words

SCENARIOS = sorted((Path(__file__).parents[2] / "sample_data/scenarios").glob("*.yaml"))


@pytest.fixture(scope="module", params=SCENARIOS, ids=lambda path: path.stem)
def projection(request: pytest.FixtureRequest) -> Projection:
    import reporting_facts as facts

    return toolkit.project(request.param, facts.profile(), draws=20)


def test_every_quantity_and_input_of_every_example_has_words_of_its_own(projection: Projection) -> None:
    names = {*projection.explanations, *projection.assumptions["name"], *projection.frame["quantity"]}
    assert len(names) > 50
    unnamed = {name for name in names if name not in QUANTITY_WORDS and "component." not in name}
    assert unnamed == set()
    assert [name for name in names if set(quantity_words(name)) & set("_.")] == []


def test_values_of_inputs_are_shown_in_units_that_people_know(projection: Projection) -> None:
    shown = projection.assumptions["shown"].to_list()
    assert [text for text in shown if "_" in text or "exponent" in text or "index" in text] == []


def test_two_quantities_never_share_their_words() -> None:
    words = list(QUANTITY_WORDS.values())
    assert sorted(word for word in set(words) if words.count(word) > 1) == []
