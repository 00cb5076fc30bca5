"""Steps of many devices: what is bought is fixed before it is known how a run turns out, and what is waited for takes time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import toolkit
from toolkit.projection import steps
from toolkit.projection.hardware_facts import accelerators, runs
from toolkit.projection.result import Projection
from toolkit.projection.utilised import family_share
from toolkit.projection.what_if import what_if

IMAGENET: dict[str, Any] = {
    "name": "imagenet", "horizon_months": 1, "dataset": {"images": 1_281_167, "image_size": "114660 B"},
    "training": {"model": "resnet50", "epochs": 90, "deadline": "4 min", "cores_per_node": 1024},
}  # fmt: skip
"""Published: 8 H100 take 56,018 images a second; ResNet-50 at steps of up to 57,344 in 77 passes (MLPerf Training v3.0)."""


def asked(draws: int = 300, **parts: Any) -> Projection:
    changed = {name: IMAGENET.get(name, {}) | part if isinstance(part, dict) else part for name, part in parts.items()}
    found: Projection = toolkit.project(IMAGENET | changed, draws=draws)
    return found


def test_a_replica_that_is_split_takes_its_part_of_the_largest_step() -> None:
    def samples(device_count: float, split_count: float) -> float:
        given = (np.array(each) for each in (256.0, 1024.0, device_count, split_count))
        return float(steps.step_batch(*given))

    assert samples(8, 4) == 256  # two replicas: the part of each is more than it takes
    assert samples(64, 4) == 1024 / 16
    assert samples(64, 1) == 1024 / 64


def three(projection: Projection, name: str) -> tuple[float, float, float]:
    node = projection.explanations[name]
    return node.p10[-1], node.p50[-1], node.p90[-1]


def test_what_is_bought_at_nine_of_ten_is_late_in_one_of_ten() -> None:
    found = asked(1_000)
    assert found.value("training.late_share") == pytest.approx(0.1, abs=0.03)
    low, middle, high = three(found, "training.elapsed_s")
    assert high / low > 1.15  # the spread of the rate is the spread of the time
    assert middle < 240
    counts = three(found, "training.gpu_count")
    assert counts[0] == counts[2] == pytest.approx(three(found, "training.needed_count")[2], abs=1)


def test_what_is_bought_at_the_median_is_late_in_one_of_two() -> None:
    found = asked(1_000, training={"deadline_probability": 0.5})
    assert found.value("training.late_share") == pytest.approx(0.5, abs=0.06)


def test_a_count_that_is_stated_is_kept_and_the_time_follows_it() -> None:
    some, more = (asked(training={"accelerator_count": count}) for count in (8, 16))
    assert three(some, "training.gpu_count") == (8, 8, 8)
    assert 1.7 < some.value("training.elapsed_s") / more.value("training.elapsed_s") < 2.0
    assert "training.needed_count" not in some.explanations


def test_an_input_that_is_worse_than_thought_makes_a_run_late_and_buys_nothing() -> None:
    moved = asked().sensitivity
    late = moved.filter((moved["quantity"] == "training.elapsed_s") & (moved["input"] == "device.half_images_per_s"))
    assert late["high_result"][0] < late["low_result"][0] - 10  # a faster device, a shorter run
    needed = moved.filter((moved["quantity"] == "training.gpu_count") & (moved["input"] == "device.half_images_per_s"))
    assert needed["low_result"][0] > needed["high_result"][0]  # what would have to be bought if the device were slower


@pytest.mark.parametrize(
    ("count", "epochs", "published_s"), [(8, 35, 813.4), (64, 35, 159.8), (512, 50, 30.36), (768, 56, 22.1), (3584, 77, 10.95)]
)
def test_devices_of_mlperf_lie_within_what_is_projected(count: int, epochs: int, published_s: float) -> None:
    found = asked(training={"epochs": epochs, "deadline": f"{published_s} s"})
    low, middle, high = three(found, "training.needed_count")
    assert low <= count <= high
    assert 0.6 < middle / count < 1.6


@pytest.mark.parametrize(
    ("model", "count", "hours", "samples"),
    [("clip_vit_b32", 128, 36, 413e6 * 32), ("clip_vit_b16", 176, 61, 413e6 * 32), ("clip_vit_l14", 400, 127, 413e6 * 32),
     ("clip_vit_h14", 824, 278.7, 34.7e9)],
)  # fmt: skip
def test_devices_of_openclip_lie_within_what_is_projected(model: str, count: int, hours: float, samples: float) -> None:
    trained = {"model": model, "accelerator": "a100_sxm_40gb", "accelerators_per_node": 4, "samples_seen": samples,
               "deadline": f"{hours} h", "epochs": None}  # fmt: skip
    low, middle, high = three(asked(training=trained), "training.needed_count")
    assert low <= count <= high
    assert 0.6 < middle / count < 1.6


def test_one_device_loses_nothing_and_each_doubling_of_nodes_a_little() -> None:
    one = asked(training={"accelerator_count": 1})
    assert three(one, "training.scaling_share") == (1, 1, 1)
    assert one.value("network.exposed_s") == one.value("network.allreduce_s") == 0
    kept = [steps.kept_share(n, 8.0, 0.98, 0.0, 0.0) for n in (8.0, 16.0, 256.0, 4096.0)]
    assert kept == sorted(kept, reverse=True)


def test_device_seconds_of_a_run_rise_with_its_devices() -> None:
    """MLPerf Training v3.0: 1.81 device-hours on 8 become 10.9 on 3,584. A constant share would say 1.81 throughout."""
    cost = [
        count * asked(60, training={"accelerator_count": count, "epochs": 77}).value("training.elapsed_s")
        for count in (8, 512, 3584)
    ]
    assert cost == sorted(cost)
    assert 1.8 < cost[2] / cost[0] < 3.5  # 7,002 over 2,764 images a second of each is 2.5


SLOW = {"network": {"node_link": "1 Gb/s"}, "training": {"model": "vit_h14", "epochs": 30, "batch_per_accelerator": 64}}


def test_waiting_for_a_slow_network_takes_time_and_is_said() -> None:
    slow = asked(**_counted(SLOW, 40))
    fast = asked(**_counted(SLOW | {"network": {"node_link": "400 GB/s"}}, 40))
    assert slow.value("network.exposed_s") > 10 * slow.value("training.step_s") / 11
    assert slow.value("training.elapsed_s") > 10 * fast.value("training.elapsed_s")
    assert any("gradients wait" in flag and "125 MB/s" in flag for flag in slow.flags)
    assert not any("gradients wait" in flag for flag in fast.flags)
    assert slow.value("network.nic_count") == 5  # a link that is waited for is full; it asks for no second one
    loads = slow.bottlenecks.filter(slow.bottlenecks["resource"] == "node network")
    assert loads["load_share"].max() > 0.8


def _counted(parts: dict[str, Any], count: int) -> dict[str, Any]:
    return parts | {"training": parts["training"] | {"accelerator_count": count}}


def test_a_network_that_is_too_slow_for_any_count_is_late_whatever_is_bought() -> None:
    found = asked(**SLOW | {"training": SLOW["training"] | {"deadline": "1 h"}})
    assert found.value("training.late_share") > 0.9
    assert any("no number of devices" in flag for flag in found.flags)


def test_a_device_needs_more_time_at_a_slower_network_and_never_less_devices() -> None:
    links = np.array([1e9, 1e10, 1e11])
    times = [float(steps.gradient_time(64.0, 1.0, 8.0, 1e9, 3e11, link, 0.9, 5e-6)) for link in links]
    assert times == sorted(times, reverse=True)
    assert times[0] / times[2] == pytest.approx(100, rel=0.3)  # the part within nodes does not change
    halved = float(steps.gradient_time(64.0, 1.0, 8.0, 1e9, 3e11, 1e10, 0.45, 5e-6))
    assert halved / times[1] == pytest.approx(2, rel=0.05)  # what protocols take of a link counts


@pytest.mark.parametrize(("split", "devices"), [(1, 64), (4, 64), (32, 64), (32, 32)])
def test_what_gradients_take_and_what_is_sent_agree(split: int, devices: int) -> None:
    wanted = {"model": "vit_h14", "tensor_count": split, "accelerator_count": devices, "batch_per_accelerator": 64}
    found = asked(20, training=wanted, network={"fabric_link": "100 GB/s"})
    time_s, sent = found.value("network.allreduce_s"), found.value("network.allreduce_bytes_per_s")
    assert (time_s == 0) == (sent == 0) == (split == devices)
    flagged = any("cross the network in every layer" in flag for flag in found.flags)
    assert flagged == (split > 8)
    if split == 32:
        assert found.value("network.split_wait_s") > 5 * asked(20, training=wanted | {"tensor_count": 8}).value(
            "network.split_wait_s"
        )


def test_a_published_run_is_not_predicted_from_itself() -> None:
    device = accelerators()["a100_sxm_40gb"]
    whole, without = family_share("contrastive", device), family_share("contrastive", device, ["openclip_b32"])
    assert without.share > whole.share
    assert whole.low < 0.16 < whole.high
    assert "6 published runs" in without.source
    wide, narrow = family_share(None, device), family_share("convolution", device)
    assert wide.high / wide.low > 1.3 * narrow.high / narrow.low
    assert all(run.source and run.as_of for run in runs().values())


def test_what_if_buys_for_each_case_on_its_own_and_begins_at_the_plan() -> None:
    projection = asked(300)
    found = what_if(projection)
    assert found is not None
    assert found.value("training.gpu_count") == projection.value("training.gpu_count")
    deadlines = next(given for given in found.inputs if given.name == "training.deadline_s").stops
    counts = [found.value("training.gpu_count", training_deadline_s=stop) for stop in deadlines]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 4 * counts[-1]
    assert found.value("training.elapsed_s", training_deadline_s=deadlines[0]) <= deadlines[0]


def test_the_figure_of_devices_tells_what_draws_need_not_the_one_count_that_is_bought() -> None:
    figure = toolkit.figures(asked(60))["compute"]
    ends = [trace.y for trace in figure.data if trace.y is not None and len(trace.y)]
    assert len({tuple(line) for line in ends}) > 1
