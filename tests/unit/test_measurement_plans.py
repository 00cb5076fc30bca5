"""The plans, and what may be chosen."""

from __future__ import annotations

import dataclasses

import pytest

from toolkit.errors import UsageError
from toolkit.measurement.durations import Expected, invocation_s, left_s, searches_s, windows_s
from toolkit.measurement.plans import FAMILIES, PLANS, families_named, plan_named
from toolkit.measurement.stages import Stage, ceiling_stages, stages_of
from toolkit.measurement.under_way import UnderWay

PROMISED = {
    "ceiling.memory_copy",
    "ceiling.page_cache_read",
    "ceiling.device_read",
    "ceiling.tcp_loopback",
    "ceiling.decode_core",
    "ceiling.mapped_sum",
    "read.sequential",
    "read.random",
    "read.raw_files",
    "decode.core",
    "decode.pixels",
    "decode.all_cores",
    "loader.decoded",
    "loader.time_to_first_batch",
    "loader.bytes",
    "transfer.http_range",
    "transfer.flight",
    "hash.sha256",
    "hash.crc32",
    "ceiling.cached_batches",
    "loader.fed",
    "loader.stall_share",
    "loader.cpu_per_image",
    "read.first_touch",
    "read.pieces",
    "metadata.list",
    "metadata.open",
    "metadata.footer",
}
WIDE = {"read.row_groups", "device.read", "write.fsync", "decode.class", "ceiling.synced_write"}


def test_quick_is_quick() -> None:
    quick = plan_named("quick")
    assert quick.invocation_count == 3
    assert quick.window_s <= 0.3
    assert [plan.invocation_count for plan in PLANS.values()] == sorted(plan.invocation_count for plan in PLANS.values())


@pytest.mark.parametrize(("plan", "most_s"), [("quick", 60), ("standard", 600), ("thorough", 3600)])
@pytest.mark.parametrize("cores", [1, 2, 64])
@pytest.mark.parametrize("image_bytes", [20_000.0, 2_000_000.0])
def test_a_plan_keeps_its_promise_by_its_own_arithmetic(plan: str, most_s: float, cores: int, image_bytes: float) -> None:
    """Every class of image there, every ceiling taken again: what a run can take at most on a device of 1 GB/s."""
    chosen = PLANS[plan]
    usual = invocation_s(chosen, stages_of(chosen, FAMILIES, cores, image_bytes, 10**6))
    again = invocation_s(chosen, list(ceiling_stages(chosen, cores, image_bytes, is_sweep=True)))
    assert chosen.invocation_count * usual + again < most_s


def test_the_time_of_an_invocation_is_that_of_its_windows_and_what_lies_between() -> None:
    plan = dataclasses.replace(PLANS["quick"], window_s=0.5, window_count=2)
    shared = {"title": "-", "unit": "s", "family": "read", "limits": "-"}
    stages = [
        Stage(metric="a", **shared), Stage(metric="b", window_s=10.0, window_count=1, **shared),
        Stage(metric="c", derived_from="a", **shared),
    ]  # fmt: skip
    assert windows_s(plan, stages) == 11.0
    assert 11.0 < invocation_s(plan, stages) < 20.0
    assert searches_s(plan, ("read",), ()) == 0
    both = searches_s(plan, ("contention", "utilisation"), ({"is_image": True}, {"is_image": False}))
    assert both > searches_s(plan, ("contention",), ()) > 15


def test_what_is_left_counts_searches_hosts_retakes_and_the_cluster() -> None:
    run = Expected(invocation_s=10, search_s=20, again_s=5, cluster_s=100, invocation_count=3, host_count=2)
    assert run.total_s == 2 * (3 * 30 + 5) + 100
    assert [run.before_s(0, 0), run.before_s(0, 1), run.before_s(1, 0), run.before_s(3, 1)] == [0, 30, 60, 185]
    assert left_s(run, elapsed_s=60, done_s=60) == run.total_s - 60
    assert left_s(run, elapsed_s=6000, done_s=60) == 4 * (run.total_s - 60)
    assert left_s(run, elapsed_s=1000, done_s=run.total_s) == 0


def test_a_run_under_way_says_what_is_left_of_it_searches_and_retakes_too() -> None:
    run = Expected(invocation_s=10, search_s=30, again_s=10, cluster_s=0, invocation_count=2, host_count=1)
    clock, said = [0.0], list[str]()
    under_way = UnderWay(lambda *what: said.append(f"{what[1]} of {what[2]}: {what[3]}"), run, lambda: clock[0])
    begun: list[dict[str, object]] = [{"kind": "plan", "window_count": 2}]
    under_way.show([], 0, 0)
    clock[0] = 5.0
    under_way.show([*begun, {"kind": "window", "metric": "read.random"}], 0, 0)
    windows = [*begun, *[{"kind": "window", "metric": "read.random"}] * 2]
    clock[0] = 10.0
    under_way.show([*windows, {"kind": "searching", "what": "the loader"}], 0, 0)
    clock[0] = 30.0
    under_way.show([*windows, {"kind": "searching", "what": "the loader"}], 0, 0)
    clock[0] = 85.0
    under_way.show(windows, 2, 0, " on tcp://a")
    assert said == [
        "0 of 2: process 1 of 2: starts",
        "0 of 2: process 1 of 2: 1 of 2 windows, read.random; about 85 s left",
        "0 of 2: process 1 of 2: 2 of 2 windows, the loader; about 80 s left",
        "0 of 2: process 1 of 2: 2 of 2 windows, the loader; about 60 s left",
        "2 of 3: ceilings again on tcp://a: 2 of 2 windows, read.random; about 0 s left",
    ]
    UnderWay(None, run).finish(0)


def test_unknown_names_are_answered_with_the_known() -> None:
    with pytest.raises(UsageError, match="no plan 'slow'; the plans are quick, standard, thorough"):
        plan_named("slow")
    with pytest.raises(UsageError, match="'network' cannot be measured; choose from read, decode, loader, transfer"):
        families_named(["read", "network"])
    with pytest.raises(UsageError, match="only names nothing to measure; choose from read"):
        families_named([])
    assert families_named(None) == FAMILIES
    assert families_named("decode") == ("decode",)
    assert families_named([" transfer", "read"]) == ("read", "transfer")


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("cores", [1, 2, 64])
def test_every_stage_has_a_ceiling_that_is_taken_too(plan: object, cores: int) -> None:
    stages = stages_of(plan, FAMILIES, cores, 25_000.0, 350)  # type: ignore[arg-type]  # parametrised
    wide = WIDE if plan.is_wide else set()  # type: ignore[attr-defined]  # parametrised
    several = {"ceiling.decode_cores"} if cores > 1 else set()
    assert {stage.metric for stage in stages} - {"device.sustained"} == PROMISED | wide | several
    keys = [stage.key for stage in stages if not stage.derived_from]
    assert len(keys) == len(set(keys))
    for stage in stages:
        assert stage.limits
        if stage.family == "ceiling":
            assert stage.ceiling is None
            continue
        rule = stage.ceiling
        if stage.metric.startswith(("metadata.", "device.", "decode.class", "loader.stall")):
            assert rule is None
            continue
        assert rule is not None
        settings = [s for s in stages if s.metric == rule.metric and all(s.conditions.get(k) == v for k, v in rule.match.items())]
        assert settings, stage.key
        assert not stage.derived_from or stage.derived_from in keys


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_alone_brings_its_ceilings_and_no_other_family(family: str) -> None:
    stages = stages_of(plan_named("quick"), (family,), 2, 25_000.0, 350)
    assert {stage.family for stage in stages} == {family, "ceiling"}


def test_taking_a_ceiling_again_tries_more_settings_including_the_usual() -> None:
    quick = plan_named("quick")
    usual = {stage.key for stage in ceiling_stages(quick, 2, 25_000.0)}
    sweep = {stage.key for stage in ceiling_stages(quick, 2, 25_000.0, is_sweep=True)}
    assert usual < sweep
