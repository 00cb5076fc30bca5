"""What a training run takes: arithmetic, devices, nodes, cores that decode, checkpoints, time, power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = [
    "checkpoint_rate",
    "checkpoint_size",
    "checkpoint_time",
    "cooling",
    "decode_cores",
    "decode_supply",
    "device_rate",
    "device_rate_forward",
    "elapsed",
    "energy",
    "epoch_reads",
    "ideal_nodes",
    "memory",
    "node_count",
    "node_network",
    "power",
    "precise_activations",
    "precise_rate",
    "read_bytes",
    "required_rate",
    "run_flop",
    "run_samples",
    "run_samples_fixed",
    "sample_flop",
]


@formula("images", "images x epochs")
def run_samples(images: Draws, epoch_count: Draws) -> Any:
    """Samples of a run that passes over the dataset a fixed number of times.  Source: definition."""
    return images * epoch_count


@formula("images", "samples seen, however large the dataset")
def run_samples_fixed(samples_seen: Draws, images: Draws) -> Any:
    """Samples of a run of fixed length.  Source: definition."""
    return samples_seen + 0 * images


@formula("flop", "samples x (6 x forward multiply-accumulates + 2 x those of parts that are run and not trained)")
def run_flop(samples: Draws, forward_mac_count: Draws, frozen_mac_count: Draws | float = 0.0) -> Any:
    """Floating-point operations of a run: 2 per multiply-accumulate, and a backward pass of twice the forward one.

    Source: Narayanan et al. 2021 (arXiv 2104.04473); Kaplan et al. 2020 (arXiv 2001.08361), C = 6 N D; a frozen part has no
    backward pass.

    Examples
    --------
    >>> float(run_flop(12.8e9, 87.7e9))
    6.73536e+21
    """
    return samples * (6 * forward_mac_count + 2 * frozen_mac_count)


@formula("flop", "6 x forward multiply-accumulates + 2 x those of parts that are run and not trained")
def sample_flop(forward_mac_count: Draws, frozen_mac_count: Draws) -> Any:
    """Floating-point operations of one sample in training.

    Source: Kaplan et al. 2020 (arXiv 2001.08361): 2 per multiply-accumulate forward, twice as many backward; a frozen part has
    no backward pass.

    Examples
    --------
    >>> sample_flop(100.0, 30.0)
    660.0
    """
    return 6 * forward_mac_count + 2 * frozen_mac_count


@formula("images_per_s", "peak rate at 16 bits x share of it that training reaches / operations per sample")
def device_rate(half_peak_flop_per_s: Draws, utilisation_share: Draws, sample_flop: Draws) -> Any:
    """Samples each second on one device at 16 bits.  Source: model FLOP utilisation, Chowdhery et al. 2022 (arXiv 2204.02311)."""
    return half_peak_flop_per_s * utilisation_share / sample_flop


@formula(
    "images_per_s", "1 / (arithmetic at 16 bits x peak at 16 bits / peak + the rest of the time x bytes over those at 16 bits)"
)
def precise_rate(
    half_images_per_s: Draws, sample_flop: Draws, half_peak_flop_per_s: Draws, product_share: Draws, peak_flop_per_s: Draws,
    activation_factor: Draws,
) -> Any:  # fmt: skip
    """Samples each second at a precision, from those at 16 bits: arithmetic goes by peaks, traffic of memory by bytes.

    Source: roofline in its sum form, as calibrated rates have it; Williams, Waterman and Patterson 2009,
    doi 10.1145/1498765.1498785.

    Examples
    --------
    >>> [round(float(precise_rate(7002.0, 24.66e9, 989e12, 0.8, peak, bytes))) for peak, bytes in ((989e12, 1), (67e12, 2))]
    [7002, 1463]
    """
    whole_s = 1 / np.asarray(half_images_per_s)
    arithmetic_s = np.minimum(whole_s, sample_flop / (half_peak_flop_per_s * product_share))
    return 1 / (arithmetic_s * half_peak_flop_per_s / peak_flop_per_s + (whole_s - arithmetic_s) * activation_factor)


@formula("bytes", "activations at 16 bits x bytes over those at 16 bits")
def precise_activations(activation_bytes: Draws, activation_factor: Draws) -> Any:
    """Bytes of activations that a sample keeps at a precision.  Source: definition."""
    return activation_bytes * activation_factor


@formula(
    "images_per_s",
    "peak rate x share of the peak that inference reaches / (2 x forward multiply-accumulates)",
    valid={"peak_flop_per_s": (36e12, 2e15, "MLPerf Inference: ten devices, ResNet-50 and RetinaNet")},
)
def device_rate_forward(peak_flop_per_s: Draws, utilisation_share: Draws, forward_mac_count: Draws) -> Any:
    """Samples each second that one device infers, from its peak.

    Source: MLPerf Inference v3.0 and v4.1: ResNet-50 offline reaches 31 to 73 % of the 8-bit peak of nine devices, 45 % in
    the middle; within 0.62 and 1.46 times, so a bound to plan by only where no rate is published.
    """
    return peak_flop_per_s * utilisation_share / (2 * forward_mac_count)


@formula("count", "devices / devices per node, rounded up", valid={"devices_per_node": (1, 72, "one device to a rack of 72")})
def node_count(device_count: Draws, devices_per_node: Draws) -> Any:
    """Nodes.  Source: definition."""
    return np.maximum(1, np.ceil(device_count / devices_per_node))


@formula("images_per_s", "samples / deadline")
def required_rate(samples: Draws, deadline_s: Draws) -> Any:
    """Samples each second that a run must take in to end within its deadline; whole devices could take in more.

    Source: definition.
    """
    return samples / deadline_s


@formula("s", "samples / the least of what the devices take, the cores decode and the storage delivers x (1 + start, evaluation)")
def elapsed(
    samples: Draws, rate_images_per_s: Draws, decode_images_per_s: Draws, supply_bytes_per_s: Draws,
    read_bytes_per_image: Draws, beside_factor: Draws | float = 1.0,
) -> Any:  # fmt: skip
    """Seconds of a run, with what passes beside its steps.

    Source: bottleneck law, throughput is at most the least of the stages' (Denning and Buzen 1978).
    """
    from_storage = supply_bytes_per_s / np.maximum(read_bytes_per_image, 1e-9)
    least = np.minimum(np.minimum(rate_images_per_s, decode_images_per_s), from_storage)
    return samples / np.where(least > 0, least, 1.0) * beside_factor  # where there is nothing to train on, a run takes no time


@formula("bytes_per_s", "rate x bytes per image x share not answered by the nodes' memory")
def epoch_reads(rate_images_per_s: Draws, bytes_per_image: Draws, hit_share: Draws) -> Any:
    """Bytes each second that a run reads from storage.  Source: definition."""
    return rate_images_per_s * bytes_per_image * (1 - hit_share)


@formula("count", "rate / images that a core decodes each second, rounded up")
def decode_cores(rate_images_per_s: Draws, core_images_per_s: Draws) -> Any:
    """Cores that decode as fast as the devices take in.  Source: definition."""
    return np.ceil(rate_images_per_s / core_images_per_s)


@formula("images_per_s", "nodes x cores per node x images that a core decodes each second")
def decode_supply(node_count: Draws, cores_per_node: Draws, core_images_per_s: Draws) -> Any:
    """Images each second that the nodes' cores decode.  Source: definition; threads scale by 1.9 to 2.0 on two cores."""
    return node_count * cores_per_node * core_images_per_s


@formula("bytes", "parameters x bytes of state per parameter")
def checkpoint_size(param_count: Draws, state_bytes: Draws) -> Any:
    """Bytes of a checkpoint: weights in half precision and the optimizer's state.

    Source: MLPerf Storage v2.0 rules, table 2: 2 bytes of weights and 12 of Adam state per parameter.

    Examples
    --------
    >>> round(float(checkpoint_size(8.03e9, 14.0)) / 2**30, 1)
    104.7
    """
    return param_count * state_bytes


@formula("s", "checkpoint bytes / rate at which storage writes")
def checkpoint_time(checkpoint_bytes: Draws, write_bytes_per_s: Draws) -> Any:
    """Seconds to write a checkpoint.  Source: definition."""
    return checkpoint_bytes / write_bytes_per_s


@formula("count", "samples / (rate of a device x deadline) / devices per node, rounded up")
def ideal_nodes(samples: Draws, rate_images_per_s: Draws, deadline_s: Draws, devices_per_node: Draws) -> Any:
    """Nodes that a run without any loss would take.  Source: definition; failures are counted for these."""
    return np.maximum(1, np.ceil(np.ceil(samples / (rate_images_per_s * deadline_s)) / devices_per_node))


@formula("bytes_per_s", "checkpoint bytes / time to write one")
def checkpoint_rate(checkpoint_bytes: Draws, write_s: Draws) -> Any:
    """Bytes each second while a checkpoint is written.  Source: definition."""
    return checkpoint_bytes / write_s


@formula("bytes", "bytes per image x share not answered by the nodes' memory")
def read_bytes(bytes_per_image: Draws, hit_share: Draws) -> Any:
    """Bytes that storage delivers for each sample, on average.  Source: definition."""
    return bytes_per_image * (1 - hit_share)


@formula("bytes_per_s", "epoch reads / nodes + gradients that a node sends")
def node_network(read_bytes_per_s: Draws, node_count: Draws, gradient_bytes_per_s: Draws) -> Any:
    """Bytes each second over a node's network link; inside a node gradients use the devices' own links.

    Source: hierarchical ring.
    """
    return read_bytes_per_s / node_count + gradient_bytes_per_s


@formula("bytes", "weights, gradients and optimizer state on a device + activations x batch")
def memory(device_state_bytes: Draws, activation_bytes: Draws, batch_images: Draws) -> Any:
    """Bytes of device memory that a training step takes.

    Source: Rajbhandari et al. 2020 (ZeRO, arXiv 1910.02054): 16 bytes per parameter for mixed-precision Adam.
    """
    return device_state_bytes + activation_bytes * batch_images


@formula(
    "w",
    "(devices x device power + nodes x node power + what switches and racks take) x PUE",
    valid={"pue_factor": (1, 3, "sites are known from 1.0 to 3")},
)
def power(
    device_count: Draws, device_w: Draws, node_count: Draws, node_w: Draws, pue_factor: Draws, around_w: Draws | float = 0.0
) -> Any:
    """Watts at the wall while a run goes on.  Source: PUE, ISO/IEC 30134-2."""
    return (device_count * device_w + node_count * node_w + around_w) * pue_factor


@formula("w", "power at the wall x (PUE - 1) / PUE")
def cooling(power_w: Draws, pue_factor: Draws) -> Any:
    """Watts of cooling and distribution, of those at the wall.  Source: PUE, ISO/IEC 30134-2."""
    return power_w * (pue_factor - 1) / pue_factor


@formula("j", "power x time of a run x runs each month")
def energy(power_w: Draws, elapsed_s: Draws, run_count: Draws) -> Any:
    """Joules each month.  Source: definition."""
    return power_w * elapsed_s * run_count
