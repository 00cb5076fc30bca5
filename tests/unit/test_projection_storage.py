"""Storage: what a deadline needs of it, what the drives that are bought give, stripes that are whole, tiers that are paid once."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from conftest import SAMPLE

import toolkit
from toolkit.projection import storage
from toolkit.projection.givens_keys import KEY_OF, origin_of
from toolkit.projection.result import Projection
from toolkit.projection.scenario import Scenario

DISKS: dict[str, Any] = {
    "name": "disks", "horizon_months": 3, "dataset": {"images": 1e8, "image_size": "1 MB", "kept": 1.0, "quarantined": 0},
    "storage": {"medium": "hdd_24tb"}, "training": {"epochs": 1, "deadline": "1 day", "memory_per_node": "64 GB"},
}  # fmt: skip


def asked(**parts: Any) -> Projection:
    changed = {name: DISKS.get(name, {}) | part if isinstance(part, dict) else part for name, part in parts.items()}
    found: Projection = toolkit.project(DISKS | changed, draws=1)
    return found


@pytest.fixture(scope="module")
def disks() -> Projection:
    return asked()


def test_storage_must_deliver_what_the_deadline_needs_and_not_what_the_devices_could_eat() -> None:
    slow, quick = asked(training={"deadline": "2 days"}), asked(training={"deadline": "1 day"})
    for found, days in ((slow, 2), (quick, 1)):
        needed = 1e8 / (days * 86_400)
        assert found.value("training.required_images_per_s") == pytest.approx(needed)
        read = needed * 1e6 * (1 - found.value("cache.hit_share"))
        assert found.value("bandwidth.epoch_read_bytes_per_s") == pytest.approx(read)
        assert found.value("bandwidth.appetite_bytes_per_s") > read  # whole devices take in more than they have to
    assert slow.value("training.gpu_count") == quick.value("training.gpu_count") == 1


def test_an_archive_that_is_read_in_time_is_not_called_short_of_bandwidth() -> None:
    found = toolkit.project(SAMPLE / "scenarios" / "medical_archive.yaml", draws=50)
    loads = found.bottlenecks.filter(pl.col("resource") == "storage bandwidth")
    assert found.value("training.elapsed_s", 0) < 21 * 86_400
    assert (loads.filter(pl.col("month") == 0)["load_share"] < 1).all()
    # where the supply is stated, no drives are bought beyond it: capacity decides
    by_capacity = math.ceil(found.value("storage.capacity_bytes", 0) / 24e12)
    assert found.value("storage.drive_count", 0) == pytest.approx(by_capacity, abs=1)


def test_what_is_bought_is_what_delivers(disks: Projection) -> None:
    drives, supply = disks.value("storage.drive_count"), disks.value("bandwidth.storage_supply_bytes_per_s")
    demand = disks.value("bandwidth.storage_demand_bytes_per_s")
    assert drives * 0.26e9 > demand  # not every drive gives its whole rate through a filesystem
    assert demand <= supply <= drives * 0.26e9
    assert disks.value("training.elapsed_s") <= 86_400
    linked = asked(network={"node_link": "2 Gb/s"})
    assert linked.value("bandwidth.storage_supply_bytes_per_s") == pytest.approx(
        linked.value("training.node_count") * 0.25e9 * 0.92, rel=0.1
    )


def test_checkpoints_are_written_to_and_read_from_all_drives_together(disks: Projection) -> None:
    size = disks.value("training.checkpoint_bytes")
    assert disks.value("training.restore_s") == pytest.approx(size / disks.value("bandwidth.storage_supply_bytes_per_s"))
    assert disks.value("training.checkpoint_s") == pytest.approx(size / disks.value("bandwidth.storage_write_bytes_per_s"))
    assert disks.value("bandwidth.storage_write_bytes_per_s") > 0.26e9
    more = asked(dataset={"images": 1e9})
    assert more.value("training.checkpoint_s") < disks.value("training.checkpoint_s")


@pytest.mark.parametrize(
    ("protection", "least"),
    [({"kind": "erasure", "data": 8, "parity": 2}, 10), ({"kind": "replicas", "copies": 3}, 3), ({"kind": "none"}, 1)],
)
def test_a_stripe_needs_as_many_drives_as_it_has_pieces(protection: dict[str, Any], least: int) -> None:
    small = {"name": "small", "horizon_months": 1, "dataset": {"images": 1000, "image_size": "100 kB"}}
    found = toolkit.project(small | {"storage": {"protection": protection}}, draws=1)
    assert found.value("storage.drive_count") == least
    assert found.plan.frame.filter(pl.col("phase") == "storage")["count"].sum() == least
    whole = toolkit.project(small | {"storage": {"protection": protection, "medium": "ddn_ai400x2t"}}, draws=1)
    assert whole.value("storage.drive_count") == (3 if protection["kind"] == "replicas" else 1)  # stripes lie inside a system


def test_small_files_under_an_erasure_code_pay_for_pieces_that_are_not_full() -> None:
    found = asked(dataset={"image_size": "10 kB"}, training=None, storage={"medium": "nvme_gen4_7.68tb"})
    files = found.value("storage.raw_file_count")
    coded = float(storage.erasure_coded_bytes(10e3, 8.0, 2.0, 4096.0))
    assert coded == 40_960
    padded = coded - (10e3 + 2048 + 256) * 1.25
    assert found.value("storage.padding_bytes") == pytest.approx(files * padded, rel=1e-6)
    packed = asked(dataset={"image_size": "10 kB"}, training=None, storage={"raw_as_files": False})
    assert packed.value("storage.padding_bytes") == 0
    assert packed.value("storage.capacity_bytes") < found.value("storage.capacity_bytes")


def test_a_default_that_nobody_stated_is_assumed_and_says_where_it_is_from() -> None:
    stated = asked(storage={"derived_factor": 0.5}, prices={"pue": 1.2})
    told = {row["name"]: (row["evidence"], row["source"]) for row in stated.assumptions.iter_rows(named=True)}
    assert told["storage.derived_factor"] == ("stated", "stated in the scenario: storage.derived_factor")
    assert told["training.deadline_s"] == ("stated", "stated in the scenario: training.deadline")
    assert told["price.pue_factor"][0] == "stated"
    for name in ("storage.filesystem_share", "price.interest_share", "price.support_share", "training.own_share"):
        evidence, source = told[name]
        assert evidence == "assumed", name
        assert source.startswith("default of "), name
    untouched = {row["name"]: row for row in asked(training=None).assumptions.iter_rows(named=True)}
    assert untouched["storage.derived_factor"]["evidence"] == "assumed"
    assert "768 half-precision" in untouched["storage.derived_factor"]["source"]
    assert untouched["price.pue_factor"]["evidence"] == "published"
    why = asked(training=None).explain("dataset.images")
    assert {part.name: part.evidence for part in why.inputs}["growth.expired_share"] == "assumed"


def test_every_key_that_an_input_is_said_to_come_from_is_one() -> None:
    scenario = Scenario.model_validate({"name": "x", "training": {}, "inference": {"streams": 1}})
    for name, key in KEY_OF.items():
        if key not in {"inference.sites", "inference.precision", "inference.pue"}:
            assert origin_of(scenario, name)[1] in {"stated", "assumed"}, name


TIERED: dict[str, Any] = {
    "name": "tiered", "horizon_months": 2, "dataset": {"images": 1e8, "image_size": "1 MB", "kept": 1.0, "quarantined": 0},
    "growth": {"uncertainty": 0}, "training": {"epochs": 10, "deadline": "7 days", "memory_per_node": "64 GB"},
    "prices": {"node": "300000 USD"},
}  # fmt: skip


def tiered(**kept: Any) -> Projection:
    found: Projection = toolkit.project(TIERED | {"storage": kept}, draws=1)
    return found


def test_what_is_rented_is_not_bought_too() -> None:
    owned, both = tiered(), tiered(shared_tier="s3_standard", archive_tier="s3_deep_archive")
    assert both.value("storage.rented_bytes") == pytest.approx(both.value("storage.logical_bytes"))
    assert both.value("storage.capacity_bytes") == both.value("storage.drive_count") == 0
    assert both.plan.frame.filter(pl.col("phase") == "storage").is_empty()
    archived = tiered(archive_tier="s3_deep_archive")
    left = archived.value("storage.logical_bytes") - archived.value("storage.archive_tier_bytes")
    assert archived.value("storage.on_drives_bytes") == pytest.approx(left)
    assert 0 < archived.value("storage.drive_count") < owned.value("storage.drive_count")
    assert both.value("cost.capital_usd") == owned.value("cost.capital_usd") - owned.value("storage.drive_count") * 768
    # what is read from rented storage comes over the nodes' links
    assert any("storage supply is what the nodes' links carry" in flag for flag in both.flags)
    assert both.value("bandwidth.storage_supply_bytes_per_s") == pytest.approx(12.5e9 * 0.92, rel=0.1)


def test_requests_retrieval_and_egress_are_paid_for() -> None:
    found = tiered(shared_tier="s3_infrequent", archive_tier="s3_glacier", archive_read="10 %")
    read = found.value("training.samples") * found.value("training.read_bytes_per_image")
    assert found.value("storage.run_read_bytes") == pytest.approx(read)
    chunk = 16 * 2**20
    assert found.value("cost.shared_tier_use_usd") == pytest.approx(read * 0.01e-9 + read / chunk * 1e-6, rel=1e-6)
    back = found.value("storage.archive_tier_bytes") * 0.1
    assert found.value("cost.archive_tier_use_usd") == pytest.approx(back * 0.01e-9 + back / chunk * 50e-6, rel=1e-6)
    # machines of one's own stand outside the provider: each byte that they read leaves it
    assert found.value("cost.egress_usd") == pytest.approx((read + back) * 0.09e-9, rel=1e-6)
    parts = ("monthly_capital", "support", "tier", "egress")
    total = sum(found.value(f"cost.{part}_usd") for part in parts) + found.value("training.electricity_usd")
    assert found.value("cost.owned_usd") == pytest.approx(total)
    rented = found.value("training.cost_usd") + found.value("cost.tier_usd")
    assert found.value("cost.rented_so_far_usd", 0) == pytest.approx(rented)
    unknown = tiered(shared_tier="gcs_standard").frame.filter(pl.col("quantity") == "cost.egress_usd")
    assert unknown["p50"].null_count() == unknown.height
