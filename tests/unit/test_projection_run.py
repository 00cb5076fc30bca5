"""A projection end to end: what it says, why, and that it says the same again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conftest import SAMPLE

import toolkit
from toolkit.errors import MissingError, ScenarioError, TonnageError, UsageError
from toolkit.projection.explain import EVIDENCE, Explanation
from toolkit.projection.result import Projection
from toolkit.projection.scenario import load_scenario
from toolkit.reporting.page import render
from toolkit.reporting.subjects import Subjects
from toolkit.terminal import show_projection

TEAM = SAMPLE / "scenarios" / "vision_team_100tb.yaml"
SMALL: dict[str, Any] = {
    "name": "small", "horizon_months": 12, "dataset": {"images": 1e6, "image_size": "100 kB", "kept": 1.0},
    "growth": {"kind": "exponential", "yearly_factor": 2, "uncertainty": 0}, "training": {"epochs": 10, "deadline": "1 day"},
    "inference": {"requests_per_s": 5000},
}  # fmt: skip


def changed(**parts: dict[str, Any]) -> dict[str, Any]:
    """Return the small scenario with keys changed, part by part."""
    return SMALL | {name: SMALL.get(name, {}) | part for name, part in parts.items()}


@pytest.fixture(scope="module")
def team() -> Projection:
    return toolkit.project(TEAM, draws=400)


@pytest.fixture(scope="module")
def small() -> Projection:
    return toolkit.project(SMALL, draws=200)


def test_the_present_is_what_was_stated(small: Projection) -> None:
    assert small.value("dataset.images", 0) == 1e6
    assert small.value("dataset.image_bytes", 0) == 1e11
    assert small.value("dataset.images", 12) == pytest.approx(2e6)
    assert small.value("storage.raw_bytes", 0) == 1e11


@pytest.mark.parametrize("percentile", ["p10", "p50", "p90"])
def test_a_low_a_middle_and_a_high_value_are_in_order_everywhere(team: Projection, percentile: str) -> None:
    assert team.frame.filter((pl.col("p10") > pl.col("p50")) | (pl.col("p50") > pl.col("p90"))).is_empty()
    assert team.frame.filter(pl.col("quantity") == "storage.capacity_bytes")[percentile].is_sorted()


def test_the_parts_of_storage_add_up_to_the_capacity(small: Projection) -> None:
    certain = toolkit.project(SMALL | {"growth": {}}, draws=1)
    names = ("logical", "protection", "filesystem", "headroom")
    assert sum(certain.value(f"storage.{name}_bytes") for name in names) == pytest.approx(certain.value("storage.capacity_bytes"))


def test_equal_seeds_give_equal_projections_and_others_do_not(small: Projection) -> None:
    uncertain = changed(growth={"uncertainty": 0.3})
    one, two, other = (toolkit.project(uncertain, draws=50, seed=seed) for seed in (1, 1, 2))
    assert one.to_dict() == two.to_dict()
    assert not one.frame.equals(other.frame)


def test_a_projection_survives_a_file(team: Projection, tmp_path: Path) -> None:
    read = Projection.load(team.save(tmp_path / "deep" / "p.json"))
    assert read.to_dict() == team.to_dict()
    assert str(read.explain("training.gpu_count", 6)) == str(team.explain("training.gpu_count", 6))
    assert pl.read_parquet(tmp_path / "deep" / "p.parquet").equals(team.frame)
    assert json.loads((tmp_path / "deep" / "p.json").read_text())["schema"] == "tonnage.projection/1"


def leaves(node: Explanation) -> list[Explanation]:
    return [node] if not node.inputs else [leaf for part in node.inputs for leaf in leaves(part)]


def test_every_number_can_be_asked_why_down_to_sourced_leaves(team: Projection) -> None:
    for quantity in team.frame["quantity"].unique():
        why = team.explain(quantity)
        assert why.formula
        assert why.source
        for leaf in leaves(why):
            assert leaf.source
            assert leaf.evidence in EVIDENCE
    drawn = str(team.explain("storage.capacity_bytes", 12))
    assert drawn.splitlines()[0].startswith("storage.capacity_bytes = ")
    assert "dataset.images" in drawn
    assert "(as above)" in drawn


def test_what_cannot_be_asked_is_one_sentence(small: Projection) -> None:
    with pytest.raises(UsageError, match=r"did you mean storage\.capacity_bytes"):
        small.explain("storage.capacity")
    with pytest.raises(UsageError, match="month 99 is not projected; the months are 0 to 12"):
        small.explain("dataset.images", 99)
    with pytest.raises(UsageError, match="is an input, not a result"):
        small.value("start.images")


def test_an_unknown_price_is_unknown_and_never_nothing(team: Projection) -> None:
    nodes = team.plan.frame.filter(pl.col("item").str.contains("node of"))
    assert nodes["price_usd"].null_count() == nodes.height > 0
    assert "NVIDIA L4 24 GB" in team.plan.unpriced_items
    assert "Prices needed from you" in team.plan.summary
    unknown = toolkit.project(changed(training={"accelerator": "l40s"}), draws=20)
    cost = unknown.frame.filter(pl.col("quantity") == "training.cost_usd")
    assert cost["p50"].null_count() == cost.height
    price = unknown.assumptions.filter(pl.col("name") == "price.device_usd_per_s")
    assert (price["value"][0], price["shown"][0]) == (None, "needs input")
    known = toolkit.project(changed(training={"accelerator": "l40s"}, prices={"accelerator_hour": "1 USD"}), draws=20)
    assert known.value("training.cost_usd") > 0


def test_the_plan_buys_whole_units_that_hold_the_90th_percentile(team: Projection) -> None:
    plan = team.plan.frame
    assert (plan["count"] == plan["count"].round()).all()
    for item, quantity in (
        ("NVMe", "storage.drive_count"),
        ("node of", "training.node_count"),
        ("spare node of", "training.spare_node_count"),
        ("NVIDIA L4", "inference.instance_count"),
    ):
        bought = plan.filter(pl.col("item").str.starts_with(item))["count"].sum()
        needed = team.frame.filter(pl.col("quantity") == quantity)["p90"].max()
        assert bought == needed


def test_doubling_says_where_it_doubles_and_where_not(small: Projection) -> None:
    exponents = dict(small.doubling.select("resource", "exponent").iter_rows())
    assert exponents["copying to another site"] == pytest.approx(1)
    assert exponents["training, same samples seen"] == 0
    assert exponents["training, compute-optimal"] == pytest.approx(2)
    assert exponents["checkpoint"] == 0
    assert exponents["near duplicates, all pairs"] == pytest.approx(2)
    assert 0.9 < exponents["drives"] <= 1


def test_a_cliff_is_called_one_and_no_verdict_contradicts_its_reason() -> None:
    # 1 M images of 100 kB are 100 GB, and a node's memory holds 256 GB of them: at four times the data it no longer does
    found = toolkit.project(changed(dataset={"images": 1e6}, growth={"kind": "none"}), draws=5).doubling
    told = {row["resource"]: row for row in found.iter_rows(named=True)}
    reads = told["reads during a run"]
    assert [reads[scale] > 0 for scale in ("x1", "x2", "x4", "x8")] == [False, False, True, True]
    assert reads["exponent"] is None
    assert reads["why"].startswith("begins: memory answers all reads up to 2 times the data; ")
    assert told["ingest"]["why"] == "stays at nothing: nothing comes in"
    grown = toolkit.project(changed(training={"epochs": 3000}), draws=5).doubling
    told = {row["resource"]: row for row in grown.iter_rows(named=True)}
    assert told["ingest"]["why"].startswith("doubles: what comes in is taken to be more")
    for row in told.values():
        assert not (row["why"].startswith(("less than", "stays")) and "fail more often" in row["why"]), row
    law = told["error of a contrastive model, over that now"]
    assert law["x2"] == pytest.approx(0.926, abs=0.001)


def test_reads_jump_where_the_data_outgrows_memory() -> None:
    within = toolkit.project(changed(dataset={"images": 1e6}, growth={"kind": "none"}), draws=1)
    beyond = toolkit.project(changed(dataset={"images": 8e6}, growth={"kind": "none"}), draws=1)
    assert within.value("bandwidth.epoch_read_bytes_per_s") == 0
    assert beyond.value("bandwidth.epoch_read_bytes_per_s") > 0


def test_halving_the_deadline_takes_about_twice_the_devices() -> None:
    long = toolkit.project(changed(training={"epochs": 300, "deadline": "4 days"}), draws=1)
    short = toolkit.project(changed(training={"epochs": 300, "deadline": "2 days"}), draws=1)
    assert short.value("training.gpu_count") == pytest.approx(2 * long.value("training.gpu_count"), abs=1)


def test_shared_machines_take_more_devices() -> None:
    alone = toolkit.project(changed(training={"epochs": 900}), draws=1).value("training.gpu_count")
    shared = toolkit.project(changed(training={"epochs": 900, "dedicated": False}), draws=1).value("training.gpu_count")
    assert shared == pytest.approx(alone / 0.7, abs=1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("gone", [{"steps": {0: -1_000_000}}, {"retention": "1 month"}])
def test_a_dataset_that_is_deleted_takes_nothing_and_warns_of_nothing(gone: dict[str, Any]) -> None:
    left = toolkit.project(SMALL | {"growth": gone | {"uncertainty": 0}}, draws=5)
    for quantity in ("dataset.images", "training.elapsed_s", "bandwidth.curation_bytes_per_s"):
        assert left.value(quantity) == 0, quantity


def test_a_hundred_million_streams_that_come_and_go_are_placed_at_once() -> None:
    many = toolkit.project(SMALL | {"inference": {"streams": 10**8, "blocked": "1 %"}}, draws=2)
    assert many.value("inference.place_count") == 99_000_100  # what is carried, and a hundred idle places


def test_exclusive_streams_are_not_split_over_devices() -> None:
    streams = toolkit.project(SMALL | {"inference": {"streams": 1000, "frames_per_s": 30}}, draws=50)
    per_device = streams.explain("inference.instance_count")
    assert "streams per device" in per_device.formula
    assert streams.value("inference.latency_p99_s") <= 0.05
    more = toolkit.project(SMALL | {"inference": {"streams": 2000, "frames_per_s": 30}}, draws=50)
    assert more.value("inference.instance_count") > streams.value("inference.instance_count")


def test_storage_alone_can_be_asked() -> None:
    only = toolkit.project({key: SMALL[key] for key in ("name", "dataset")} | {"horizon_months": 6}, draws=5)
    assert only.bottlenecks.is_empty()
    assert "only storage is sized" in only.plan.bottleneck
    assert set(only.plan.frame["phase"]) == {"storage"}


@pytest.mark.parametrize(
    ("scenario", "fragment"),
    [
        ({}, "'name' is missing"),
        ({"name": "x"}, "the scenario states no 'dataset.images'"),
        ({"name": "x", "dataset": {"images": 5}}, "the scenario states no 'dataset.image_size'"),
        ({"name": "x", "horizonn_months": 3}, "did you mean 'horizon_months'?"),
        ({"name": "x", "horizon_months": 0}, "'horizon_months' ('0')"),
        ({"name": "x", "horizon_months": 1.5}, "'horizon_months'"),
        ({"name": "x", "storage": {"medium": "floppy"}}, "'storage.medium' ('floppy'): is not a known medium; there are"),
        ({"name": "x", "storage": {"headroom": "120 %"}}, "'storage.headroom'"),
        ({"name": "x", "storage": {"supply": "fast"}}, "'storage.supply' ('fast')"),
        ({"name": "x", "storage": {"protection": {"kind": "raid"}}}, "'storage.protection.kind' ('raid')"),
        ({"name": "x", "storage": {"protection": {"parity": -1}}}, "'storage.protection.parity' ('-1')"),
        ({"name": "x", "training": {"deadline": "90 bananas"}}, "'training.deadline': '90 bananas'"),
        ({"name": "x", "training": {"deadline": "-1 day"}}, "'training.deadline'"),
        ({"name": "x", "training": {"epochs": 3, "samples_seen": 4}}, "give epochs or samples_seen, not both"),
        ({"name": "x", "training": {"model": "resnet"}}, "'training.model' ('resnet'): is not a known model"),
        ({"name": "x", "training": {"accelerator": "gpu"}}, "is not a known accelerator"),
        ({"name": "x", "training": {"precision": "bf17"}}, "'training.precision' ('bf17')"),
        ({"name": "x", "training": {"optimiser": "sgd"}}, "did you mean 'optimizer'?"),
        ({"name": "x", "growth": {"kind": "linear"}}, "growth of kind 'linear' needs images_per_month"),
        ({"name": "x", "growth": {"kind": "logistic", "yearly_factor": 2}}, "needs ceiling_images"),
        ({"name": "x", "growth": {"kind": "exponential"}}, "needs a yearly_factor above 1"),
        ({"name": "x", "growth": {"kind": "wild"}}, "'growth.kind' ('wild')"),
        ({"name": "x", "inference": {}}, "give requests_per_s or streams"),
        ({"name": "x", "inference": {"requests_per_s": 5, "streams": 2}}, "give requests_per_s or streams"),
        ({"name": "x", "network": {"node_link": "100 GB"}}, "'network.node_link'"),
        ({"name": "x", "prices": {"electricity": "12 cents"}}, "'prices.electricity'"),
        (changed(inference={"latency_p99": "1 us"}), "takes longer than that for a single resnet50"),
        (changed(inference={"accelerator": "a100_sxm_80gb", "precision": "fp8"}), "has no rate for fp8"),
        (changed(training={"accelerator": "t4", "model": "vit_b16"}), "has no rate for bf16"),
    ],
)
def test_a_bad_scenario_is_one_sentence_that_names_the_key(scenario: dict[str, Any], fragment: str) -> None:
    with pytest.raises(TonnageError) as caught:
        toolkit.project(scenario, draws=2)
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_files_that_are_no_scenario_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="there is no scenario at"):
        load_scenario(tmp_path / "none.yaml")
    for name, content, fragment in (
        ("a.yaml", "a: [", "is not valid .yaml"),
        ("b.json", "{", "is not valid .json"),
        ("c.yaml", "- 1", "no mapping"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(ScenarioError, match=fragment):
            load_scenario(tmp_path / name)
    with pytest.raises(UsageError, match="draws must be 1 or more"):
        toolkit.project(SMALL, draws=0)
    with pytest.raises(MissingError, match="there are no measurements at"):
        toolkit.project(SMALL, measurements=tmp_path / "none.json")


def test_what_rests_on_a_price_that_nobody_gave_needs_input_in_every_table(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = toolkit.project(changed(training={"accelerator": "l40s"}), draws=20)
    show_projection(unknown, is_whole=True)
    printed = capsys.readouterr().out
    assert "unknown" not in printed
    assert "needs input" in next(line for line in printed.splitlines() if "training.cost_usd" in line)
    assert "unknown" not in render(Subjects(projections=(unknown,))).split("<script")[0]


def test_what_comes_in_whole_units_is_told_in_whole_units(team: Projection) -> None:
    whole = team.frame.filter(pl.col("quantity").is_in(["training.gpu_count", "network.leaf_count", "storage.drive_count"]))
    for percentile in ("p10", "p50", "p90"):
        assert (whole[percentile] == whole[percentile].round()).all()
