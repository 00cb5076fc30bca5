"""What is bought, when it is ordered, what it costs to own or rent, and what else could have been taken."""

from __future__ import annotations

import re
from typing import Any

import polars as pl
import pytest

import toolkit
from toolkit.errors import ScenarioError
from toolkit.projection.result import Projection

WHOLE: dict[str, Any] = {
    "name": "whole", "horizon_months": 24, "dataset": {"like": "datacomp_medium"},
    "growth": {"kind": "exponential", "yearly_factor": 2},
    "training": {"model": "vit_l16", "epochs": 40, "deadline": "7 days", "batch_per_accelerator": 128},
    "inference": {"model": "retinanet", "accelerator": "l4", "requests_per_s": 900, "latency_p99": "60 ms"},
    "prices": {"node": "300000 USD", "switch": "30000 USD"},
    "network": {"nic": "ndr_400g", "switch": "qm9700_64x400g", "fabric_link": "400 GB/s"},
}  # fmt: skip


def asked(**parts: Any) -> Projection:
    changed = {name: WHOLE.get(name, {}) | part if isinstance(part, dict) else part for name, part in parts.items()}
    found: Projection = toolkit.project(WHOLE | changed, draws=100)
    return found


@pytest.fixture(scope="module")
def whole() -> Projection:
    return asked()


def test_more_is_bought_than_budgeted_and_ordered_before_it_is_needed(whole: Projection) -> None:
    plan = whole.plan.frame
    assert plan["needed_by_month"].unique().to_list() == [
        month for month in plan["needed_by_month"].unique().to_list() if month % 3 == 0
    ]
    assert (plan["order_by_month"] <= plan["needed_by_month"]).all()
    drives = plan.filter(pl.col("phase") == "storage")
    assert drives["count"].sum() >= whole.frame.filter(pl.col("quantity") == "storage.drive_count")["p90"].max()
    assert drives["budget_count"].sum() < drives["count"].sum()
    assert whole.plan.total_budget_usd < whole.plan.total_price_usd
    later = drives.filter(pl.col("needed_by_month") >= 3)
    assert (later["needed_by_month"] - later["order_by_month"] == 2).all()
    first = plan.filter((pl.col("needed_by_month") == 0) & (pl.col("phase") == "training"))
    assert all("ordered now, it comes at month 6" in reason for reason in first["reason"])


def test_racks_and_links_are_whole_and_follow_the_nodes(whole: Projection) -> None:
    plan = whole.plan.frame
    nodes = plan.filter(pl.col("item").str.contains("node of"))["count"].sum()  # spare ones too
    racks = plan.filter(pl.col("item").str.starts_with("rack"))["count"].sum()
    assert nodes > 5
    assert racks == -(-nodes // 5)  # 8 x 700 W + 2 kW, 40 kW in a rack
    assert plan.filter(pl.col("item").str.contains("QM9700"))["count"].sum() >= 1
    assert plan.filter(pl.col("item").str.contains("NDR"))["count"].sum() >= nodes - 1
    narrow = asked(site={"rack_power": "10 kW"}).plan.frame
    assert narrow.filter(pl.col("item").str.starts_with("rack"))["count"].sum() == nodes


def test_what_else_could_be_taken_is_told_with_why_it_was_not(whole: Projection) -> None:
    listed = whole.plan.alternatives
    chosen = listed.filter(pl.col("is_chosen"))
    assert chosen["name"].to_list() == ["nvme_gen4_7.68tb", "h100_sxm", "l4"]
    assert set(chosen["verdict"]) == {"chosen"}
    verdicts = {(row["phase"], row["name"]): row["verdict"] for row in listed.iter_rows(named=True)}
    assert verdicts["training", "l4"].startswith("rejected: too little memory")
    assert re.match(r"(rejected|cheaper): [\d.]+ times the price", verdicts["training", "a100_sxm_80gb"])
    assert verdicts["storage", "nvme_gen5_7.68tb"].startswith("rejected: 1.3 times the price")
    assert "needs input" in verdicts["training", "h200_sxm"]
    tight = asked(inference={"latency_p99": "8 ms"}).plan.alternatives
    slow = tight.filter((pl.col("phase") == "inference") & (pl.col("name") == "orin_agx_64gb"))["verdict"][0]
    assert slow == "rejected: too slow: one answer takes longer than 8 ms"


def test_the_alternatives_survive_a_file_and_older_files_have_none(whole: Projection) -> None:
    facts = whole.to_dict()
    assert Projection.from_dict(facts).plan.alternatives.equals(whole.plan.alternatives)
    del facts["plan"]["alternatives"], facts["plan"]["frame"]["budget_usd"]
    older = Projection.from_dict(facts).plan
    assert older.alternatives.is_empty()
    assert older.frame["budget_usd"].null_count() == older.frame.height > 0


def test_owning_adds_up_and_is_told_beside_rent(whole: Projection) -> None:
    parts = ("monthly_capital", "support", "tier")
    owned = toolkit.project(WHOLE | {"growth": {}, "training": WHOLE["training"] | {"epochs": 400}}, draws=1)
    total = sum(owned.value(f"cost.{part}_usd") for part in parts) + owned.value("training.electricity_usd")
    assert owned.value("cost.owned_usd") == pytest.approx(total)
    assert owned.value("training.node_count") > 1  # one node alone needs no switch
    nodes = owned.value("training.node_count") + owned.value("training.spare_node_count")
    capital = nodes * 300_000 + owned.value("storage.drive_count") * 768 + owned.value("network.switch_count") * 30_000
    capital += owned.value("site.rack_count") * 5_000
    assert owned.value("cost.capital_usd") == pytest.approx(capital)
    assert owned.value("cost.owned_so_far_usd") == pytest.approx(25 * owned.value("cost.owned_usd"))
    assert owned.value("cost.breakeven_share") == pytest.approx(owned.value("cost.owned_usd") / owned.value("cost.held_usd"))
    unknown = toolkit.project(WHOLE | {"prices": {}}, draws=5)
    for name in ("cost.owned_usd", "cost.breakeven_share"):
        no_switch = toolkit.project(WHOLE | {"prices": {"node": "300000 USD"}}, draws=5).frame.filter(pl.col("quantity") == name)
        assert no_switch["p50"].null_count() == no_switch.height
        rows = unknown.frame.filter(pl.col("quantity") == name)
        assert rows["p50"].null_count() == rows.height


def test_rented_tiers_are_priced_by_what_lies_in_them() -> None:
    rented = toolkit.project(WHOLE | {"storage": {"shared_tier": "s3_standard", "archive_tier": "s3_deep_archive"}}, draws=1)
    for role, price in (("shared", 0.023), ("archive", 0.00099)):
        stored = rented.value(f"storage.{role}_tier_bytes")
        assert rented.value(f"cost.{role}_tier_stored_usd") == pytest.approx(stored / 1e9 * price, rel=1e-6)
    assert rented.value("cost.tier_usd") == pytest.approx(
        rented.value("cost.shared_tier_usd") + rented.value("cost.archive_tier_usd")
    )


def test_a_model_that_is_split_holds_less_and_sends_more() -> None:
    training = {"model": "clip_vit_h14", "epochs": 40, "deadline": "7 days", "batch_per_accelerator": 64}
    plain, tensor, both = (
        asked(training=training | split) for split in ({}, {"tensor_count": 4}, {"tensor_count": 4, "pipeline_count": 4})
    )
    held = [found.value("training.device_state_bytes") for found in (plain, tensor, both)]
    assert held == pytest.approx([held[0], held[0] / 4, held[0] / 16])
    assert both.value("training.gpu_count") % 16 == 0
    assert both.value("training.gpu_count") > tensor.value("training.gpu_count")  # stages wait for each other
    assert tensor.value("network.pipeline_bytes") == 0 < both.value("network.pipeline_bytes")
    # 32 layers, four all-reduces each, 2 (t - 1) / t of 64 x 257 tokens of 1280 at two bytes
    assert tensor.value("network.tensor_bytes") == pytest.approx(32 * 4 * 1.5 * 64 * 257 * 1280 * 2)
    with pytest.raises(ScenarioError, match=r"'training.tensor_count': ResNet-50.*cannot be split"):
        asked(training={"model": "resnet50", "tensor_count": 2})
    with pytest.raises(ScenarioError, match=r"'training.pipeline_count' \('64'\): .* has 32 layers"):
        asked(training=training | {"pipeline_count": 64})


def test_ways_to_use_more_data_stand_side_by_side(whole: Projection) -> None:
    exponents = dict(whole.doubling.select("resource", "exponent").iter_rows())
    said = dict(whole.doubling.select("resource", "why").iter_rows())
    for what, same, epochs, optimal in (
        ("devices", 0, 1, 2), ("energy of a month", 0, 1, 2), ("checkpoint bytes", 0, 0, 1), ("drives", 1, 1, 1),
    ):  # fmt: skip
        for regime, expected in (("same samples seen", same), ("same epochs", epochs), ("compute-optimal", optimal)):
            assert exponents[f"{what}, {regime}"] == pytest.approx(expected, abs=0.3), (
                what,
                regime,
            )  # many devices cost each other
    assert said["energy of a month, compute-optimal"].startswith("more than doubles: ")
    assert said["checkpoint bytes, same epochs"].startswith("stays: ")
    assert said["copying to another site"].startswith("doubles: ")
    assert said["time between checkpoints"].startswith("shrinks: ")


def test_the_power_of_a_site_binds_from_a_month_on_and_says_how_many_devices_fit() -> None:
    found = asked(site={"power_limit": "160 kW"})
    rows = found.bottlenecks.filter((pl.col("phase") == "site") & (pl.col("resource") == "power"))
    assert rows.height == len(found.months)
    passed = rows.filter(pl.col("load_share") > 1)["month"].min()
    assert isinstance(passed, int)
    assert passed > 0
    flag = next(flag for flag in found.flags if flag.startswith("the site's power"))
    assert f"is passed from month {passed} on" in flag
    limit, taken = 160_000.0, found.value("site.power_w", 24)
    parts = [found.value(name, 24) for name in ("training.power_w", "inference.power_w", "site.drives_w")]
    assert taken == pytest.approx(sum(parts), rel=0.05)
    fit, planned = found.value("site.training_device_count", 24), found.value("training.gpu_count", 24)
    assert 0 < fit < planned
    assert fit == pytest.approx((limit - parts[1] - parts[2]) / (parts[0] / planned), rel=0.05)
    assert f"{fit:,.0f} of {planned:,.0f} training devices fit" in flag
    assert found.value("site.shortage_share", 24) > 0.5


def test_a_site_with_power_enough_raises_no_flag_and_devices_at_the_edge_take_none_of_it() -> None:
    roomy = asked(site={"power_limit": "10 MW"})
    assert not [flag for flag in roomy.flags if "site's power" in flag]
    assert (roomy.bottlenecks.filter(pl.col("phase") == "site")["load_share"] < 0.1).all()
    edge = asked(site={"power_limit": "10 MW"}, inference={"placement": "edge"})
    assert edge.value("site.power_w", 0) < roomy.value("site.power_w", 0)
    assert "site.inference_device_count" not in edge.frame["quantity"].unique().to_list()


EDGE: dict[str, Any] = {"model": "retinanet", "accelerator": "orin_agx_64gb", "streams": 40, "frames_per_s": 15,
                        "latency_p99": "200 ms", "max_batch": 4, "stream_rate": "4 Mb/s", "placement": "edge"}  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"device_power_limit": "90 W"}, "fits at the edge; "),
        ({"device_power_limit": "40 W"}, "does not fit at the edge from month 0 on: power (60 W of 40 W"),
        ({"device_power_limit": "90 W", "uploaded": 1, "uplink_limit": "10 MB/s"}, "does not fit at the edge from month 0 on: uplink (20"),
        ({"device_power_limit": "90 W", "uploaded": 0.1, "uplink_limit": "10 MB/s"}, "fits at the edge; "),
        ({"uploaded": 0.1}, "Not judged, needs input: inference.device_power_limit, inference.uplink_limit."),
    ],
)  # fmt: skip
def test_whether_a_device_fits_at_the_edge_is_one_answer_with_what_binds(limits: dict[str, Any], said: str) -> None:
    found = toolkit.project({"name": "e", "horizon_months": 6, "dataset": {"images": 1e6, "image_size": "100 kB"},
                             "inference": EDGE | limits}, draws=50)  # fmt: skip
    assert said in found.plan.edge_fit
    assert Projection.from_dict(found.to_dict()).plan.edge_fit == found.plan.edge_fit
    assert "Served elsewhere, the streams would take 20" in found.plan.edge_fit
    if "does not fit" in said:
        assert f"Inference: {'uplink' if 'uplink' in said else 'device power'} is what limits" in found.plan.bottleneck


def test_what_outgrows_the_uplink_does_not_fit_from_that_month_on_and_a_data_center_is_not_asked() -> None:
    asked_for = {"name": "e", "horizon_months": 12, "dataset": {"images": 1e6, "image_size": "100 kB"}}
    limits = {"device_power_limit": "90 W", "uploaded": 1, "uplink_limit": "30 MB/s", "yearly_factor": 4}
    growing = toolkit.project(asked_for | {"inference": EDGE | limits}, draws=20).plan.edge_fit
    assert "does not fit at the edge from month 4 on: uplink" in growing  # 20 MB/s x 4 ^ (month / 12) > 30 MB/s
    away = toolkit.project(asked_for | {"inference": EDGE | limits | {"placement": "datacenter"}}, draws=20)
    assert away.plan.edge_fit == ""
    assert away.value("inference.sent_bytes_per_s", 0) == pytest.approx(20e6)


def test_bursts_take_more_instances_for_the_same_requests(whole: Projection) -> None:
    bursty = asked(inference={"arrival_variation_factor": 6})
    assert bursty.value("inference.instance_count", 24) > whole.value("inference.instance_count", 24)
    assert bursty.value("inference.capacity_per_s", 0) < whole.value("inference.capacity_per_s", 0)
