"""Each question of training and of serving has a section of its own: an answer, numbers with units, or what the scenario lacks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import reporting_facts as facts

import toolkit
from toolkit.projection.result import Projection
from toolkit.reporting.blocks import Prose, Section, Table
from toolkit.reporting.linking import linked
from toolkit.reporting.page import render
from toolkit.reporting.sections_projection import projection_sections
from toolkit.reporting.subjects import Subjects
from toolkit.reporting.topics_inference import INFERENCE_TOPICS
from toolkit.reporting.topics_training import TRAINING_TOPICS
from toolkit.reporting.vocabulary import QUANTITY_WORDS

SCENARIOS = Path(__file__).parents[2] / "sample_data" / "scenarios"
TOPICS = (*TRAINING_TOPICS, *INFERENCE_TOPICS)
STORE: dict[str, Any] = {"name": "store", "dataset": {"images": 10_000, "image_size": "100 kB"}, "horizon_months": 6}


@pytest.fixture(scope="module")
def edge() -> Projection:
    return toolkit.project(SCENARIOS / "edge_cameras.yaml", draws=30)


@pytest.fixture(scope="module")
def team() -> Projection:
    return toolkit.project(SCENARIOS / "vision_team_100tb.yaml", draws=30)


def _words(section: Section) -> str:
    tables = [block for block in section.blocks if isinstance(block, Table)]
    cells = [cell.text for table in tables for row in table.rows for cell in row]
    prose = [block.text for block in section.blocks if isinstance(block, Prose)]
    return " ".join([section.lead, *prose, *cells])


def test_every_question_is_a_section_with_an_answer_and_numbers_with_units(edge: Projection) -> None:
    sections = projection_sections(edge)
    for topic in TOPICS:
        section = sections[topic.name]
        assert section.title == topic.title
        assert section.short == topic.short
        assert section.lead.endswith("."), topic.name
        assert re.search(r"\d", section.lead) or topic.name == "sharing", (topic.name, section.lead)
        tables = [block for block in section.blocks if isinstance(block, Table)]
        assert any(len(table.rows) >= 2 for table in tables), topic.name
        assert "Needs input" not in _words(section), topic.name
        for table in tables:
            assert all(len(row) == len(table.columns) for row in table.rows), topic.name


def test_the_answers_are_the_numbers_of_the_projection(edge: Projection) -> None:
    sections = projection_sections(edge)
    instances, streams = (edge.value(f"inference.{name}") for name in ("instance_count", "streams_per_device_count"))
    assert f"{streams:.0f} on a device, {instances:.0f} devices" in sections["streams"].lead
    assert "fits at the edge" in sections["edge"].lead
    assert "Every stream is taken to be always on" in _words(sections["streams"])
    assert "200 ms allowed" in sections["latency-power"].lead
    assert "needs input: a price of the device" in sections["nodes"].lead
    formats = next(b for b in sections["formats"].blocks if isinstance(b, Table) and b.caption.startswith("Number formats"))
    by_name = {row[0].text: row for row in formats.rows}
    assert {"fp32", "bf16", "fp8"} <= by_name.keys()
    assert by_name["bf16"][0].below == "projected"
    assert "8 bits of significand" in by_name["bf16"][3].text


def test_what_the_scenario_does_not_say_needs_input(team: Projection) -> None:
    sections = projection_sections(team)
    assert "inference.streams" in _words(sections["streams"])
    assert "inference.placement: edge" in _words(sections["edge"])
    assert "video clips" in sections["moving"].lead
    assert "tonnage measure --only compute" in _words(sections["formats"])
    assert "tonnage measure --only contention" in _words(sections["sharing"])


def test_a_part_that_is_left_out_is_one_calm_section_with_what_each_question_needs() -> None:
    sections = projection_sections(toolkit.project(STORE, draws=10))
    assert {"batches", "moving", "no-training", "no-inference"} <= sections.keys()
    assert not {"nodes", "streams", "edge"} & sections.keys()
    assert "dataset.components" in sections["moving"].lead
    said = _words(sections["no-inference"])
    for topic in INFERENCE_TOPICS:
        assert topic.title in said
    assert "needs input: inference.streams" in said
    page = render(Subjects(projections=(toolkit.project(STORE, draws=10),)))
    assert '<li class="group">Inference</li>' in page
    assert 'href="#no-inference"' in page


def test_the_contents_name_each_question_under_its_part(edge: Projection) -> None:
    page = render(Subjects(projections=(edge,)))
    contents = page[page.index("<nav") : page.index("</nav>")]
    groups = re.findall(r'<li class="group">([^<]+)', contents)
    assert groups == ["Plan", "Ahead", "Training", "Inference", "How sure"]
    training, inference = contents.index(">Training<"), contents.index(">Inference<")
    for topics, start, end in ((TRAINING_TOPICS, training, inference), (INFERENCE_TOPICS, inference, len(contents))):
        for topic in topics:
            assert start < contents.index(f'href="#{topic.name}"') < end, topic.name


@pytest.mark.parametrize(("cores_per_node", "verdict"), [(192, "the cores keep up"), (8, "the devices wait for the cores")])
def test_whether_cores_keep_up_is_told_by_the_rates_beside_it(cores_per_node: int, verdict: str) -> None:
    asked = {"epochs": 30, "deadline": "1 day", "accelerator_count": 8, "cores_per_node": cores_per_node}
    images = {"images": 3e7, "image_size": "100 kB", "kept": 1.0}
    found = toolkit.project({"name": "c", "horizon_months": 6, "dataset": images, "training": asked}, draws=20)
    keeps_up = found.value("training.decode_images_per_s") >= found.value("training.rate_images_per_s")
    assert keeps_up == (verdict == "the cores keep up")
    assert verdict in projection_sections(found)["cores"].lead


def test_what_was_measured_of_formats_and_sharing_stands_beside_what_is_projected(edge: Projection) -> None:
    conditions = {"operation": "matmul", "library": "numpy", "device": "cpu", "precision": "float32", "size": 1024}
    run = facts.measurements(
        facts.measurement("compute.rate", "Rate", "flop_per_s", 9e10, conditions=conditions),
        facts.measurement("compute.error", "Error", "ratio", 3e-7, conditions=conditions),
        facts.measurement("contention.loss", "Loss", "share", 0.42, conditions={"load": "disk"}),
    )
    sections = projection_sections(edge, "", (run,))
    assert "matrix multiplication, in 32-bit floats, sides of 1024" in _words(sections["formats"])
    assert "90 GFLOP/s" in _words(sections["formats"])
    assert "3e-07" in _words(sections["formats"]).lower().replace("0.0000003", "3e-07")
    assert "beside a load on the disk" in _words(sections["sharing"])
    assert "42 %" in _words(sections["sharing"])
    page = render(Subjects(projections=(edge,), measurements=(run,)))
    for place in (0, 2):
        assert page.count(f'href="#why-measured-{place}"') >= 2, "beside what is projected, and among the rates"
        assert page.count(f'id="why-measured-{place}"') == 1


def test_every_quantity_and_resource_that_a_question_lists_is_one_that_projections_name(
    edge: Projection, team: Projection
) -> None:
    resources = {(row["phase"], row["resource"]) for made in (edge, team) for row in made.bottlenecks.iter_rows(named=True)}
    for topic in TOPICS:
        names = topic.quantities if not callable(topic.quantities) else ()
        assert [name for name in (*names, *topic.told) if name not in QUANTITY_WORDS] == [], topic.name
        phase, wanted = topic.loads or ("", ())
        assert [name for name in wanted if (phase, name) not in resources and name != "uplink"] == [], topic.name


def test_numbers_in_sentences_are_linked_whole_and_only_with_their_unit() -> None:
    links = {"9.81 TB": "why-a", "81 TB": "why-b", "2": "why-c", "<b> GB": "why-d"}
    assert str(linked("From 9.81 TB to 19.81 TB in 2.", links)).count("<a ") == 1
    assert str(linked("x <b> GB", links)) == 'x <a class="why" href="#why-d">&lt;b&gt; GB</a>'
    assert str(linked("1 < 2", {})) == "1 &lt; 2"
