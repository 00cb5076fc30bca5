"""What a model that is split over devices sends: inside its layers, from stage to stage, and what stages wait for each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = [
    "bubble_share", "gradient_sum", "part_activations", "part_params", "pipeline_bytes", "replica_count", "split_count",
    "split_rate", "split_share", "tensor_bytes", "tree_allreduce_time", "whole_replicas",
]  # fmt: skip


@formula(
    "bytes",
    "layers x 4 x 2 (t - 1) / t x batch x tokens x width x bytes of an activation",
    valid={"tensor_count": (1, 8, "Megatron-LM, one to eight devices with links of their own")},
)
def tensor_bytes(
    layer_count: Draws, tensor_count: Draws, batch_images: Draws, token_count: Draws, width_count: Draws, activation_bytes: Draws
) -> Any:
    """Bytes that each device sends in a step where its layers are split over t devices.

    Two all-reduces of the block's activations forward and two backward; sequence parallelism sends as much.

    Source: Shoeybi et al. 2019 (Megatron-LM, arXiv 1909.08053), section 3; Korthikanti et al. 2022 (arXiv 2205.05198).

    Examples
    --------
    >>> float(tensor_bytes(1.0, 2.0, 1.0, 10.0, 100.0, 2.0)), float(tensor_bytes(1.0, 1.0, 1.0, 10.0, 100.0, 2.0))
    (8000.0, 0.0)
    """
    count = np.maximum(tensor_count, 1)
    return layer_count * 4 * 2 * (count - 1) / count * batch_images * token_count * width_count * activation_bytes


@formula("bytes", "2 x batch x tokens x width x bytes of an activation / t, where there is more than one stage")
def pipeline_bytes(
    pipeline_count: Draws,
    tensor_count: Draws,
    batch_images: Draws,
    token_count: Draws,
    width_count: Draws,
    activation_bytes: Draws,
) -> Any:
    """Bytes that each device sends to its neighbours in a step of a pipeline: activations forward, their gradients backward.

    Source: Narayanan et al. 2021 (arXiv 2104.04473), section 3.2: b s h for each pair of neighbours, scattered over t devices.

    Examples
    --------
    >>> float(pipeline_bytes(2.0, 1.0, 1.0, 10.0, 100.0, 2.0)), float(pipeline_bytes(1.0, 1.0, 1.0, 10.0, 100.0, 2.0))
    (4000.0, 0.0)
    """
    sent = 2 * batch_images * token_count * width_count * activation_bytes / np.maximum(tensor_count, 1)
    return np.where(np.asarray(pipeline_count) > 1, sent, 0.0)


@formula(
    "share",
    "(p - 1) / (p - 1 + micro-batches)",
    valid={"micro_batch_count": ("pipeline_count", math.inf, "with fewer micro-batches than stages some never work")},
)
def bubble_share(pipeline_count: Draws, micro_batch_count: Draws) -> Any:
    """Share of a step in which stages of a pipeline wait to be filled and drained.

    Source: Huang et al. 2019 (GPipe, arXiv 1811.06965); Narayanan et al. 2021 (arXiv 2104.04473), section 2.2.

    Examples
    --------
    >>> round(float(bubble_share(4.0, 12.0)), 2), float(bubble_share(1.0, 8.0))
    (0.2, 0.0)
    """
    return (pipeline_count - 1) / (pipeline_count - 1 + micro_batch_count)


@formula("share", "scaling x (1 - share of the bubble)")
def split_share(scaling_share: Draws, bubble_share: Draws) -> Any:
    """Share of the devices' rates that is left when they wait for each other.  Source: definition; losses multiply."""
    return scaling_share * (1 - bubble_share)


@formula("bytes_per_s", "bytes of a whole step x share of one that is made / time of a step")
def split_rate(step_bytes: Draws, step_s: Draws, step_batch_images: Draws, batch_images: Draws) -> Any:
    """Bytes each second that each device sends for a model split over several; each takes part in its replica's whole batch.

    Source: definition.
    """
    return step_bytes * step_batch_images / batch_images / step_s


@formula(
    "s", "2 log2(n) x latency + 2 x gradient bytes / link rate", valid={"member_count": (1, math.inf, "one member sends nothing")}
)
def tree_allreduce_time(member_count: Draws, gradient_bytes: Draws, link_bytes_per_s: Draws, latency_s: Draws) -> Any:
    """Seconds of an all-reduce over two binary trees: fewer steps than a ring where there are many members, as many bytes.

    Source: Sanders, Speck and Traff 2009, "Two-tree algorithms for full bandwidth broadcast, reduction and scan",
    doi 10.1016/j.parco.2009.09.001; NCCL 2.4 uses them.

    Examples
    --------
    >>> round(float(tree_allreduce_time(1024.0, 1e6, 1e9, 1e-5)), 6), float(tree_allreduce_time(1.0, 1e6, 1e9, 1e-5))
    (0.0022, 0.0)
    """
    steps = np.ceil(np.log2(np.maximum(member_count, 1)))
    moved = np.where(np.asarray(member_count) > 1, 2 * gradient_bytes / link_bytes_per_s, 0.0)
    return 2 * steps * latency_s + moved


@formula("count", "tensor x pipeline")
def split_count(tensor_count: Draws, pipeline_count: Draws) -> Any:
    """Devices that hold one replica of the model together.  Source: definition."""
    return tensor_count * pipeline_count


@formula("count", "devices, rounded up to whole replicas")
def whole_replicas(needed_count: Draws, split_count: Draws) -> Any:
    """Devices that make whole replicas.  Source: definition."""
    return np.ceil(needed_count / split_count) * split_count


@formula(
    "count",
    "devices / devices of one replica",
    valid={"device_count": ("split_count", math.inf, "a replica has all of its devices")},
)
def replica_count(device_count: Draws, split_count: Draws) -> Any:
    """Replicas, between which gradients are added up.  Source: definition."""
    return device_count / split_count


@formula("count", "parameters / devices of one replica")
def part_params(param_count: Draws, split_count: Draws) -> Any:
    """Parameters that a device holds, layers split evenly.

    Source: Korthikanti et al. 2022 (arXiv 2205.05198); published state of models of 22 to 1,000 billion parameters.
    """
    return param_count / split_count


@formula("bytes", "activations of a sample / tensor")
def part_activations(activation_bytes: Draws, tensor_count: Draws) -> Any:
    """Activations that a device keeps: the first stage of a pipeline keeps those of as many micro-batches as there are stages.

    Source: Korthikanti et al. 2022 (arXiv 2205.05198), sections 4.2.2 and 4.2.3, with sequence parallelism.
    """
    return activation_bytes / tensor_count


@formula("bytes", "parameters x bytes of a gradient")
def gradient_sum(param_count: Draws, gradient_bytes: Draws) -> Any:
    """Bytes of all gradients of a model.  Source: definition."""
    return param_count * gradient_bytes
