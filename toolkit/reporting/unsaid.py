"""What a report does not say: the limits of its facts, and the subjects that it was not given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.reporting.blocks import Notes, Section

if TYPE_CHECKING:
    from toolkit.reporting.subjects import Subjects

__all__ = ["unsaid"]


def unsaid(subjects: Subjects) -> Section:
    """Return the section of limits; each sentence once."""
    notes: dict[str, None] = {}
    for projection in subjects.projections:
        notes |= dict.fromkeys(projection.limits)
    for found in subjects.measurements:
        day, host = found.started_at[:10], found.environment.host
        notes[f"Rates hold for {host} on {day} and the dataset at version {found.dataset_version}."] = None
        if any("loopback" in m.flags for m in found.measurements):
            notes["Transfers were taken over loopback: they show what the software can do, and nothing of a network."] = None
    if not subjects.datasets:
        notes["No dataset is part of this page: what came in and what was refused is not shown. 'tonnage curate' makes one."] = (
            None
        )
    if not subjects.measurements:
        notes["No measurements are part of this page: rates are published or assumed. 'tonnage measure' takes them."] = None
    if not subjects.projections:
        notes["No projection is part of this page: it shows what is, not what will be needed. 'tonnage project' makes one."] = (
            None
        )
    lead = "The limits of what was measured and assumed, so that nobody reads more into this page than it holds."
    blocks = (Notes(items=tuple(notes)),) if notes else ()
    return Section(id="unsaid", title="What this does not say", short="Not said", lead=lead, blocks=blocks)
