"""Every stage, run once on a small dataset of photographs, must count what is really there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from measured_dataset import build

from toolkit.dataset.reading import open_dataset
from toolkit.measurement.caches import can_prove, opens_direct
from toolkit.measurement.decode import Decode, decodable, decode_bare
from toolkit.measurement.plans import FAMILIES, PLANS, plan_named
from toolkit.measurement.probes import Bench
from toolkit.measurement.stages import Stage, ceiling_stages, stages_of
from toolkit.measurement.storage import SequentialRead, touch_bytes
from toolkit.measurement.subject import HeldImage, Subject, extents_of, spread
from toolkit.measurement.windows import run_window

IMAGES = 24


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    place = build(tmp_path_factory.mktemp("probes") / "dataset", IMAGES)
    scratch = tmp_path_factory.mktemp("scratch")
    with ExitStack() as stack:
        yield Bench(Subject(open_dataset(place), plan_named("quick"), scratch), stack)


def every_stage() -> list[Stage]:
    usual = stages_of(PLANS["standard"], FAMILIES, 2, 20_000.0, IMAGES)
    sweep = ceiling_stages(plan_named("quick"), 2, 20_000.0, is_sweep=True)
    return list({stage.key: stage for stage in (*usual, *sweep) if not stage.derived_from}.values())


@pytest.mark.parametrize("stage", every_stage(), ids=lambda stage: stage.key)
def test_a_stage_counts_what_it_did(bench: Bench, stage: Stage) -> None:
    if stage.conditions.get("access") == "direct" and not opens_direct(bench.subject.paths[0]):
        pytest.skip("this filesystem has no direct reads")
    facts = stage.conditions
    if stage.metric == "decode.class" and not bench.images_of(facts["format"], facts["size_class"], facts.get("quality", "")):
        pytest.skip("the sample has no image of this class")
    window = run_window(bench.probe_of(stage), 0.0)
    tally = window.tally
    assert window.elapsed_s > 0
    assert tally.operations >= 1
    assert tally.payload_bytes > 0 or stage.metric in {"metadata.list", "metadata.open"}
    if stage.unit == "images_per_s" or (stage.metric.startswith("read.") and stage.metric != "read.pieces"):
        assert tally.images >= 1
        assert tally.payload_bytes / tally.images == pytest.approx(bench.subject.mean_image_bytes, rel=2.5)


def test_a_pass_over_the_shards_touches_every_image_once(bench: Bench) -> None:
    probe = SequentialRead(bench.subject, "warm")
    probe.open()
    tally = probe.run(float("inf"))
    assert tally.images == IMAGES == len(bench.subject.dataset)
    assert tally.payload_bytes == bench.subject.dataset.state.image_bytes


def test_first_touch_reads_every_image_once_and_never_again(bench: Bench) -> None:
    (stage,) = [stage for stage in every_stage() if stage.metric == "read.first_touch"]
    window = run_window(bench.probe_of(stage), 60.0)
    assert window.tally.images == IMAGES
    assert window.elapsed_s < 30


def test_cold_reads_of_every_kind_are_proven_cold(bench: Bench) -> None:
    if not can_prove(bench.subject.scratch or Path()):
        pytest.skip("the kernel does not account reads of this filesystem to the process")
    for stage in every_stage():
        if stage.conditions.get("cache") not in {"cold", "warm"} or stage.family == "loader":
            continue
        window = run_window(bench.probe_of(stage), 0.02)
        assert window.device_bytes is not None
        share = window.device_bytes / window.tally.payload_bytes
        assert share >= 0.95 if stage.conditions["cache"] == "cold" else share <= 0.02, (stage.key, share)


def test_after_a_window_of_the_loader_cold_reads_are_cold_still(bench: Bench) -> None:
    loaders = [stage for stage in every_stage() if stage.family == "loader"]
    probes = [bench.probe_of(stage) for stage in loaders]  # an invocation holds every probe to its end
    for probe in probes:
        run_window(probe, 0.0)
    bench.subject.evict()  # waits a moment for maps of other stages, which Arrow's threads let go of late
    maps = Path("/proc/self/maps")
    if maps.exists():
        assert not [path for path in bench.subject.paths if str(path) in maps.read_text()]
    if not can_prove(bench.subject.scratch or Path()):
        pytest.skip("the kernel does not account reads of this filesystem to the process")
    window = run_window(SequentialRead(bench.subject, "cold"), 0.0)
    assert window.device_bytes is not None
    assert window.device_bytes >= 0.95 * window.tally.payload_bytes


def test_a_loop_waits_for_the_loader_and_hardly_for_batches_in_memory(bench: Bench) -> None:
    stages = {stage.metric: stage for stage in every_stage()}
    fed = run_window(bench.probe_of(stages["loader.fed"]), 0.0)
    assert 0 < fed.tally.waited_s <= fed.elapsed_s
    probe = bench.probe_of(stages["ceiling.cached_batches"])
    probe.open()
    assert probe.run(0.0).images == probe.run(0.0).images > 0
    probe.close()


def test_extents_lie_where_the_bytes_are(bench: Bench) -> None:
    extents = extents_of(bench.subject.dataset.shard_paths())
    assert sum(extent.row_count for extent in extents) == IMAGES
    assert [extent.first_index for extent in extents] == list(np.cumsum([0, *(e.row_count for e in extents)])[:-1])
    for extent in extents:
        column = extent.path.read_bytes()[extent.offset_bytes : extent.offset_bytes + extent.size_bytes]
        assert bench.subject.dataset.get(extent.first_index) in column
        assert extent.group_offset_bytes <= extent.offset_bytes
        assert extent.group_size_bytes >= extent.size_bytes


def test_a_large_dataset_is_sampled_by_row_groups(bench: Bench) -> None:
    import dataclasses

    small = dataclasses.replace(plan_named("quick"), working_set_bytes=1, sample_bytes=1)
    subject = Subject(bench.subject.dataset, small)
    assert len(subject.extents) == 1
    assert len(subject.images) == 1
    assert subject.raw_files == ()
    assert subject.extents == Subject(bench.subject.dataset, small).extents


def test_raw_files_are_the_images(bench: Bench) -> None:
    files = {path.read_bytes() for path in bench.subject.raw_files}
    assert files == {bench.subject.dataset.get(i) for i in range(IMAGES)}


def test_any_stretch_of_the_sample_is_like_the_whole() -> None:
    images = [HeldImage(payload=bytes([n % 251]) * 8, pixel_count=n * n) for n in range(200)]
    ordered = spread(images)
    assert sorted(image.pixel_count for image in ordered) == [n * n for n in range(200)]
    means = [np.mean([image.pixel_count for image in ordered[start : start + 40]]) for start in range(0, 200, 40)]
    assert max(means) / min(means) < 1.3


def test_touching_a_sliced_column_counts_only_the_slice() -> None:
    payloads = pa.array([b"a" * 10, b"b" * 20, b"c" * 30])
    column = pa.chunked_array([pa.StructArray.from_arrays([payloads], ["bytes"])])
    assert touch_bytes(column) == 60
    assert touch_bytes(pa.chunked_array([pa.StructArray.from_arrays([payloads.slice(1, 1)], ["bytes"])])) == 20


def test_what_does_not_decode_is_left_out(bench: Bench) -> None:
    broken = HeldImage(payload=b"\xff\xd8 nothing", pixel_count=1)
    good = bench.images[0]
    assert decodable([broken, good]) == (good,)
    assert run_window(Decode([good], 1, 32, is_bare=True), 0.0).tally.images == 1
    with pytest.raises(OSError, match="identify"):
        decode_bare(broken.payload)
