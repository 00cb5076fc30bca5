"""Device memory of training, item by item: weights, gradients, optimizer state, activations; whole or sharded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["activation_bytes", "interleave_factor", "selective_activation_bytes", "sharded_state_bytes", "state_bytes"]


_SPLIT: Final = "Korthikanti et al. 2022: one to eight devices share a layer"


@formula("bytes", "parameters x bytes of state per parameter / devices that share them")
def state_bytes(param_count: Draws, bytes_per_param: Draws, device_count: Draws) -> Any:
    """Bytes of weights, gradients and optimizer state on each of the devices that share a model.

    Source: Korthikanti et al. 2022 (arXiv 2205.05198): 18 bytes per parameter with gradients in full precision.

    Examples
    --------
    >>> round(state_bytes(12 * 48 * 6144.0**2, 18.0, 8.0) / 2**30, 4)
    45.5625
    """
    return param_count * bytes_per_param / device_count


@formula("bytes", "parameters x (weights + gradients + optimizer state), each divided by the replicas from its stage on")
def sharded_state_bytes(
    param_count: Draws,
    weight_bytes: Draws,
    gradient_bytes: Draws,
    optimizer_bytes: Draws,
    shard_stage_index: Draws,
    replica_count: Draws,
) -> Any:
    """Bytes of state on each device when replicas share it: stage 1 the optimizer, 2 the gradients too, 3 the weights too.

    Source: Rajbhandari et al. 2020 (ZeRO, arXiv 1910.02054), section 3 and figure 1.

    Examples
    --------
    >>> [round(float(sharded_state_bytes(7.5e9, 2.0, 2.0, 12.0, stage, 64.0)) / 1e9, 1) for stage in (0, 1, 2, 3)]
    [120.0, 31.4, 16.6, 1.9]
    """

    def part(size_bytes: Draws, stage: int) -> Any:
        return size_bytes / np.where(np.asarray(shard_stage_index) >= stage, np.maximum(replica_count, 1), 1.0)

    return param_count * (part(weight_bytes, 3) + part(gradient_bytes, 2) + part(optimizer_bytes, 1))


@formula("ratio", "1 + (p - 1) / (p m) for pipeline stages p and interleaved parts m above 1, else 1")
def interleave_factor(pipeline_count: Draws, interleave_count: Draws) -> Any:
    """How many more activations the first stage of an interleaved pipeline holds.

    Source: Korthikanti et al. 2022 (arXiv 2205.05198), section 4.2.3.
    """
    factor = 1 + (pipeline_count - 1) / (pipeline_count * np.maximum(interleave_count, 1.0))
    return np.where(np.asarray(interleave_count) > 1, factor, 1.0)


@formula("bytes", "s b h L (10 + 24 / t + 5 a s / (h t)) x interleaving", valid={"tensor_count": (1, 8, _SPLIT)})
def activation_bytes(
    token_count: Draws,
    batch_count: Draws,
    width_count: Draws,
    layer_count: Draws,
    head_count: Draws,
    tensor_count: Draws,
    interleaving_factor: Draws,
) -> Any:
    """Bytes of activations of a transformer on each device at half precision, all of them kept.

    Source: Korthikanti et al. 2022 (arXiv 2205.05198), eq. 2; fused attention drops the last term.

    Examples
    --------
    >>> round(activation_bytes(2048.0, 4.0, 6144.0, 48.0, 64.0, 8.0, 1.0) / 2**30, 2)
    59.25
    """
    size = token_count * batch_count * width_count * layer_count
    attention = 5 * head_count * token_count / (width_count * tensor_count)
    return size * (10 + 24 / tensor_count + attention) * interleaving_factor


@formula("bytes", "34 s b h L / t x interleaving", valid={"tensor_count": (1, 8, _SPLIT)})
def selective_activation_bytes(
    token_count: Draws,
    batch_count: Draws,
    width_count: Draws,
    layer_count: Draws,
    tensor_count: Draws,
    interleaving_factor: Draws,
) -> Any:
    """Bytes of activations with sequence parallelism, attention computed a second time.

    Source: Korthikanti et al. 2022 (arXiv 2205.05198), eq. 6.

    Examples
    --------
    >>> selective_activation_bytes(2048.0, 4.0, 6144.0, 48.0, 8.0, 1.0) / 2**30
    9.5625
    """
    return 34 * token_count * batch_count * width_count * layer_count / tensor_count * interleaving_factor
