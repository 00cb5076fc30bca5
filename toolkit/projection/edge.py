"""Whether a device fits at the edge, as one answer: power, memory, latency and uplink, and which of them binds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.projection import inference as formulas
from toolkit.projection.explain import formula
from toolkit.projection.hardware_facts import accelerators
from toolkit.units import show

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from toolkit.projection.explain import Ledger
    from toolkit.projection.scenario import Inference

    Draws = NDArray[np.float64]

__all__ = ["derive", "edge_fit", "sent_up"]

_REASONS: Final = {
    "device power": "power", "device memory": "memory", "latency against its objective": "latency", "uplink": "uplink",
}  # fmt: skip


@formula("bytes_per_s", "encoded bytes of all streams each second x share of them that is sent on")
def sent_up(uplink_bytes_per_s: Draws, uploaded_share: Draws) -> Any:
    """Bytes each second that leave the place: all of them where streams are served in a data center.

    Source: definition.

    Examples
    --------
    >>> float(sent_up(200e6, 0.05))
    10000000.0
    """
    return uplink_bytes_per_s * uploaded_share


def derive(ledger: Ledger, inference: Inference) -> None:
    """Enter what is sent over the uplink, where streams are served; at the edge only the stated share is."""
    if inference.streams is not None:
        uplink = "inference.uplink_bytes_per_s"
        if inference.sites is not None:  # the uplink that is limited is that of one place
            uplink = "inference.site_uplink_bytes_per_s"
            ledger.derive(uplink, formulas.uplink, stream_count="inference.site_stream_count",
                          stream_bytes_per_s="inference.stream_bytes_per_s")  # fmt: skip
        ledger.derive("inference.sent_bytes_per_s", sent_up, uplink_bytes_per_s=uplink,
                      uploaded_share="inference.uploaded_share")  # fmt: skip


def edge_fit(ledger: Ledger, inference: Inference | None, loads: pl.DataFrame) -> str:
    """Return whether the device fits at the edge, and what binds; empty where nothing is served there.

    Parameters
    ----------
    ledger : Ledger
        The quantities.
    inference : Inference or None
        What is served.
    loads : polars.DataFrame
        The bottlenecks by month.
    """
    if inference is None or inference.placement != "edge":
        return ""
    title = accelerators()[inference.accelerator].title
    rows = loads.filter((pl.col("phase") == "inference") & pl.col("resource").is_in(list(_REASONS)))
    over = rows.filter(pl.col("load_share") > 1).sort("month", "load_share", descending=[False, True])
    if over.height:
        first = over.row(0, named=True)
        others = [_REASONS[name] for name in over["resource"].unique(maintain_order=True) if name != first["resource"]]
        also = f"; {' and '.join(others)} too" if others else ""
        said = f"{title} does not fit at the edge from month {first['month']} on: {_amounts(first)} binds{also}."
    else:
        nearest = rows.sort("load_share", descending=True).row(0, named=True)
        said = f"{title} fits at the edge; {_amounts(nearest)} is nearest to binding."
    return said + _not_known(inference, rows) + _elsewhere(ledger, inference)


def _amounts(row: dict[str, Any]) -> str:
    amounts = f"{show(row['demand'], row['unit'])} of {show(row['supply'], row['unit'])}"
    return f"{_REASONS[row['resource']]} ({amounts} at month {row['month']})"


def _not_known(inference: Inference, rows: pl.DataFrame) -> str:
    """Return which of the limits the scenario does not state: they need input, and were not held against anything."""
    keys = {"device power": "inference.device_power_limit"}
    if inference.streams is not None and inference.uploaded:
        keys["uplink"] = "inference.uplink_limit"
    missing = [key for name, key in keys.items() if name not in rows["resource"].to_list()]
    return f" Not judged, needs input: {', '.join(missing)}." if missing else ""


def _elsewhere(ledger: Ledger, inference: Inference) -> str:
    """Return what the uplink would have to carry if the streams were served in a data center instead."""
    if inference.streams is None:
        return ""
    whole = ledger.median("inference.uplink_bytes_per_s")
    said = f" Served elsewhere, the streams would take {show(whole, 'bytes_per_s')} of uplink"
    if inference.uplink_limit is None:
        return said + "."
    verdict = "more than" if whole > inference.uplink_limit else "within"
    return f"{said}, {verdict} the {show(inference.uplink_limit, 'bytes_per_s')} there is."
