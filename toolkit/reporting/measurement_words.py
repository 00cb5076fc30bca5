"""Words for a measurement: its title with what was proven of the cache, its conditions, and what a pointer over it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.reporting.vocabulary_conditions import conditions_as_words
from toolkit.reporting.wording import interval, plain
from toolkit.units import show

if TYPE_CHECKING:
    from toolkit.facts import Measurement

__all__ = ["bare_title", "condition_words", "measurement_hover", "measurement_name"]


_MEANT: Final = ("cold", "warm")
_FOUND: Final = {"mixed": "partly from memory", "unverified": "unproven"}
"""What was proven of a cache that is neither cold nor warm."""


def measurement_name(measurement: Measurement) -> str:
    """Return a measurement's title with the cache state that was proven, and the one that was meant where that is another."""
    verdict = measurement.cache_verdict
    title = bare_title(measurement.title)
    if not verdict or verdict == measurement.title[len(title) :].strip(" ,()"):
        return measurement.title
    meant = measurement.conditions.get("cache")
    found = _FOUND.get(verdict, verdict)
    return f"{title}, meant {meant}, found {found}" if meant in _MEANT and meant != verdict else f"{title}, {found}"


def bare_title(title: str) -> str:
    """Return a title without the cache state at its end.

    Examples
    --------
    >>> bare_title("Random read of single images, cold"), bare_title("Loader (warm)"), bare_title("Warm-up")
    ('Random read of single images', 'Loader', 'Warm-up')
    """
    for state in _MEANT:
        for end in (f", {state}", f" ({state})", f" {state}"):
            title = title.removesuffix(end)
    return title


def condition_words(measurement: Measurement) -> str:
    """Return a measurement's conditions as words."""
    return conditions_as_words(measurement.conditions)


def measurement_hover(m: Measurement) -> str:
    """Return a measurement as lines: what it is, what was found with its interval, and under which conditions."""
    found = f"{show(m.median, m.unit)} ({interval(m.interval_low, m.interval_high, m.unit)}, 95 %)"
    lines = [plain(measurement_name(m), 80), found, plain(condition_words(m), 120)]
    return "<br>".join(line for line in lines if line)
