"""Scenarios: the examples, the one to begin with, what is wrong with one; growth, retention; and quantities beside the headline."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import SAMPLE
from reporting_facts import profile as made_profile

import toolkit
from toolkit.cli import run
from toolkit.errors import ScenarioError
from toolkit.facts import DatasetProfile, VersionFacts
from toolkit.projection import growth, hardware_facts
from toolkit.projection.scenario import Scenario, load_scenario
from toolkit.projection.scenario_pages import explained_keys, scenario_template

EXAMPLES = sorted((SAMPLE / "scenarios").glob("*.yaml"))
SMALL: dict[str, Any] = {
    "name": "small", "horizon_months": 12, "dataset": {"images": 1e6, "image_size": "100 kB", "kept": 1.0, "quarantined": 0},
    "growth": {"uncertainty": 0},
}  # fmt: skip


def small(**parts: dict[str, Any]) -> Any:
    asked = SMALL | {name: SMALL.get(name, {}) | part for name, part in parts.items()}
    return toolkit.project(asked, draws=1)


def test_there_are_five_examples() -> None:
    assert len(EXAMPLES) == 5


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_every_number_of_it_is_finite_or_known_to_be_open(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = made_profile() if path.stem == "lab_one_node" else None
    projection = toolkit.project(path, profile, draws=50)
    assert run(["scenario", "check", str(path)]) == 0
    capsys.readouterr()
    open_quantities = set(projection.frame.filter(projection.frame["p50"].is_null())["quantity"])
    # none of the examples says what a node costs, so that what owning costs is open
    needs_price = {name for name in open_quantities if name.startswith("cost.")} - {"cost.tier_usd"}
    assert open_quantities - needs_price <= {"training.cost_usd", "inference.cost_usd", "inference.million_usd"}
    endless = projection.frame.filter(projection.frame["p50"].is_infinite())["quantity"].unique().to_list()
    waits = {f"plan.{kind}_wait_s" for kind in ("joint", "random", "split")}  # unbounded where only batches keep up
    assert set(endless) <= {"storage.time_to_fill_s"} | waits
    negative = projection.frame.filter(projection.frame["p10"] < 0)
    assert negative.is_empty()


def test_what_the_examples_state_comes_out() -> None:
    medical = toolkit.project(SAMPLE / "scenarios" / "medical_archive.yaml", draws=20)
    assert medical.value("dataset.image_bytes", 0) == pytest.approx(134e12)
    assert medical.value("dataset.component.ultrasound_video_bytes", 0) == pytest.approx(18e12)
    assert medical.value("dataset.component_bytes", 0) == pytest.approx(18e12 + 0.02e12)
    assert medical.value("storage.shortage_share", 0) == 0
    assert medical.value("storage.shortage_share") == 1
    crawl = toolkit.project(SAMPLE / "scenarios" / "crawl_5b_images.yaml", draws=20)
    assert crawl.value("dataset.image_bytes", 0) == pytest.approx(220e12, rel=0.001)
    assert crawl.value("dataset.images") < 12e9
    edge = toolkit.project(SAMPLE / "scenarios" / "edge_cameras.yaml", draws=20)
    assert edge.value("inference.uplink_bytes_per_s", 0) == 400 * 0.5e6


def test_the_scenario_to_begin_with_holds_every_key_and_can_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new.yaml"
    assert run(["scenario", "init", str(path)]) == 0
    assert run(["scenario", "check", str(path)]) == 0
    assert run(["scenario", "init", str(path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert toolkit.project(path, draws=1).value("dataset.images", 0) == 1e6
    text = scenario_template()
    keys = {key.rsplit(".", 1)[-1] for key, *_ in explained_keys(load_scenario(path))}
    keys |= set(type(load_scenario(path)).model_fields)
    assert [key for key in keys if not re.search(rf"^[# ]*{key}:", text, re.MULTILINE)] == []


def test_the_scenario_to_begin_with_means_its_defaults_when_they_are_taken_out_of_comments() -> None:
    taken = [re.sub(r"^# (?=( {2})*[a-z_0-9]+:( |$))", "", line) for line in scenario_template().splitlines()]
    document = yaml.safe_load("\n".join(line for line in taken if not re.match(r"^\s*#", line)))
    whole = Scenario.model_validate(document)
    assert whole.storage == Scenario(name="x").storage
    assert whole.prices == Scenario(name="x").prices
    assert whole.training is not None
    assert whole.inference is not None


def test_every_key_in_force_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(SMALL | {"storage": {"headroom": "30 %"}}))
    assert run(["scenario", "explain", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        "storage.headroom = 0.3   [stated] Share of the capacity that is to stay free (shared filesystems slow down past 80 %)."
        in lines
    )
    assert any(line.startswith("prices.pue = 1.56   [default]") and "Uptime" in line for line in lines)
    assert run(["scenario", "explain", str(path), "--json"]) == 0
    told = {entry["key"]: entry for entry in json.loads(capsys.readouterr().out)["keys"]}
    assert (told["storage.headroom"]["by"], told["storage.medium"]["by"]) == ("stated", "default")
    assert all(entry["meaning"] for entry in told.values())


def test_all_problems_are_told_at_once_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump({"name": "x", "horizon_months": 0, "storage": {"medium": "floppy"}, "growht": {}}))
    assert run(["scenario", "check", str(path)]) == 2
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 3
    for fragment in ("horizon_months", "storage.medium", "did you mean 'growth'"):
        assert fragment in told.out
    path.write_text(yaml.safe_dump({"name": "x", "training": {"deadline": "90 bananas"}}))
    assert run(["scenario", "check", str(path)]) == 2
    assert "training.deadline" in capsys.readouterr().out
    assert run(["scenario", "check", str(tmp_path / "none.yaml")]) == 2


def test_hardware_is_listed_and_shown_with_its_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hardware", "list"]) == 0
    count = sum(len(facts) for facts in hardware_facts.hardware_kinds().values())
    assert len(capsys.readouterr().out.splitlines()) == count
    assert run(["hardware", "list", "--json"]) == 0
    assert all(entry["source"] and entry["as_of"] for entry in json.loads(capsys.readouterr().out)["hardware"])
    assert run(["hardware", "show", "l40s"]) == 0
    shown = capsys.readouterr().out
    assert "price_per_hour: needs input" in shown
    assert "source: " in shown
    assert run(["hardware", "show", "abacus"]) == 2
    assert "'abacus' is not a known entry" in capsys.readouterr().err


def test_events_come_on_top_of_any_growth_and_from_a_table(tmp_path: Path) -> None:
    grown = small(growth={"kind": "linear", "images_per_month": 1000, "steps": {3: 50_000, 6: -20_000}})
    assert [grown.value("dataset.images", month) for month in (2, 3, 6)] == [1_002_000, 1_053_000, 1_036_000]
    assert grown.value("dataset.arriving_images_per_s", 6) >= 0
    (tmp_path / "events.csv").write_text("month,images\n3,50000\n6,-20000\n")
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(SMALL | {"growth": {"kind": "steps", "steps": "events.csv", "uncertainty": 0}}))
    assert toolkit.project(path, draws=1).value("dataset.images", 6) == 1_030_000
    for text in ("month;images\n3;5\n", "month,images\nsoon,5\n"):
        (tmp_path / "events.csv").write_text(text)
        with pytest.raises(ScenarioError, match=r"growth.steps.*is no table"):
            load_scenario(path)
    (tmp_path / "events.csv").unlink()
    with pytest.raises(ScenarioError, match="cannot be read as a table"):
        load_scenario(path)


def test_what_is_older_than_the_retention_is_gone() -> None:
    kept = small(growth={"kind": "linear", "images_per_month": 1000, "retention": "3 months"})
    assert kept.value("dataset.images", 2) == 1_002_000
    assert kept.value("dataset.images", 3) == pytest.approx(3000)
    assert kept.value("dataset.images", 12) == pytest.approx(3000)


def profiled(counts: list[int], days: int) -> DatasetProfile:
    """Return a profile whose versions hold so many images, some days apart."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    versions = tuple(
        VersionFacts(
            version=index, committed_at=(start + timedelta(days=days * index)).isoformat(), kind="batch", batch=f"b{index}",
            image_count=count, size_bytes=count * 100_000, shard_count=1,
        )
        for index, count in enumerate(counts)
    )  # fmt: skip

    return made_profile(versions=versions)


def test_growth_is_fitted_to_the_versions_of_the_dataset() -> None:
    asked = SMALL | {"growth": {"kind": "fitted", "uncertainty": 0}}
    linear = toolkit.project(asked, profiled([1000, 2000, 3000, 4000], 30), draws=1)
    assert "fitted to 4 versions" in linear.flags[0]
    assert "linear" in linear.flags[0]
    assert linear.value("dataset.images", 12) - 1e6 == pytest.approx(12 * 1000 * 30.4375 / 30)
    doubling = toolkit.project(asked, profiled([1000, 2000, 4000, 8000, 16000], 365), draws=1)
    assert "exponential" in doubling.flags[0]
    assert doubling.value("dataset.images", 12) == pytest.approx(2e6, rel=0.01)
    for profile in (None, profiled([1000], 30)):
        with pytest.raises(ScenarioError, match="needs a dataset with two versions"):
            toolkit.project(asked, profile, draws=1)


def test_a_fit_is_what_was_put_in() -> None:
    ages = np.array([0.0, 3.0, 7.0, 12.0, 20.0])
    assert growth.fitted_growth(ages, 500 + 40 * ages) == ("linear", pytest.approx(40))
    assert growth.fitted_growth(ages, 500 * 3 ** (ages / 12)) == ("exponential", pytest.approx(3))
    assert growth.fitted_growth(ages, 500 - 4 * ages) == ("linear", 0.0)


def test_parts_beside_the_images_are_stored_and_add_up() -> None:
    parts = ("raw", "small_file", "quarantine", "curated", "derived", "versions", "checkpoint")
    asked = small(
        dataset={"images": 1e6, "image_size": "100 kB", "kept": 0.5, "quarantined": 0.1}, storage={"block_size": "1 MiB"}
    )
    total = sum(asked.value(f"storage.{part}_bytes") if part != "checkpoint" else 0.0 for part in parts)
    assert total == pytest.approx(asked.value("storage.logical_bytes"))
    assert asked.value("storage.quarantine_bytes") == pytest.approx(2e11 * 0.1)
    assert asked.value("storage.small_file_bytes") == pytest.approx(2e6 * (2**20 - 100_000 + 256))
    assert small(storage={"raw_as_files": False}).value("storage.small_file_bytes") == 0
    tiers = asked.value("storage.shared_tier_bytes") + asked.value("storage.archive_tier_bytes")
    assert tiers == pytest.approx(asked.value("storage.logical_bytes"))


def test_the_month_it_is_full_is_told() -> None:
    # 1 TB is there; the need grows by the same every month
    asked = small(growth={"kind": "linear", "images_per_month": 500_000}, storage={"owned": "1 TB"})
    left_s = [asked.value("storage.time_to_fill_s", month) for month in (0, 1)]
    assert left_s[0] - left_s[1] == pytest.approx(30.4375 * 86_400)
    full = next(month for month in range(13) if asked.value("storage.shortage_share", month) == 1)
    assert full == int(left_s[0] / (30.4375 * 86_400)) + 1


def test_a_batch_of_curation_searches_all_that_is_there() -> None:
    grown = {"kind": "linear", "images_per_month": 100_000, "uncertainty": 0}
    few, many = (small(growth=grown, dataset={"images": images, "image_size": "100 kB", "kept": 1.0}) for images in (1e6, 1e8))
    assert many.value("curation.batch_images") == few.value("curation.batch_images") == pytest.approx(25_000)
    more = many.value("dataset.images") / few.value("dataset.images")
    assert many.value("curation.search_s") > more * few.value("curation.search_s")
    shared = small(growth=grown, curation={"dedicated": False, "shared_loss": 0.5})
    alone = small(growth=grown)
    assert shared.value("curation.elapsed_s") == pytest.approx(2 * alone.value("curation.elapsed_s"))


def test_the_cache_does_what_its_policy_says() -> None:
    def hit(policy: str) -> float:
        training = {"epochs": 10, "memory_per_node": "100 GB", "cache_policy": policy}
        return float(small(training=training).value("cache.hit_share"))

    assert hit("fixed_order") == 0 < hit("lru") < hit("random") < hit("pinned") == pytest.approx(0.5, abs=0.25)
    more = small(training={"epochs": 10, "memory_per_node": "100 GB", "nvme_per_node": "1 TB"})
    assert more.value("cache.hit_share") == 1


def test_replicas_that_share_their_state_hold_less() -> None:
    def held(stage: int) -> float:
        training = {"model": "vit_l16", "epochs": 900, "deadline": "1 day", "optimizer": "adam", "shard_stage_index": stage}
        return float(small(training=training).value("training.device_state_bytes"))

    assert held(0) == pytest.approx(16 * hardware_facts.models()["vit_l16"].params)
    assert held(0) > held(1) > held(2) > held(3)


def test_nodes_are_connected() -> None:
    asked = {"model": "vit_l16", "epochs": 4000, "deadline": "1 day", "accelerators_per_node": 1}
    one = small(training=asked)
    nodes = one.value("training.node_count")
    assert nodes > 64
    assert one.value("network.nic_count") >= nodes
    assert one.value("network.switch_count") >= one.value("network.leaf_count") > 1
    saved = small(training=asked, network={"oversubscription_factor": 3.0})
    assert saved.value("network.switch_count") < one.value("network.switch_count")
    slow = small(training=asked, network={"node_link": "1 Gb/s"})
    assert slow.value("network.exposed_s") > one.value("network.exposed_s") >= 0
    assert one.value("training.spare_node_count") >= 1


def test_streams_that_come_and_go_need_places_beyond_their_mean() -> None:
    always = small(inference={"streams": 300})
    bursting = small(inference={"streams": 300, "blocked": "1 %"})
    assert bursting.value("inference.place_count") == 324  # Erlang B at 300 erlangs
    assert bursting.value("inference.instance_count") >= always.value("inference.instance_count")
    asked = (
        always.value("inference.latency_p50_s"),
        always.value("inference.latency_p95_s"),
        always.value("inference.latency_p99_s"),
    )
    assert asked[0] <= asked[1] <= asked[2]
    with pytest.raises(ScenarioError, match="less than one stream"):
        small(
            inference={
                "model": "retinanet",
                "accelerator": "orin_nx_16gb",
                "streams": 2,
                "frames_per_s": 60,
                "latency_p99": "90 ms",
            }
        )


def test_an_answer_has_its_energy_and_its_price() -> None:
    unknown = small(inference={"requests_per_s": 1000})
    assert unknown.frame.filter(unknown.frame["quantity"] == "inference.cost_usd")["p50"].null_count() == 13
    asked = small(inference={"requests_per_s": 1000, "accelerator_hour": "1 USD"})
    assert asked.value("inference.answer_j") == pytest.approx(asked.value("inference.power_w") / 1000)
    answers = 1000 * 30.4375 * 86_400
    assert asked.value("inference.million_usd") == pytest.approx(asked.value("inference.cost_usd") / answers * 1e6)
    assert asked.value("inference.scale_out_s") > asked.value("inference.load_s") > 0


def test_what_a_place_gives_in_power_is_held_against_the_device() -> None:
    edge = {"model": "retinanet", "accelerator": "orin_agx_64gb", "streams": 2, "latency_p99": "300 ms", "max_batch": 1}
    asked = small(inference=edge | {"device_power_limit": "30 W"})
    loads = asked.bottlenecks.filter(asked.bottlenecks["resource"] == "device power")
    assert loads["load_share"][0] == pytest.approx(2.0)


def test_a_projection_of_ten_thousand_draws_is_quick() -> None:
    """The bar is 2 s of CPU time for 120 months and 40 quantities that vary; a tenth of the draws here, to hold the order."""
    from benchmarks.projection_speed import measure

    found = measure(months=120, draws=1000, repeats=2)
    assert found["varying_count"] > 40
    assert found["cpu_s"] < 2
