"""What a site's power allows: what everything there takes, when its limit is passed, devices that fit under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.projection import capacity
from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.projection.explain import Ledger
    from toolkit.projection.scenario import Scenario

    Draws = NDArray[np.float64]

__all__ = ["derive", "devices_that_fit", "drive_power", "flag_of", "site_power"]


@formula("w", "drives x power of a drive x PUE")
def drive_power(drive_count: Draws, drive_w: Draws, pue_factor: Draws) -> Any:
    """Watts of the drives at work, cooling included.  Source: definition; the hardware facts state a drive's power at work."""
    return drive_count * drive_w * pue_factor


@formula("w", "power of training + serving + drives that stand at the site, cooling included")
def site_power(**parts_w: Draws) -> Any:
    """Watts that a site takes while a run is going and everything is served.

    Source: sum of the parts. Curation and people are not in it.

    Examples
    --------
    >>> float(site_power(training_w=3.0, serving_w=2.0))
    5.0
    """
    total: Any = 0.0
    for part in parts_w.values():
        total = total + part
    return total


@formula("count", "(limit - what everything else takes) / power of one of these devices, rounded down, not below 0")
def devices_that_fit(limit_w: Draws, site_w: Draws, part_w: Draws, device_count: Draws) -> Any:
    """Devices that the site's power allows beside all else there, each with its share of nodes and cooling.

    Source: definition; a device takes what one of the planned takes.

    Examples
    --------
    >>> float(devices_that_fit(100.0, 150.0, 120.0, 12.0))
    7.0
    """
    return np.floor(np.maximum(0.0, limit_w - (site_w - part_w)) * device_count / part_w + 1e-9)


def derive(ledger: Ledger, scenario: Scenario) -> None:
    """Enter what the site takes, where a limit is stated; devices at the edge stand elsewhere."""
    if scenario.site.power_limit is None:
        return
    enter: Any = ledger.derive
    enter("site.drives_w", drive_power, drive_count="storage.drive_count", drive_w="drive.power_w", pue_factor="price.pue_factor")
    parts = {"drives_w": "site.drives_w"}
    if scenario.training is not None:
        parts["training_w"] = "training.power_w"
    if scenario.inference is not None and scenario.inference.placement == "datacenter":
        parts["inference_w"] = "inference.power_w"
    enter("site.power_w", site_power, **parts)
    enter("site.shortage_share", capacity.shortage, needed="site.power_w", available="site.power_limit_w")
    for phase, count in (("training", "training.gpu_count"), ("inference", "inference.instance_count")):
        if f"{phase}_w" in parts:
            enter(f"site.{phase}_device_count", devices_that_fit, limit_w="site.power_limit_w", site_w="site.power_w",
                  part_w=f"{phase}.power_w", device_count=count)  # fmt: skip


def flag_of(ledger: Ledger, months: Draws) -> str | None:
    """Return what is to be said of a site whose power does not do: from when on, how sure, and what would fit."""
    from toolkit.units import show

    if "site.power_w" not in ledger.values:
        return None
    _, middle, high = (np.broadcast_to(part, months.shape) for part in ledger.percentiles("site.power_w"))
    limit = ledger.median("site.power_limit_w")
    if not (high > limit).any():
        return None
    said = f"the site's power of {show(limit, 'w')} may be passed from month {int(months[high > limit][0])} on (90th percentile)"
    if (middle > limit).any():
        said = f"the site's power of {show(limit, 'w')} is passed from month {int(months[middle > limit][0])} on"
    said += f": {show(float(middle[-1]), 'w')} at the end"
    for phase, count in (("training", "training.gpu_count"), ("inference", "inference.instance_count")):
        if f"site.{phase}_device_count" in ledger.values:
            fit, needed = ledger.median(f"site.{phase}_device_count"), ledger.median(count)
            said += f"; {fit:,.0f} of {needed:,.0f} {phase} devices fit under it then"
    return said
