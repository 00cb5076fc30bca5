"""The plans, and what may be chosen."""

from __future__ import annotations

import pytest

from toolkit.errors import UsageError
from toolkit.measurement.plans import FAMILIES, PLANS, families_named, plan_named
from toolkit.measurement.stages import ceiling_stages, stages_of

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
WIDE = {"read.row_groups", "device.read", "write.fsync", "decode.class"}  # fmt: skip


def test_quick_is_quick() -> None:
    quick = plan_named("quick")
    assert quick.invocation_count == 3
    assert quick.window_s <= 0.3
    assert [plan.invocation_count for plan in PLANS.values()] == sorted(plan.invocation_count for plan in PLANS.values())


def test_unknown_names_are_answered_with_the_known() -> None:
    with pytest.raises(UsageError, match="no plan 'slow'; the plans are quick, standard, thorough"):
        plan_named("slow")
    with pytest.raises(UsageError, match="'network' cannot be measured; choose from read, decode, loader, transfer"):
        families_named(["read", "network"])
    with pytest.raises(UsageError, match="nothing cannot be measured"):
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
        if stage.metric.startswith(("metadata.", "device.", "write.", "decode.class", "loader.stall")) or stage.window_count == 1:
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
