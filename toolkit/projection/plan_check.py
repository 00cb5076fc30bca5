"""Whether what is bought keeps what the plan claims: the run and the serving once more, on whole nodes, drives and instances."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.projection import capacity, hosts, storage, training
from toolkit.projection.explain import formula
from toolkit.projection.givens_keys import origin_of
from toolkit.projection.hardware_facts import accelerators
from toolkit.projection.purchases import units_bought
from toolkit.projection.queueing import md1_wait, mdc_wait, mmc_wait
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from toolkit.projection.explain import Ledger
    from toolkit.projection.scenario import Scenario, Training

    Draws = NDArray[np.float64]

__all__ = [
    "busy_share", "derive", "devices_in", "flags_of", "joint_wait", "late_stage", "load_of_each", "random_wait", "rate_on_bought",
]  # fmt: skip


@formula("images_per_s", "rate of the devices needed x devices in the whole nodes that are bought / devices needed")
def rate_on_bought(rate_images_per_s: Draws, device_count: Draws, bought_count: Draws) -> Any:
    """Samples each second that the devices which are bought take in.

    Source: definition; a few more devices are taken to scale as those that are needed do.

    Examples
    --------
    >>> float(rate_on_bought(3000.0, 3.0, 8.0))
    8000.0
    """
    return rate_images_per_s * bought_count / np.maximum(device_count, 1.0)


@formula("count", "whole nodes that are bought x devices in each")
def devices_in(bought_count: Draws, devices_per_node: Draws) -> Any:
    """Devices in the nodes that are bought.  Source: definition."""
    return bought_count * devices_per_node


@formula("per_s", "requests / instances bought less the spare ones; whole streams where they are exclusive")
def load_of_each(offered_per_s: Draws, bought_count: Draws, spare_count: Draws, frames_per_s: Draws | float = 0.0) -> Any:
    """Requests each second on an instance that is bought, when the spare ones have failed.

    Source: definition.

    Examples
    --------
    >>> float(load_of_each(900.0, 5.0, 1.0)), float(load_of_each(900.0, 5.0, 1.0, 30.0))
    (225.0, 240.0)
    """
    each = offered_per_s / np.maximum(1.0, bought_count - spare_count)
    frames = np.asarray(frames_per_s, dtype=np.float64)
    return np.where(frames > 0, np.ceil(each / np.where(frames > 0, frames, 1.0) - 1e-9) * frames, each)


def derive(ledger: Ledger, scenario: Scenario, months: Draws) -> None:
    """Enter what is bought by month, and how often a run on it is late or an answer too slow."""
    given = np.full((1, 1), scenario.plan.probability)
    source, evidence = origin_of(scenario, "plan.probability_share")
    ledger.give("plan.probability_share", "share", given, source=source, evidence=evidence)
    ledger.give("plan.month_index", "month", months[None, :], source="the calendar", evidence="published")
    needs = {"drive": "storage.drive_count", "node": "training.node_count", "instance": "inference.instance_count"}
    for part, needed in needs.items():
        if needed in ledger.values and (part != "node" or scenario.training is not None):
            ledger.derive(f"plan.{part}_count", units_bought, needed_count=needed, probability_share="plan.probability_share",
                          month_index="plan.month_index")  # fmt: skip
    if "storage.read_drive_count" in ledger.values:
        _read_drives(ledger)
    if scenario.training is not None:
        _run(ledger)
    if scenario.inference is not None:
        _serving(ledger, is_stream=scenario.inference.streams is not None)


def _read_drives(ledger: Ledger) -> None:
    """Enter drives bought for reading too, so that they do together with the nodes."""
    enter: Any = ledger.derive
    enter("plan.drives_share", hosts.drives_share, planned_share="training.planned_share")
    enter("plan.read_drive_count", units_bought, needed_count="storage.read_drive_count", probability_share="plan.drives_share",
          month_index="plan.month_index")  # fmt: skip
    enter("plan.reading_drive_count", hosts.nodes_of_each, device_node_count="plan.drive_count",
          host_node_count="plan.read_drive_count")  # fmt: skip


def _run(ledger: Ledger) -> None:
    enter: Any = ledger.derive
    enter("plan.gpu_count", devices_in, bought_count="plan.node_count", devices_per_node="training.devices_per_node")
    enter("plan.rate_images_per_s", rate_on_bought, rate_images_per_s="training.rate_images_per_s",
          device_count="training.gpu_count", bought_count="plan.gpu_count")  # fmt: skip
    enter("plan.decode_images_per_s", training.decode_supply, node_count="plan.node_count",
          cores_per_node="training.cores_per_node", core_images_per_s="supply.core_images_per_s")  # fmt: skip
    supply, links = "plan.supply_bytes_per_s", {"link_bytes_per_s": "network.node_link_bytes_per_s",
                                                "payload_share": "network.payload_share"}  # fmt: skip
    if "supply.stated_bytes_per_s" in ledger.values:
        enter(supply, storage.stated_supply, stated_bytes_per_s="supply.stated_bytes_per_s")
    elif "supply.node_bytes_per_s" in ledger.values:
        enter(supply, storage.supply_of_nodes, node_bytes_per_s="supply.node_bytes_per_s", node_count="plan.node_count")
    elif "price.shared_tier_usd_per_byte_s" in ledger.values:
        enter(supply, storage.over_links, node_count="plan.node_count", **links)
    else:
        drives = "plan.reading_drive_count" if "plan.reading_drive_count" in ledger.values else "plan.drive_count"
        enter(supply, storage.supply_of_drives, drive_count=drives, drive_bytes_per_s="drive.read_bytes_per_s",
              delivery_share="storage.delivery_share", node_count="plan.node_count", **links)  # fmt: skip
    enter("plan.elapsed_s", training.elapsed, samples="training.samples", rate_images_per_s="plan.rate_images_per_s",
          decode_images_per_s="plan.decode_images_per_s", supply_bytes_per_s=supply,
          read_bytes_per_image="training.read_bytes_per_image", beside_factor="training.beside_factor")  # fmt: skip
    enter("plan.late_share", capacity.shortage, needed="plan.elapsed_s", available="training.deadline_s")


def _serving(ledger: Ledger, *, is_stream: bool) -> None:
    frames = {"frames_per_s": "inference.frames_per_s"} if is_stream else {}
    ledger.derive("plan.load_per_s", load_of_each, offered_per_s="inference.offered_per_s", bought_count="plan.instance_count",
                  spare_count="inference.spare_count", **frames)  # fmt: skip
    if not is_stream:
        _waits(ledger)
    ledger.derive("plan.missed_share", capacity.shortage, needed="inference.instance_count", available="plan.instance_count")


@formula("s", "M/D/c at the medians of each month: one queue before all instances, one request at a time")
def joint_wait(load_per_s: Draws, bought_count: Draws, spare_count: Draws, single_s: Draws) -> Any:
    """Mean wait of a request where all instances share a queue; unbounded where only batches keep up.

    Source: Cosmetatos 1975, M/D/c; see queueing.mdc_wait.
    """
    return _by_month(mdc_wait, load_per_s, bought_count - spare_count, single_s)


@formula("s", "M/M/c at the medians of each month: one queue, requests that take as long as chance has it")
def random_wait(load_per_s: Draws, bought_count: Draws, spare_count: Draws, single_s: Draws) -> Any:
    """Mean wait of a request where requests take very different times; unbounded where only batches keep up.

    Source: Kleinrock 1975, Queueing Systems I, section 3.5; see queueing.mmc_wait.
    """
    return _by_month(mmc_wait, load_per_s, bought_count - spare_count, single_s)


def _by_month(wait: Callable[[int, float, float], float], load_per_s: Draws, server_count: Draws, single_s: Draws) -> Draws:
    """Return a wait at the medians of each month."""
    servers, loads = np.median(np.maximum(server_count, 1), axis=0), np.median(load_per_s, axis=0)
    service_s = float(np.median(single_s))
    pairs = zip(*np.broadcast_arrays(servers, loads), strict=True)
    return np.array([[wait(int(count), float(load) * count * service_s, service_s) for count, load in pairs]])


@formula("share", "load of an instance x time of one request")
def busy_share(load_per_s: Draws, single_s: Draws) -> Any:
    """Share of the time that an instance would be busy, one request at a time; above 1 only batches keep up.

    Source: utilisation law (Denning and Buzen 1978).
    """
    return load_per_s * single_s


def _waits(ledger: Ledger) -> None:
    """Enter the waits at the instances that are bought, requests taken one at a time."""
    enter: Any = ledger.derive
    shape = {"load_per_s": "plan.load_per_s", "bought_count": "plan.instance_count", "spare_count": "inference.spare_count",
             "single_s": "inference.single_s"}  # fmt: skip
    enter("plan.joint_wait_s", joint_wait, **shape)
    enter("plan.random_wait_s", random_wait, **shape)
    enter("plan.busy_share", busy_share, load_per_s="plan.load_per_s", single_s="inference.single_s")
    enter("plan.split_wait_s", md1_wait, load_share="plan.busy_share", service_s="inference.single_s")


def late_stage(ledger: Ledger, scenario: Scenario) -> str:
    """Return what holds a run up on what is bought, at the last month; empty where the deadline is kept."""
    if scenario.training is None or ledger.median("plan.late_share") <= 1 - scenario.plan.probability + 1e-9:
        return ""
    stages = _stages(ledger)
    return min(stages, key=lambda name: stages[name])


def _stages(ledger: Ledger) -> dict[str, float]:
    """Return the samples each second that each stage lets through."""
    read = ledger.median("training.read_bytes_per_image")
    return {
        "the devices": ledger.median("plan.rate_images_per_s"),
        "image decoding": ledger.median("plan.decode_images_per_s"),
        "storage": ledger.median("plan.supply_bytes_per_s") / read if read > 0 else math.inf,
    }


def flags_of(ledger: Ledger, scenario: Scenario, months: Draws) -> list[str]:
    """Return what is to be said of a plan that does not keep what it claims."""
    flags, allowed = [], 1 - scenario.plan.probability
    trained = scenario.training
    stage = late_stage(ledger, scenario)
    if stage and trained is not None:
        late = show(ledger.median("plan.late_share"), "share")
        flags.append(
            f"the plan does not keep the deadline of {show(trained.deadline, 's')}: on what is bought a run is late in {late} of "
            f"the draws at month {int(months[-1])}, where {show(allowed, 'share')} are allowed; {_remedy(ledger, trained, stage)}"
        )
    if trained is not None and (more := _cores_instead(ledger, trained)):
        flags.append(more)
    if trained is not None:
        memory, there = ledger.median("training.memory_bytes"), float(accelerators()[trained.accelerator].memory)
        if memory > there:
            flags.append(
                f"the plan does not work: a step takes {show(memory, 'bytes')} of device memory and there are "
                f"{show(there, 'bytes')}; a smaller training.batch_per_accelerator, or a higher training.shard_stage_index"
            )
    if scenario.inference is not None and ledger.median("plan.missed_share") > allowed + 1e-9:
        missed = show(ledger.median("plan.missed_share"), "share")
        flags.append(
            f"the plan does not keep the objective of {show(scenario.inference.latency_p99, 's')}: the instances that are bought "
            f"miss it in {missed} of the draws at month {int(months[-1])}, where {show(allowed, 'share')} are allowed"
        )
    return flags


def _cores_instead(ledger: Ledger, trained: Training) -> str:
    """Return that more cores in each node would do in place of nodes that are bought for their cores alone; empty if none are."""
    nodes, filled = ledger.median("training.node_count"), ledger.median("training.device_node_count")
    if nodes <= filled or "training.joint_share" not in ledger.values or trained.cores_per_node <= 0:
        return ""
    links = "training.link_node_count"
    if links in ledger.values and ledger.median(links) > ledger.median("training.decode_node_count"):
        wanted = "wider links (network.node_link), or more memory or drives in a node, would do with fewer"
    else:
        cores = math.ceil(ledger.median("training.cores_per_node") * nodes / filled)
        wanted = f"{cores} cores in each (training.cores_per_node) would do with {filled:,.0f}"
    return (
        f"{nodes - filled:,.0f} of the {nodes:,.0f} nodes are bought for what stands beside their devices, which idle: {wanted}"
    )


_DECODING: Final = ("training.samples", "training.beside_factor", "training.deadline_s", "supply.core_images_per_s")
"""What the cores that decode in time follow from."""


def _remedy(ledger: Ledger, trained: Training, stage: str) -> str:
    if stage == "image decoding":
        last = {name: ledger.values[name][:, -1] for name in _DECODING}
        asked = last["training.samples"] * last["training.beside_factor"] / last["training.deadline_s"]
        share = ledger.median("plan.probability_share")
        each = asked / last["supply.core_images_per_s"] / ledger.median("plan.node_count")
        cores = math.ceil(float(np.quantile(each, share, method="higher")))
        return (
            f"image decoding limits: it takes {cores} cores in each of the nodes (training.cores_per_node), "
            f"not {trained.cores_per_node}"
        )
    needed, there = ledger.median("bandwidth.epoch_read_bytes_per_s"), ledger.median("plan.supply_bytes_per_s")
    if stage == "storage":
        return (
            f"storage limits: {show(there, 'bytes_per_s')} come through of the {show(needed, 'bytes_per_s')} that are needed; "
            "wider links (network.node_link), more memory or drives in a node (training.nvme_per_node), or a wider storage.supply"
        )
    return "the devices limit; a longer training.deadline, or fewer epochs"
