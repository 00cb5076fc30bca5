"""Families that search: what they measure next follows from what they found, so that their values are not known beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.measurement.compute import search_compute
from toolkit.measurement.contention import search_contention
from toolkit.measurement.utilisation import search_utilisation

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SEARCHES"]

SEARCHES: Final[dict[str, Callable[..., None]]] = {
    "utilisation": search_utilisation,
    "contention": search_contention,
    "compute": search_compute,
}
"""The families by name: functions of the bench, the job, and what says a line."""
