"""Where a figure's numbers come from, in a line below it: counted here, measured here, or projected, and from what."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from toolkit.facts import MeasurementSet
from toolkit.facts.backtests import Backtest
from toolkit.measurement.comparing import Comparison
from toolkit.projection.contrasting import Contrast
from toolkit.projection.explain import EVIDENCE
from toolkit.projection.result import Projection
from toolkit.reporting.blocks import Block, Chart, Fold, Section
from toolkit.reporting.evidence import DatasetEvidence
from toolkit.reporting.evidence_changes import VersionChange
from toolkit.reporting.wording import list_words, moment, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["source_of", "sourced"]

_LONGEST = 60


def source_of(subject: Any) -> str:
    """Return in a line where the numbers about a subject come from."""
    if isinstance(subject, DatasetEvidence):
        profile = subject.profile
        return f"Counted in the dataset '{shorten(profile.name, _LONGEST)}', version {profile.version}."
    if isinstance(subject, VersionChange):
        return f"Counted in versions {subject.old_version} and {subject.new_version} of the dataset."
    if isinstance(subject, MeasurementSet | Backtest):
        return f"Measured on {shorten(subject.environment.host, _LONGEST)}, {moment(subject.started_at)}."
    if isinstance(subject, Projection):
        return f"Projected by formulas{_given(subject)}."
    if isinstance(subject, Comparison):
        return "Measured in both runs."
    return "Projected by formulas, both." if isinstance(subject, Contrast) else ""


def _given(projection: Projection) -> str:
    kinds = projection.assumptions["evidence"].to_list()
    if not kinds:
        return ""
    counts = [f"{kinds.count(kind)} {kind}" for kind in EVIDENCE if kind in kinds]
    return f" from {plural(len(kinds), 'input')}: {list_words(counts)}"


def sourced(section: Section, source: str) -> Section:
    """Return a section in which every figure says where its numbers come from."""
    return dataclasses.replace(section, blocks=_sourced(section.blocks, source))


def _sourced(blocks: Sequence[Block], source: str) -> tuple[Block, ...]:
    return tuple(
        dataclasses.replace(block, source=block.source or source)
        if isinstance(block, Chart)
        else dataclasses.replace(block, blocks=_sourced(block.blocks, source))
        if isinstance(block, Fold)
        else block
        for block in blocks
    )
