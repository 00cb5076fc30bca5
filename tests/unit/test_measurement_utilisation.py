"""Emulated accelerators: pacing of known rates, the search, and a run of the real thing on a small dataset."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from attempts import nearest, until_it_holds
from hypothesis import given
from hypothesis import strategies as st
from measured_dataset import build

from toolkit.dataset.reading import open_dataset
from toolkit.errors import UsageError
from toolkit.measurement.caches import can_prove, evict
from toolkit.measurement.feeding import Feed
from toolkit.measurement.invocation import Job
from toolkit.measurement.pacing import pace, sleep_finely
from toolkit.measurement.plans import plan_named
from toolkit.measurement.presets import PRESETS, own_preset, presets_named
from toolkit.measurement.probes import Bench
from toolkit.measurement.rank_processes import RankProcesses
from toolkit.measurement.subject import Subject
from toolkit.measurement.utilisation import chosen_presets, largest_passing, search_utilisation
from toolkit.measurement.values import values_of


@pytest.mark.parametrize("step_s", [0.0035, 0.012, 0.05])
def test_a_loader_that_takes_no_time_keeps_an_accelerator_fully_busy(step_s: float) -> None:
    sleep_finely()
    count = max(12, round(0.4 / step_s))
    for share in ("without_first_share", "with_first_share"):

        def busy_share(share: str = share) -> float:
            return float(getattr(pace(itertools.repeat(None), step_s, count), share))

        found = nearest(busy_share, 1, 0.005, tries=12)
        assert found == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize(("period_s", "busy"), [(0.020, 0.5), (0.0125, 0.8)])
def test_a_loader_of_known_period_leaves_the_share_that_follows(period_s: float, busy: float) -> None:
    """A batch every 20 ms for a step of 10 ms keeps it half busy, whatever the machine does meanwhile."""

    def batches() -> Iterator[None]:
        due_s = time.perf_counter()
        while True:
            due_s += period_s
            time.sleep(max(0.0, due_s - time.perf_counter()))
            yield

    assert nearest(lambda: pace(batches(), 0.010, 40).without_first_share, busy, 0.02, tries=8) == pytest.approx(busy, rel=0.02)


def test_the_first_step_counts_where_it_is_asked_for() -> None:
    def batches() -> Iterator[None]:
        time.sleep(0.2)
        while True:
            yield

    def attempt() -> None:
        paced = pace(batches(), 0.02, 10)
        assert paced.without_first_share == pytest.approx(1, abs=0.05)
        assert paced.with_first_share == pytest.approx(0.5, abs=0.06)

    until_it_holds(attempt, tries=5)


def test_a_consumer_that_cannot_keep_up_is_not_called_busy() -> None:
    """Oversleeping is forgiven only so far: steps that never ran on time are not counted as if they had."""
    slow = itertools.repeat(None)
    paced = pace((time.sleep(0.03) for _ in slow), 0.005, 20)
    assert paced.without_first_share < 0.2


@given(largest=st.integers(0, 300), guess=st.integers(0, 500), most=st.integers(1, 256))
def test_the_largest_number_is_found_from_any_guess(largest: int, guess: int, most: int) -> None:
    tried: list[int] = []

    def passes(count: int) -> bool:
        tried.append(count)
        return count <= largest

    found = largest_passing(passes, most, lambda: guess)
    true = min(largest, most)
    assert true - max(0, true // 20) <= found <= true
    assert len(tried) == len(set(tried)) <= 20
    assert all(1 <= count <= most for count in tried)


def test_presets_ask_for_what_the_benchmark_says() -> None:
    """Published demand of one accelerator, in MiB each second."""
    published = {
        "resnet50-a100": 100.5, "resnet50-h100": 195.3, "unet3d-a100": 1538.8, "unet3d-h100": 3029.9, "unet3d-b200": 6041,
        "cosmoflow-a100": 489.6, "cosmoflow-h100": 770.7, "retinanet-b200": 155.5, "retinanet-h100": 13.0,
    }  # fmt: skip
    assert set(published) == set(PRESETS)
    for name, rate in published.items():
        assert PRESETS[name].demand_bytes_per_s / 2**20 == pytest.approx(rate, rel=0.005)
        assert "mlcommons/storage@" in PRESETS[name].source


def test_what_is_no_preset_or_no_step_is_refused() -> None:
    with pytest.raises(UsageError, match="no preset 'resnet'"):
        presets_named(["resnet"])
    with pytest.raises(UsageError, match="more than 0 s"):
        own_preset(0.0, 8)
    assert [facts["name"] for facts in chosen_presets(["unet3d-h100"], 0.01, 8)] == ["unet3d-h100", "own"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("paced") / "dataset", 24)


def test_steps_are_gathered_over_epochs_and_let_go_at_the_end(dataset: Path) -> None:
    threads = threading.active_count()
    opened = open_dataset(dataset)
    feed = Feed(opened.loader(batch_size=5, workers=1, decode=False), 40, len, 3)
    with feed as steps:
        sizes = [sum(map(len, next(steps))) for _ in range(3)]  # type: ignore[call-overload]  # a step is a list of batches here
    assert sum(sizes) >= 120
    assert feed.image_count == sum(sizes)
    assert max(sizes) <= 45
    with Feed(opened.loader(batch_size=5, workers=1), 10**9, len, 3):
        time.sleep(0.05)
    assert threading.active_count() == threads


def test_a_trial_leaves_no_shard_mapped_that_the_next_is_to_read_cold(dataset: Path) -> None:
    opened = open_dataset(dataset)
    with Feed(opened.loader(batch_size=5, workers=1, decode=False), 40, len, 3) as steps:
        next(steps)
        held = Path("/proc/self/maps").read_text() if Path("/proc/self/maps").exists() else ""
        assert not held or any(str(path) in held for path in opened.shard_paths())
    if held:
        left = Path("/proc/self/maps").read_text()
        assert not [path for path in opened.shard_paths() if str(path) in left]


def test_a_trial_after_another_is_cold_again_where_its_shards_were_evicted(dataset: Path) -> None:
    if not can_prove(dataset):
        pytest.skip("the kernel does not account reads of this filesystem to the process")
    opened = open_dataset(dataset)
    shares = []
    with RankProcesses() as processes:
        for seed in range(2):
            evict(opened.shard_paths())
            found = processes.run(
                dataset=str(dataset), version=opened.version, preset=own_preset(0.001, 8), count=1, decode=False, verify=False,
                step_count=3, step_s=0.0, most_s=10.0, seed=seed,
            )  # fmt: skip
            shares.append((found.device_bytes or 0) / found.payload_bytes)
    assert min(shares) > 0.5, shares  # of so small a set a part is read with the footers, before the clock; warm it is 0


def test_a_fault_of_the_loader_reaches_the_consumer() -> None:
    class Broken:
        def set_epoch(self, epoch: int) -> None:
            raise OSError("the disk is gone")

        def close(self) -> None:
            pass

    with Feed(Broken(), 1, len, 3) as steps, pytest.raises(OSError, match="the disk is gone"):  # type: ignore[arg-type]  # all that a feed asks of a loader
        next(steps)


def found_on(dataset: Path, **step: Any) -> dict[tuple[str, str, str], Any]:
    """Return what a search finds on a dataset: measurements by name, number and output."""
    subject = Subject(open_dataset(dataset), plan_named("quick"))
    facts = {"dataset": str(dataset), "version": subject.dataset.version, "plan": "quick", "families": ("utilisation",)}
    job = Job(**facts, invocation=0, options={"presets": chosen_presets([], **step)})
    said: list[dict[str, Any]] = []
    with ExitStack() as stack:
        search_utilisation(Bench(subject, stack), job, lambda kind, **line: said.append(line | {"kind": kind}))
    found = values_of([line for line in said if line["kind"] == "value"])
    return {(m.metric, str(m.conditions.get("accelerators", "")), m.conditions["output"]): m for m in found}


def test_a_step_without_haste_keeps_accelerators_busy_and_the_rule_is_told(dataset: Path) -> None:
    until_it_holds(lambda: keeps_accelerators_busy(dataset))


def keeps_accelerators_busy(dataset: Path) -> None:
    found = found_on(dataset, step_s=0.25, batch_count=1)
    count = found["utilisation.accelerators", "", "encoded"]
    assert count.median >= 4
    assert count.unit == "count"
    one = found["utilisation.without_first_step", "1", "224 px"]
    assert one.median == pytest.approx(1, abs=0.02)
    assert one.cache_verdict in {"warm", "unverified"}
    assert {"dataset_below_rule", "few_steps"} <= set(count.flags)
    assert "not met" in count.limits
    assert "Not an MLPerf Storage result" in count.limits
    most = found["utilisation.sustained", "largest", "encoded"]
    assert 0.9 <= most.median <= 1.01
    asked = found["utilisation.rule_bytes", "", "encoded"].median
    memory = found["utilisation.rule_bytes", "", "encoded"]
    assert asked > 1e9 > memory.samples[0].payload_bytes
    rate = found["utilisation.samples", "largest", "encoded"].median
    felt = found["utilisation.with_first_step", "largest", "encoded"].median
    assert rate == pytest.approx(count.median / 0.25 * felt, rel=0.06)  # the benchmark's identity


def test_a_step_that_no_loader_can_feed_keeps_none_busy(dataset: Path) -> None:
    found = found_on(dataset, step_s=0.001, batch_count=400)
    assert found["utilisation.accelerators", "", "224 px"].median == 0
    assert found["utilisation.without_first_step", "1", "224 px"].median < 0.9
    assert ("utilisation.sustained", "largest", "224 px") not in found
