"""The share of a device's peak that training reaches where no rate is published: that of runs of the same family."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from toolkit.projection import training
from toolkit.projection.hardware_facts import accelerators, runs
from toolkit.projection.scaling import rate_by_driver

if TYPE_CHECKING:
    from collections.abc import Collection

    from toolkit.projection.hardware_entries import Accelerator, Model

__all__ = [
    "DOUBLING_SHARE", "NUMBER_FACTORS", "PRODUCT_SHARE", "FamilyShare", "family_share", "half_peak",
    "rate_by_bandwidth", "typical_rate",
]  # fmt: skip

NUMBER_FACTORS: Final = {"fp32": 2.0, "tf32": 2.0, "bf16": 1.0, "fp16": 1.0, "fp8": 0.75}
"""Bytes of activations, and of what a step reads and writes of them, over those at 16 bits, by precision.

Source: sizes of the formats; in 8 bits the inputs of matrix products are one byte and the rest stays at two (arXiv 2209.05433),
so that three quarters are assumed."""

PRODUCT_SHARE: Final = 0.8
"""Share of the peak that the largest matrix products reach.

Source: stas00/ml-engineering, commit 744d01e: 87 % on A100, 80 on H100, 78 on B200, 51 on MI300X."""

DOUBLING_SHARE: Final = 0.98
"""What twice the nodes keep of the rate of each, where the step of each stays as large.

Source: Goyal et al. 2017 (arXiv 1706.02677): about 90 % from 8 to 256 devices, five doublings; Llama 3 (arXiv 2407.21783),
table 4: 43 % of the peak on 8,192 devices and 41 % on 16,384, one doubling, 0.953."""

_FEWEST: Final = 3
"""Runs from which on a family says something of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyShare:
    """The share of the peak that the next run of a family reaches on one node."""

    share: float
    """The middle."""
    low: float
    """10th percentile."""
    high: float
    """90th percentile."""
    source: str
    """Which runs it is from."""


def family_share(family: str | None, device: Accelerator, left_out: Collection[str] = ()) -> FamilyShare:
    """Return the share of a device's peak of the next run of a family: the middle of published runs, and where eight of ten lie.

    A run on many nodes is counted as it would be on one, and one on another device as it would be on this: its arithmetic by
    the ratio of the peaks, the rest of its time by that of the memory bandwidths. Vision transformers are taken with
    contrastive models, whose towers they are; a family of fewer than three runs, or none, is taken from all runs, which lie
    far apart.

    Parameters
    ----------
    family : str, optional
        Family of the model.
    device : Accelerator
        Device that it is to train on.
    left_out : collection of str
        Runs to leave out: a published run is not predicted from itself.

    Source: roofline in its sum form (Williams, Waterman and Patterson 2009); prediction interval of a log-normal: Student's t
    for a further observation (Hahn and Meeker 1991, section 4.7).

    Examples
    --------
    >>> a100, v100 = (family_share("contrastive", accelerators()[name]) for name in ("a100_sxm_40gb", "v100_sxm_32gb"))
    >>> round(a100.share, 2), round(v100.share, 2)
    (0.16, 0.21)
    """
    from scipy.special import stdtrit

    kept = {name: run for name, run in runs().items() if name not in left_out}
    families = {"vit": ("vit", "contrastive")}.get(family or "", (family,))
    found = {name: run for name, run in kept.items() if run.family in families}
    if len(found) < _FEWEST:
        found, families = kept, ("all",)
    nodes = np.array([max(1.0, run.device_count / run.node_device_count) for run in found.values()])
    on_one = np.array([run.utilised_share for run in found.values()]) / DOUBLING_SHARE ** np.log2(nodes)
    balance = np.array([float(run.peak) / float(run.memory_bandwidth) for run in found.values()])
    here = (half_peak(device) or 0.0) / float(device.memory_bandwidth)
    arithmetic = np.minimum(1 / PRODUCT_SHARE, 1 / on_one)
    logs = -np.log(arithmetic + (1 / on_one - arithmetic) * here / balance)
    count = len(logs)
    reach = float(stdtrit(count - 1, 0.9) * logs.std(ddof=1) * math.sqrt(1 + 1 / count))
    middle = float(logs.mean())
    share, low, high = (min(0.9, math.exp(middle + part)) for part in (0.0, -reach, reach))
    said = f"{count} published runs ({', '.join(str(name) for name in families)}), each as it would be on one node of this device"
    return FamilyShare(share=share, low=low, high=high, source=said)


def half_peak(device: Accelerator) -> float | None:
    """Return the dense peak of a device at 16 bits, or nothing where it has none."""
    return next((float(device.peak[name]) for name in ("bf16", "fp16") if name in device.peak), None)


def rate_by_bandwidth(device: Accelerator, model: str) -> tuple[float, int] | None:
    """Return a model's rate on a device from those published on others, by memory bandwidth, and how many; or nothing.

    Source: MLPerf Training v3.0 and v4.0, ResNet-50: within 30 % on seven devices; peak rates do not tell it.
    """
    others = [other for other in accelerators().values() if model in other.train_images_per_s and other.title != device.title]
    if len(others) < _FEWEST:
        return None
    rates = [other.train_images_per_s[model] for other in others]
    drivers = [float(other.memory_bandwidth) for other in others]
    return rate_by_driver(drivers, rates, float(device.memory_bandwidth)), len(others)


def typical_rate(device: Accelerator, name: str, model: Model, precision: str) -> float | None:
    """Return samples each second of a model on a device at a precision, or nothing where it has none.

    Examples
    --------
    >>> from toolkit.projection.hardware_facts import models
    >>> round(typical_rate(accelerators()["h100_sxm"], "resnet50", models()["resnet50"], "bf16"))
    7002
    """
    peak_half = half_peak(device)
    if peak_half is None or precision not in device.peak:
        return None
    flop = float(training.sample_flop(model.forward_macs, model.frozen_macs))
    published, by_bandwidth = device.train_images_per_s.get(name), rate_by_bandwidth(device, name)
    derived = by_bandwidth[0] if by_bandwidth else peak_half * family_share(model.family, device).share / flop
    peak, factor = float(device.peak[precision]), NUMBER_FACTORS[precision]
    return float(training.precise_rate(published or derived, flop, peak_half, PRODUCT_SHARE, peak, factor))
