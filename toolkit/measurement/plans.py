"""How much is measured: three plans, frozen, and the families of stages that can be chosen.

Rates differ more between fresh processes than within one, so a plan repeats whole invocations and keeps each window
short. Source: Kalibera and Jones, "Rigorous benchmarking in reasonable time", ISMM 2013, doi 10.1145/2464157.2464160:
repeat most at the level where the variation arises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from toolkit.errors import UsageError
from toolkit.units import GIB, MIB

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FAMILIES", "PLANS", "SEARCHED_FAMILIES", "Plan", "families_named", "plan_named"]

FAMILIES: Final = ("read", "decode", "loader", "transfer")
"""What is measured unless ``only`` chooses; the ceilings that the chosen need are always taken."""

SEARCHED_FAMILIES: Final = ("utilisation", "contention", "compute")
"""What is measured only where ``only`` asks for it: it takes minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How often, how long and on how much of the dataset each stage is measured."""

    name: str
    """What the user calls it."""
    invocation_count: int
    """Fresh processes; intervals are taken over these."""
    window_count: int
    """Windows of each stage in each invocation."""
    window_s: float
    """Timed length of a window."""
    working_set_bytes: int
    """Encoded bytes of the row groups that are read; a smaller dataset is read whole, and repeatedly."""
    sample_bytes: int
    """Encoded bytes of the images held in memory for decoding."""
    raw_file_count: int
    """Images written as single files, to be read beside the shards."""
    copy_bytes: int
    """Size of the block that the memory copy moves; beyond any processor cache."""
    device_depths: tuple[int, ...]
    """Reads in flight in the sweep of the device."""
    is_wide: bool
    """Whether further settings are swept: all cores reading, more streams and sizes of transfer."""


PLANS: Final = {
    plan.name: plan
    for plan in (
        Plan(
            name="quick",
            invocation_count=3,
            window_count=2,
            window_s=0.07,
            working_set_bytes=64 * MIB,
            sample_bytes=8 * MIB,
            raw_file_count=256,
            copy_bytes=32 * MIB,
            device_depths=(1, 8),
            is_wide=False,
        ),
        Plan(
            name="standard",
            invocation_count=6,
            window_count=2,
            window_s=0.4,
            working_set_bytes=512 * MIB,
            sample_bytes=64 * MIB,
            raw_file_count=2_000,
            copy_bytes=128 * MIB,
            device_depths=(1, 4, 16),
            is_wide=True,
        ),
        Plan(
            name="thorough",
            invocation_count=12,
            window_count=3,
            window_s=1.0,
            working_set_bytes=GIB,
            sample_bytes=256 * MIB,
            raw_file_count=10_000,
            copy_bytes=256 * MIB,
            device_depths=(1, 4, 16, 32),
            is_wide=True,
        ),
    )
}
"""The plans by name, shortest first."""


def plan_named(name: str) -> Plan:
    """Return the plan of a name.

    Raises
    ------
    UsageError
        If there is none; the message lists those there are.

    Examples
    --------
    >>> plan_named("quick").invocation_count
    3
    """
    if name not in PLANS:
        raise UsageError(f"there is no plan '{name}'; the plans are {', '.join(PLANS)}")
    return PLANS[name]


def families_named(only: Sequence[str] | None) -> tuple[str, ...]:
    """Return the families chosen, in the order in which bytes pass them; all of them for None.

    Raises
    ------
    UsageError
        If one does not exist, or none is named; the message lists those there are.

    Examples
    --------
    >>> families_named(["decode", "read"])
    ('read', 'decode')
    """
    if only is None:
        return FAMILIES
    asked = [name for name in ([only] if isinstance(only, str) else [str(name).strip() for name in only]) if name]
    known = (*FAMILIES, *SEARCHED_FAMILIES)
    unknown = [name for name in asked if name not in known]
    if not asked:
        raise UsageError(f"only names nothing to measure; choose from {', '.join(known)}, or leave it out")
    if unknown:
        named = ", ".join(f"'{name}'" for name in unknown)
        raise UsageError(f"only: {named} cannot be measured; choose from {', '.join(known)}")
    return tuple(name for name in known if name in asked)
