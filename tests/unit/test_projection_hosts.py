"""Nodes bought for their cores and links too, devices, nodes and drives together with the probability asked for, and what is around them."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit
from toolkit.projection import hosts, run
from toolkit.projection.explain import Ledger
from toolkit.projection.givens import gather
from toolkit.projection.result import Projection
from toolkit.projection.scenario import load_scenario

ASKED: dict[str, Any] = {
    "name": "h", "horizon_months": 8, "dataset": {"images": 30e6, "image_size": "250 kB"},
    "growth": {"kind": "exponential", "yearly_factor": 1.5, "uncertainty": "25 %"},
    "training": {"model": "resnet50", "epochs": 20, "deadline": "12 hours", "cores_per_node": 48},
}  # fmt: skip


def asked(**parts: Any) -> dict[str, Any]:
    return ASKED | {name: ASKED.get(name, {}) | part if isinstance(part, dict) else part for name, part in parts.items()}


@pytest.fixture(scope="module")
def few_cores() -> Projection:
    return toolkit.project(asked(), draws=400)


def late_shares(scenario: dict[str, Any]) -> np.ndarray:
    """Return the share of the draws that are late by month: each draw's needs held against what is bought, one by one."""
    checked = load_scenario(scenario)
    givens = gather(checked, None, None)
    generator = np.random.default_rng(0)
    values = {name: given.draw(generator, 600) for name, given in givens.by_name.items()}
    months = np.arange(0, checked.horizon_months + 1, dtype=np.float64)
    ledger = run._whole(checked, givens, values, months, Ledger())
    value = ledger.values
    wanted = value["training.samples"] * value["training.beside_factor"] / value["training.deadline_s"]
    read = value["training.read_bytes_per_image"]
    is_late = np.zeros((1, 1), dtype=bool)
    for rate in (
        value["plan.rate_images_per_s"],
        value["plan.decode_images_per_s"],
        value["plan.supply_bytes_per_s"] / np.maximum(read, 1e-9),
    ):
        is_late = is_late | (wanted > rate * (1 + 1e-9))
    return np.asarray(is_late.mean(axis=0))


@pytest.mark.parametrize("probability", [0.8, 0.95])
@pytest.mark.parametrize(
    "parts",
    [
        {},  # cores bind
        {"training": {"cores_per_node": 192, "model": "vit_l16", "deadline": "14 days"}},  # devices bind
        {"training": {"cores_per_node": 192, "memory_per_node": "64 GB"}, "storage": {"medium": "hdd_24tb"}},  # drives bind
        {"training": {"cores_per_node": 192, "memory_per_node": "64 GB"}, "network": {"node_link": "10 Gb/s"}},  # links bind
    ],
)
def test_devices_nodes_and_drives_keep_the_deadline_together(parts: dict[str, Any], probability: float) -> None:
    late = late_shares(asked(**parts, plan={"probability": probability}))
    assert late.max() <= 1 - probability + 1e-9
    assert not [flag for flag in toolkit.project(asked(**parts, plan={"probability": probability}), draws=300).flags
                if "does not keep the deadline" in flag]  # fmt: skip


def test_each_bought_at_the_stated_probability_alone_would_be_late_more_often() -> None:
    """The check above can fail: two needs that have nothing to do with each other, each met in eight of ten draws."""
    chance = np.random.default_rng(3)
    one, two = np.ceil(chance.lognormal(3, 0.5, (2_000, 1))), np.ceil(chance.lognormal(3, 0.5, (2_000, 1)))
    alone = [hosts.devices_bought(need, np.full((1, 1), 0.8)) for need in (one, two)]
    assert ((one > alone[0]) | (two > alone[1])).mean() > 0.3
    share = hosts.joint_share(one, two, np.full((1, 1), 0.8), np.full((1, 1), 8.0))
    both = hosts.devices_bought(one, share), hosts.nodes_bought(np.zeros((1, 1)), two, share)
    assert 0.15 < ((one > both[0]) | (two > both[1])).mean() <= 0.2


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 99), share=st.sampled_from([0.5, 0.8, 0.9, 0.99]), tie=st.sampled_from([1, 5, 50]))
def test_the_joint_share_keeps_both_in_as_many_draws_as_asked(seed: int, share: float, tie: int) -> None:
    chance = np.random.default_rng(seed)
    one, two = (np.ceil(chance.random((97, 3)) * tie) for _ in range(2))
    level = hosts.joint_share(one, two, np.full((1, 1), share), np.full((1, 1), 8.0))
    met = (one <= hosts.devices_bought(one, level)) & (two <= hosts.nodes_bought(np.zeros((1, 3)), two, level))
    assert (met.mean(axis=0) >= share - 1e-9).all()


def test_nodes_are_bought_for_their_cores_and_the_bill_says_so(few_cores: Projection) -> None:
    nodes, filled = few_cores.value("training.node_count"), few_cores.value("training.device_node_count")
    assert nodes > filled
    bought = few_cores.plan.frame.filter(pl.col("item").str.starts_with("node of"))
    assert bought["count"].sum() == nodes
    assert f"{nodes - filled:.0f} of {nodes:.0f} nodes for their cores, which decode images" in bought["reason"][0]
    assert [flag for flag in few_cores.flags if "are bought for what stands beside their devices, which idle" in flag]
    assert few_cores.value("training.paid_count") == few_cores.value("training.gpu_count") + (nodes - filled) * 8
    wide = toolkit.project(asked(training={"cores_per_node": 1024}), draws=100)
    assert wide.value("training.node_count") == wide.value("training.device_node_count")
    assert not [flag for flag in wide.flags if "which idle" in flag]


def test_where_devices_are_stated_no_node_is_bought_beside_them() -> None:
    stated = toolkit.project(asked(training={"accelerator_count": 16}), draws=100)
    assert stated.value("training.node_count") == 2
    assert [flag for flag in stated.flags if "image decoding limits" in flag]


def test_racks_and_switches_are_in_cost_and_power() -> None:
    prices = {"node": "300000 USD", "switch": "20000 USD", "rack": "4000 USD"}
    found = toolkit.project(asked(prices=prices), draws=50)
    nodes, racks, switches = (found.value(name) for name in ("training.node_count", "site.rack_count", "network.switch_count"))
    drives = found.value("storage.drive_count")
    assert found.value("site.rack_count", 0) <= racks
    spare = found.value("training.spare_node_count")
    assert racks == np.ceil((nodes + spare) / 5)  # of 7.6 kW each in 40 kW
    expected = (nodes + spare) * 300_000 + drives * 998 * (768 / 998) + switches * 20_000 + racks * 4_000
    assert found.value("cost.capital_usd") == pytest.approx(expected, rel=0.01)
    around = switches * 747 + racks * 50
    assert found.value("site.around_w") == pytest.approx(around)
    machines = found.value("training.gpu_count") * 700 + nodes * 2_000
    assert found.value("training.power_w") == pytest.approx((machines + around) * 1.56)
    bought = found.plan.frame.filter(pl.col("item").str.contains("rack"))
    assert bought["price_usd"].sum() == racks * 4_000
    assert bought["power_w"].sum() == racks * 50
