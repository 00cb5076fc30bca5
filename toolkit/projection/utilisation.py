"""Time, device-hours and the share of the peak that a run reaches, from what systems publish about themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["achieved_flop_per_s", "device_time", "recomputed_run_flop", "run_time", "samples_time", "tokens_rate", "utilisation"]


@formula("flop", "samples x 8 x forward multiply-accumulates")
def recomputed_run_flop(samples: Draws, forward_mac_count: Draws) -> Any:
    """Operations of a run that computes its activations a second time instead of keeping them.

    Source: Narayanan et al. 2021 (arXiv 2104.04473), eq. 4: T = 8 T P / (n X).

    Examples
    --------
    >>> f"{recomputed_run_flop(300e9, 175e9):.3g}"
    '4.2e+23'
    """
    return samples * 8 * forward_mac_count


@formula("s", "operations / (devices x operations each second that one achieves)")
def run_time(flop: Draws, device_count: Draws, achieved_flop_per_s: Draws) -> Any:
    """Seconds of a run.

    Source: definition.

    Examples
    --------
    >>> round(run_time(4.2e23, 1024.0, 140e12) / 86_400, 1)
    33.9
    """
    return flop / (device_count * achieved_flop_per_s)


@formula("s", "samples / samples each second")
def samples_time(samples: Draws, rate_images_per_s: Draws) -> Any:
    """Seconds that samples take at a rate.

    Source: definition.

    Examples
    --------
    >>> round(samples_time(90 * 1_281_167, 16_621) / 3600, 2)
    1.93
    """
    return samples / rate_images_per_s


@formula("per_s", "tokens / time")
def tokens_rate(token_count: Draws, elapsed_s: Draws) -> Any:
    """Tokens each second.  Source: definition."""
    return token_count / elapsed_s


@formula("s", "devices x time")
def device_time(device_count: Draws, elapsed_s: Draws) -> Any:
    """Device-seconds of a run.

    Source: definition.

    Examples
    --------
    >>> round(device_time(128.0, 36 * 3600.0) / 3600)
    4608
    """
    return device_count * elapsed_s


@formula("flop_per_s", "operations / device-seconds")
def achieved_flop_per_s(flop: Draws, device_s: Draws) -> Any:
    """Operations each second that one device achieves.  Source: definition."""
    return flop / device_s


@formula("share", "operations / (devices x time x peak)")
def utilisation(flop: Draws, device_count: Draws, elapsed_s: Draws, peak_flop_per_s: Draws) -> Any:
    """Share of the peak that a run reaches: model FLOP utilisation.

    Source: Chowdhery et al. 2022 (arXiv 2204.02311), appendix B.

    Examples
    --------
    >>> round(utilisation(1.411e17, 64.0, 13.75, 312e12), 3)
    0.514
    """
    return flop / (device_count * elapsed_s * peak_flop_per_s)
