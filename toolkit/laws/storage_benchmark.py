"""What MLPerf Storage defines: utilisation of an accelerator that waits for data, what it asks for, how large data must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["busy_share", "device_read", "least_file_count", "least_sample_count", "supplied_rate"]


def device_read(sample_bytes: Any, batch_count: Any, step_s: Any) -> Any:
    """Bytes each second that one device reads to be kept busy.

    Source: mlcommons/storage@caa90c9: a device is its batch and the time it computes on one.

    Examples
    --------
    >>> round(device_read(114_660.0, 400.0, 0.224) / 1e6, 1)
    204.8
    """
    return sample_bytes * batch_count / step_s


def supplied_rate(device_count: Any, batch_count: Any, step_s: Any, utilisation_share: Any) -> Any:
    """Samples each second of devices that wait for storage part of their time.

    Source: mlcommons/storage@caa90c9, accelerator utilisation.

    Examples
    --------
    >>> round(supplied_rate(512.0, 400.0, 0.224, 0.9252), -2)
    845900.0
    """
    return device_count * batch_count / step_s * utilisation_share


def busy_share(finished_s: Sequence[float], step_s: float, *, begun_s: float | None = None) -> float:
    """Return the share of the time that a device computes, from the times at which it finished its steps.

    Parameters
    ----------
    finished_s : sequence of float
        When each step ended.
    step_s : float
        Seconds that one step computes.
    begun_s : float, optional
        When data was first asked for: then the first step, which waits for the pipeline to fill, is counted too.
        Without it the clock starts when the first step has ended, and that step is left out.

    Source: MLPerf Storage v2.0, Submission_guidelines.md: total compute time over running time; "all the I/O operations
    from the first step are excluded".

    Examples
    --------
    >>> round(busy_share([2.0, 3.0, 4.25, 5.25], 1.0), 3), round(busy_share([2.0, 3.0, 4.25, 5.25], 1.0, begun_s=0.0), 3)
    (0.923, 0.762)
    """
    counted = len(finished_s) - (begun_s is None)
    start_s = finished_s[0] if begun_s is None else begun_s
    return counted * step_s / (finished_s[-1] - start_s)


def least_sample_count(batch_count: int, device_count: int, memory_bytes: float, sample_bytes: float) -> float:
    """Return how many samples a dataset needs, so that neither steps are too few nor the memory of the hosts holds it.

    ``memory_bytes`` is that of all hosts together.

    Source: MLPerf Storage v2.0, Submission_guidelines.md: 500 steps of every device, and five times the memory.

    Examples
    --------
    >>> least_sample_count(7, 36, 0.0, 146_600_628)
    126000
    """
    return max(500 * batch_count * device_count, 5 * memory_bytes / sample_bytes)


def least_file_count(batch_count: int, device_count: int, memory_bytes: int, sample_bytes: int, samples_per_file: int = 1) -> int:
    """Return how many files that dataset has, as the benchmark's own code rounds it.

    Source: mlcommons/storage@caa90c9, mlpstorage/rules.py, lines 665 to 735.

    Examples
    --------
    >>> least_file_count(7, 8, 0, 146_600_628)
    28000
    """
    by_memory = 5 * memory_bytes // (samples_per_file * sample_bytes)
    return max(by_memory, 500 * device_count * batch_count // samples_per_file)
