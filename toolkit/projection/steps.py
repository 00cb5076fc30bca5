"""One training step on many devices: what each computes, what it waits for the others, and how many devices end a run in time.

The time of a step has three parts: the arithmetic of a device's share of the samples; what is paid again for each step
however few samples it has; and the part of adding up gradients that no computation hides.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.projection.explain import formula
from toolkit.projection.network import allreduce_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = [
    "count_of_each", "device_gradients", "exposed", "gradient_time", "kept_share", "needed_count",
    "node_gradients", "replica_time", "ring_members", "split_wait", "step_batch", "step_rate", "step_time", "working_time",
]  # fmt: skip

_ROUNDS = 3
"""Times that a count is worked out anew from what it costs itself; each round adds less than a tenth of the one before."""


_MOST: Final = "ResNet-50 on up to 3,584 devices (MLPerf Training v3.0)"


@formula("s", "deadline x goodput x share left by neighbours / (1 + share of start and evaluation)")
def working_time(deadline_s: Draws, goodput_share: Draws, own_share: Draws, beside_factor: Draws) -> Any:
    """Seconds of the deadline in which steps are made.  Source: definition; losses multiply."""
    return deadline_s * goodput_share * own_share / beside_factor


@formula("s", "samples of a step / (rate of a device x devices of a replica x (1 - bubble)) + waiting between its parts")
def replica_time(
    batch_images: Draws, rate_images_per_s: Draws, split_count: Draws, bubble_share: Draws, split_wait_s: Draws
) -> Any:
    """Seconds that a replica takes for a whole step of its own, alone.  Source: definition."""
    return batch_images / (rate_images_per_s * split_count * (1 - bubble_share)) + split_wait_s


@formula(
    "s",
    "tensor bytes / link (between nodes where t exceeds the devices of a node) + pipeline bytes / share of the fabric",
    valid={"tensor_count": (1, "devices_per_node", "beyond a node, layers wait for the network between nodes at every step")},
)
def split_wait(
    tensor_bytes: Draws, pipeline_bytes: Draws, tensor_count: Draws, devices_per_node: Draws, device_link_bytes_per_s: Draws,
    fabric_bytes_per_s: Draws, payload_share: Draws,
) -> Any:  # fmt: skip
    """Seconds of a step that the devices of one replica wait for each other's activations; nothing hides these.

    Source: Narayanan et al. 2021 (arXiv 2104.04473), section 3.2: tensor parallelism stays within a node, whose links are
    ten times as fast.
    """
    outside = fabric_bytes_per_s * payload_share / devices_per_node
    link = np.where(np.asarray(tensor_count) > devices_per_node, outside, device_link_bytes_per_s * payload_share)
    return tensor_bytes / link + pipeline_bytes / outside


@formula("count", "nodes, where a replica fits into one; else replicas", valid={"device_count": (1, math.inf)})
def ring_members(device_count: Draws, split_count: Draws, devices_per_node: Draws) -> Any:
    """Members of the rings over which gradients are added up between nodes.

    Source: hierarchical all-reduce; replicas that span nodes add up part by part.

    Examples
    --------
    >>> [float(ring_members(64.0, split, 8.0)) for split in (1.0, 4.0, 32.0)]
    [8.0, 8.0, 2.0]
    """
    return np.where(np.asarray(split_count) <= devices_per_node, np.ceil(device_count / devices_per_node),
                    device_count / split_count)  # fmt: skip


@formula(
    "s",
    "in the node: 2 (m - 1) / m x part / device link; between nodes: 2 (M - 1) / M x a node's parts / fabric + latency",
    valid={"device_count": (1, 3584, _MOST)},
)
def gradient_time(
    device_count: Draws, split_count: Draws, devices_per_node: Draws, gradient_bytes: Draws, device_link_bytes_per_s: Draws,
    fabric_bytes_per_s: Draws, payload_share: Draws, latency_s: Draws,
) -> Any:  # fmt: skip
    """Seconds to add up gradients: within nodes over the devices' links, between nodes over the fabric; 0 on one device.

    The latency is that of a ring or of two trees, whichever is less, as the collective libraries choose.

    Source: hierarchical all-reduce; alpha-beta model, Thakur, Rabenseifner and Gropp 2005; Sanders, Speck and Traff 2009.

    Examples
    --------
    >>> alone, node, two = (float(gradient_time(n, 1.0, 8.0, 1e9, 1e11, 1e10, 1.0, 0.0)) for n in (1.0, 8.0, 16.0))
    >>> alone, round(node, 4), round(two, 4)
    (0.0, 0.0175, 0.1175)
    """
    inside = np.maximum(1.0, np.minimum(device_count, devices_per_node) / split_count)
    within_s = 2 * (inside - 1) / inside * gradient_bytes / split_count / (device_link_bytes_per_s * payload_share)
    members = np.maximum(1.0, ring_members(device_count, split_count, devices_per_node))
    node_bytes = gradient_bytes * np.minimum(1.0, devices_per_node / split_count)
    hops = 2 * np.minimum(members - 1, np.log2(members) + 1)
    between_s = 2 * (members - 1) / members * node_bytes / (fabric_bytes_per_s * payload_share)
    return within_s + between_s + hops * latency_s


@formula(
    "share",
    "share kept by each doubling ^ log2(nodes) / (1 + contention (n - 1) + coherence n (n - 1)) x error of the law",
    valid={"device_count": (1, 3584, _MOST)},
)
def kept_share(
    device_count: Draws, devices_per_node: Draws, doubling_share: Draws, contention_share: Draws, coherence_share: Draws,
    scaling_factor: Draws | float = 1.0,
) -> Any:  # fmt: skip
    """Share of its rate that a device keeps among many, at a step as large as alone; one node loses nothing.

    Source: Goyal et al. 2017 (arXiv 1706.02677), about 90 % from 8 to 256 devices; where rates of several devices were
    measured, the universal scalability law fitted to them (Gunther 1993) stands in its place.

    Examples
    --------
    >>> [round(float(kept_share(n, 8.0, 0.98, 0.0, 0.0)), 3) for n in (1.0, 8.0, 256.0)]
    [1.0, 1.0, 0.904]
    """
    nodes = np.maximum(1.0, np.ceil(device_count / devices_per_node))
    others = np.maximum(device_count, 1.0) - 1
    law = doubling_share ** np.log2(nodes) / (1 + contention_share * others + coherence_share * others * (others + 1))
    return law * np.where(others > 0, scaling_factor, 1.0)


@formula("images", "samples of a step of one replica, or its part of the largest step that the recipe allows")
def step_batch(batch_images: Draws, batch_limit_images: Draws, device_count: Draws, split_count: Draws) -> Any:
    """Samples of a replica in one step.

    Source: definition; steps larger than a recipe allows do not train in as many passes (Goyal et al. 2017; Shallue et al.
    2019, arXiv 1811.03600).
    """
    return np.minimum(batch_images, batch_limit_images * split_count / np.maximum(device_count, 1))


@formula(
    "s",
    "share of the step x alone / kept share + cost of any step x (1 - share of the step) + gradients not hidden",
    valid={"step_batch_images": (0, "batch_images")},
)
def step_time(
    replica_s: Draws, step_batch_images: Draws, batch_images: Draws, scaling_share: Draws, sync_s: Draws, exposed_s: Draws
) -> Any:
    """Seconds of a step among many devices.

    A rate holds for its own samples in a step; of fewer, what any step costs is paid again.

    Source: linear law of a step in its samples, fitted to ResNet-50 on 8 to 3,584 H100 (MLPerf Training v3.0) within 5 %.
    """
    part = step_batch_images / batch_images
    return part * replica_s / scaling_share + np.minimum(sync_s, replica_s) * (1 - part) + exposed_s


@formula("s", "time of gradients - share of the backward pass that hides them x 2/3 of the step's arithmetic, at least 0")
def exposed(
    network_s: Draws, replica_s: Draws, step_batch_images: Draws, batch_images: Draws, scaling_share: Draws,
    overlap_share: Draws, exposure_factor: Draws,
) -> Any:  # fmt: skip
    """Seconds of a step that wait for the network; none where measured rates of several devices hold it already.

    Source: gradients of later layers travel while earlier ones are computed (Li et al. 2020, arXiv 2006.15704); the backward
    pass is two thirds of a step.
    """
    computed_s = step_batch_images / batch_images * replica_s / scaling_share
    return exposure_factor * np.maximum(0.0, network_s - np.minimum(1.0, overlap_share) * 2 / 3 * computed_s)


@formula("bytes_per_s", "2 (r - 1) / r x gradient bytes / devices of a replica / time of a step, r replicas")
def device_gradients(replica_count: Draws, gradient_bytes: Draws, split_count: Draws, step_s: Draws) -> Any:
    """Bytes each second that a device sends to add up its part of the gradients.

    Source: Patarasuk and Yuan 2009; nccl-tests, PERFORMANCE.md.
    """
    return allreduce_bytes(replica_count, gradient_bytes / split_count) / step_s


@formula("bytes_per_s", "2 (M - 1) / M x gradients of a node's parts / time of a step, M members of a ring; 0 in one node")
def node_gradients(device_count: Draws, split_count: Draws, devices_per_node: Draws, gradient_bytes: Draws, step_s: Draws) -> Any:
    """Bytes each second that a node sends to others to add up gradients.  Source: hierarchical ring, see ``gradient_time``."""
    members = np.maximum(1.0, ring_members(device_count, split_count, devices_per_node))
    return allreduce_bytes(members, gradient_bytes * np.minimum(1.0, devices_per_node / split_count)) / step_s


@formula(
    "images_per_s",
    "replicas x samples of a step of each / time of a step x goodput x share left by neighbours",
    valid={"device_count": (1, 3584, _MOST)},
)
def step_rate(
    device_count: Draws, split_count: Draws, step_batch_images: Draws, step_s: Draws, goodput_share: Draws, own_share: Draws
) -> Any:
    """Samples each second that the devices take in together.  Source: definition."""
    return device_count / split_count * step_batch_images / step_s * goodput_share * own_share


def _replicas(
    steps: Draws, working_s: Draws, replica_s: Draws, batch: Draws, limit: Draws, sync_s: Draws, wait_s: Draws, hidden: Draws
) -> Any:
    """Return replicas that end a run in time, given what gradients take; infinite where none do."""
    with np.errstate(divide="ignore", invalid="ignore"):
        whole_s = np.maximum(replica_s, replica_s * (1 - hidden) + wait_s)
        free = steps * (limit / batch) * whole_s / working_s
        most_s = working_s / steps
        fixed_s = np.minimum(sync_s, replica_s)
        room, room_waiting = most_s - fixed_s, most_s - fixed_s - wait_s
        bound = limit / batch * np.maximum(
            np.where(room > 0, (replica_s - fixed_s) / room, np.inf),
            np.where(room_waiting > 0, np.maximum(replica_s * (1 - hidden) - fixed_s, 0.0) / room_waiting, np.inf),
        )  # fmt: skip
    return np.where(free * batch <= limit, free, np.maximum(bound, limit / batch))


@formula("count", "least whole replicas whose steps, waiting included, end within the deadline")
def needed_count(
    *, samples: Draws, working_s: Draws, replica_s: Draws, batch_images: Draws, batch_limit_images: Draws, sync_s: Draws,
    overlap_share: Draws, exposure_factor: Draws, split_count: Draws, devices_per_node: Draws, doubling_share: Draws,
    contention_share: Draws, coherence_share: Draws, scaling_factor: Draws, gradient_bytes: Draws, device_link_bytes_per_s: Draws,
    fabric_bytes_per_s: Draws, payload_share: Draws, latency_s: Draws,
) -> Any:  # fmt: skip
    """Devices that end a run within the deadline. Where none do, those beyond which a step waits longer than it computes.

    What the devices cost each other rises with their count, so that the count is worked out again from its own cost.

    Source: definition; the step is that of ``step_time``, the waiting that of ``gradient_time``.
    """
    steps, hidden = samples / batch_limit_images, np.minimum(1.0, overlap_share) * 2 / 3
    count = np.maximum(1.0, samples * replica_s / (batch_images * working_s)) * split_count
    links = (gradient_bytes, device_link_bytes_per_s, fabric_bytes_per_s, payload_share, latency_s)
    for _ in range(_ROUNDS):
        wait_s = exposure_factor * gradient_time(count, split_count, devices_per_node, *links)
        alone_s = replica_s / kept_share(
            count, devices_per_node, doubling_share, contention_share, coherence_share, scaling_factor
        )
        needed = _replicas(steps, working_s, alone_s, batch_images, batch_limit_images, sync_s, wait_s, hidden)
        with np.errstate(divide="ignore"):
            useful = batch_limit_images / batch_images * alone_s / (wait_s + np.minimum(sync_s, replica_s))
        count = np.where(np.isfinite(needed), needed * split_count, np.maximum(useful * split_count, devices_per_node))
        count = np.minimum(count, np.maximum(devices_per_node, _peak(contention_share, coherence_share)))
    return np.maximum(1.0, np.ceil(count / split_count - 1e-9)) * split_count


def _peak(contention_share: Draws, coherence_share: Draws) -> Any:
    """Return the count beyond which more devices are slower, by the universal scalability law; infinite without coherence."""
    coherence = np.asarray(coherence_share, dtype=np.float64)
    return np.where(coherence > 0, np.sqrt((1 - contention_share) / np.where(coherence > 0, coherence, 1.0)), np.inf)


@formula("count", "needed x devices bought over those needed, in whole replicas")
def count_of_each(needed_count: Draws, margin_factor: Draws, split_count: Draws) -> Any:
    """Devices that are bought where each draw is a case of its own.  Source: definition; the margin is the plan's.

    Examples
    --------
    >>> float(count_of_each(10.0, 1.25, 1.0)), float(count_of_each(16.0, 1.25, 8.0))
    (13.0, 24.0)
    """
    return np.ceil(needed_count * margin_factor / split_count - 1e-9) * split_count
