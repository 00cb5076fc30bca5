"""Words for people: no dotted or underscored name reaches a reader."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

import toolkit
from toolkit.projection.result import Projection
from toolkit.reporting.answer import answer_of_projection
from toolkit.reporting.blocks import Table, text_rows
from toolkit.reporting.counted import how_counted
from toolkit.reporting.figures_projection import projection_figures
from toolkit.reporting.sections_assumptions import assumptions_section
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


def test_the_answer_names_things_and_no_keys(projection: Projection) -> None:
    answer = answer_of_projection(projection)
    said = dict(answer.points)
    assert not re.search(r"\b[a-z]+\.[a-z]+_[a-z_]+", " ".join([answer.headline, answer.lead, *said.values()]))
    first = projection.plan.frame.filter(pl.col("needed_by_month") <= 0)["item"][0]
    assert said["When"].startswith("Now: ")
    assert first in said["When"]


def test_devices_are_told_with_the_nodes_that_the_plan_buys(projection: Projection) -> None:
    facts_of = answer_of_projection(projection).facts
    assert facts_of is not None
    nodes = projection.plan.frame.filter(pl.col("item").str.starts_with("node of "))
    for tile in facts_of.items:
        if tile.label == "GPUs for training":
            assert f"; the plan: {nodes['count'].sum():,.0f} \u00d7 {nodes['item'][0]}" in tile.note


def test_nothing_is_called_assumed_and_stated_at_once(projection: Projection) -> None:
    tables = [block for block in assumptions_section(projection, "").blocks if isinstance(block, Table)]
    rows = [row for table in tables for row in table.rows]
    growth = [row for row in rows if row[3].badge == "assumed" and "supposed by the scenario" in row[4].text]
    assert growth
    assert not [row[4].text for row in rows if row[3].badge == "assumed" and row[4].text.startswith("stated in the scenario")]


def test_what_is_counted_in_bytes_is_not_called_drives(projection: Projection) -> None:
    figures = projection_figures(projection)
    for name in ("doubling", "regimes"):
        rows = figures[name].layout.meta["rows"] if name in figures else ()
        assert "Drives" not in rows, name
    assert "Storage capacity" in figures["doubling"].layout.meta["rows"]


def test_the_rest_of_a_table_is_counted_in_plain_words() -> None:
    table = Table(caption="Assumed: 9 inputs", columns=("a",), rows=text_rows([["x"]] * 9), shown_count=3)
    assert [part.caption for part in table.parts] == ["Assumed: 9 inputs", "The other 6 rows"]


def test_how_numbers_are_counted_names_the_dataset_and_no_folder() -> None:
    import dataclasses

    import reporting_facts as facts

    profile = dataclasses.replace(facts.profile(), location="/home/somebody/collection")
    said = [str(cell) for row in how_counted(profile).rows for cell in row]
    assert any(f"{profile.name}, version" in text for text in said)
    assert not [text for text in said if "/home" in text]
