"""Serving where inputs arise: whole streams and sites, no data center's cooling, places that are not packed together."""

from __future__ import annotations

import math
from typing import Any

import pytest

import toolkit
from toolkit.projection.result import Projection

FLEET: dict[str, Any] = {"model": "retinanet", "accelerator": "orin_agx_64gb", "streams": 400, "frames_per_s": 15,
                         "latency_p99": "200 ms", "max_batch": 4, "spare_instances": 0, "placement": "edge",
                         "yearly_factor": 1.3, "stream_rate": "4 Mb/s"}  # fmt: skip


def fleet(**inference: Any) -> Projection:
    asked = {"name": "e", "horizon_months": 36, "dataset": {"images": 1e6, "image_size": "100 kB"}}
    found: Projection = toolkit.project(asked | {"inference": FLEET | inference}, draws=20)
    return found


def test_devices_at_the_edge_take_no_data_centers_cooling() -> None:
    edge, center, stated = fleet(), fleet(placement="datacenter"), fleet(pue=1.1)
    assert edge.value("inference.power_w") * 1.56 == pytest.approx(center.value("inference.power_w"), rel=0.05)
    assert stated.value("inference.power_w") == pytest.approx(1.1 * edge.value("inference.power_w"), rel=0.05)


def test_streams_are_whole_and_counted() -> None:
    found = fleet()
    streams = found.frame.filter(found.frame["quantity"] == "inference.growing_stream_count")
    assert set(streams["unit"]) == {"count"}
    assert (streams["p50"] == streams["p50"].round()).all()
    assert found.value("inference.growing_stream_count", 36) == math.ceil(400 * 1.3**3)


def test_streams_of_different_sites_do_not_share_a_device() -> None:
    packed, spread, alone = fleet(), fleet(sites=100), fleet(sites=400)
    assert alone.value("inference.instance_count", 0) == 400
    assert spread.value("inference.instance_count", 0) >= 100
    assert packed.value("inference.instance_count", 0) <= spread.value("inference.instance_count", 0)
    assert alone.value("inference.site_count", 36) == math.ceil(400 * 1.3**3)  # more streams come with more sites
    assert alone.value("inference.instance_count", 36) == math.ceil(400 * 1.3**3)
    assert any("'inference.sites' is not stated" in flag for flag in packed.flags)
    assert not any("inference.sites" in flag for flag in spread.flags)


def test_a_place_that_streams_come_to_and_go_from_is_sized_by_itself() -> None:
    together, apart = fleet(blocked="1 %"), fleet(blocked="1 %", sites=100)
    assert 100 * apart.value("inference.place_count", 0) > together.value("inference.place_count", 0)  # small groups need more


def test_the_uplink_is_that_of_one_place() -> None:
    found = fleet(sites=100, uploaded=1, uplink_limit="3 MB/s", device_power_limit="90 W")
    assert found.value("inference.sent_bytes_per_s", 0) == pytest.approx(4 * 0.5e6)
    assert found.value("inference.uplink_bytes_per_s", 0) == pytest.approx(
        400 * 0.5e6
    )  # of all places, were they served elsewhere
    assert "does not fit" not in found.plan.edge_fit
