"""What no machine can do better than, beside each rate: the peak of its arithmetic, the data sheets of its drives and links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.projection.explain import formula
from toolkit.projection.hardware_facts import accelerators, models
from toolkit.units import show

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.projection.explain import Ledger
    from toolkit.projection.hardware_entries import Accelerator
    from toolkit.projection.scenario import Scenario

    Draws = NDArray[np.float64]

__all__ = ["derive", "flags_of", "serving_limit", "storage_limit", "training_limit"]


@formula("images_per_s", "devices x peak rate / (6 x forward multiply-accumulates)")
def training_limit(device_count: Draws, peak_flop_per_s: Draws, forward_mac_count: Draws) -> Any:
    """Samples each second that the devices could take in if they did nothing but the model's arithmetic at their peak.

    Source: Narayanan et al. 2021 (arXiv 2104.04473) for the arithmetic; the peak of the data sheet.
    """
    return device_count * peak_flop_per_s / (6 * forward_mac_count)


@formula("per_s", "peak rate / (2 x forward multiply-accumulates)")
def serving_limit(peak_flop_per_s: Draws, forward_mac_count: Draws) -> Any:
    """Queries each second that a device could answer at its peak.  Source: two operations a multiply-accumulate; data sheet."""
    return peak_flop_per_s / (2 * forward_mac_count)


@formula("bytes_per_s", "the smaller of drives x rate of a drive and nodes x link")
def storage_limit(drive_count: Draws, drive_bytes_per_s: Draws, node_count: Draws, link_bytes_per_s: Draws) -> Any:
    """Bytes each second that drives and links could move by their data sheets.

    Source: bottleneck law, X <= min of capacities (Denning and Buzen 1978).
    """
    return np.minimum(drive_count * drive_bytes_per_s, node_count * link_bytes_per_s)


def derive(ledger: Ledger, scenario: Scenario) -> None:
    """Enter the limits beside the rates, where the peak of the device is known in the number format that is used."""
    enter: Any = ledger.derive
    trained, served = scenario.training, scenario.inference
    if trained is not None and trained.precision in accelerators()[trained.accelerator].peak:
        _peak(ledger, "training", accelerators()[trained.accelerator], trained.precision)
        enter("limit.training_images_per_s", training_limit, device_count="training.gpu_count",
              peak_flop_per_s="limit.training_flop_per_s", forward_mac_count="model.forward_mac_count")  # fmt: skip
    if served is not None and served.precision in accelerators()[served.accelerator].peak:
        _peak(ledger, "serving", accelerators()[served.accelerator], served.precision)
        model = models()[served.model]
        source, evidence = model.origin("forward_macs")
        given = np.full((1, 1), float(model.forward_macs))
        ledger.give("limit.serving_mac_count", "count", given, source=source, evidence=evidence)
        enter("limit.serving_per_s", serving_limit, peak_flop_per_s="limit.serving_flop_per_s",
              forward_mac_count="limit.serving_mac_count")  # fmt: skip
    if "supply.stated_bytes_per_s" not in ledger.values and "price.shared_tier_usd_per_byte_s" not in ledger.values:
        enter("limit.storage_bytes_per_s", storage_limit, drive_count="storage.drive_count",
              drive_bytes_per_s="drive.read_bytes_per_s", node_count="training.node_count",
              link_bytes_per_s="network.node_link_bytes_per_s")  # fmt: skip


def _peak(ledger: Ledger, phase: str, device: Accelerator, precision: str) -> None:
    source, evidence = device.origin("peak")
    given = np.full((1, 1), float(device.peak[precision]))
    ledger.give(f"limit.{phase}_flop_per_s", "flop_per_s", given, source=f"{source}, {precision}", evidence=evidence)


def flags_of(ledger: Ledger) -> list[str]:
    """Return which rates are said to be more than any machine could do: what they rest on is wrong."""
    flags = []
    for phase, rate, limit in (
        ("training", "training.rate_images_per_s", "limit.training_images_per_s"),
        ("serving", "inference.offline_per_s", "limit.serving_per_s"),
    ):
        if limit in ledger.values and ledger.median(rate) > ledger.median(limit):
            unit = ledger.unit(rate)
            flags.append(
                f"{phase}: {show(ledger.median(rate), unit)} is more than the peak of its devices allows "
                f"({show(ledger.median(limit), unit)}): check what the rate rests on ({ledger.evidence(rate)})"
            )
    return flags
