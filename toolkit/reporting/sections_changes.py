"""The section of a dataset's versions: how it grew, what the newest version changed, and which images those are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.reporting.blocks import Block, Cell, Chart, Prose, Section, Table, text_rows
from toolkit.reporting.figures_changes import change_figures
from toolkit.reporting.figures_dataset import versions
from toolkit.reporting.wording import DASH, list_words, moment, plural
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from toolkit.facts import DatasetProfile
    from toolkit.reporting.evidence_changes import VersionChange

__all__ = ["changed_section", "diff_sections", "versions_table"]

_ROWS_OPEN: Final = 5
_TITLE: Final = "What changed between versions"


def changed_section(profile: DatasetProfile, changes: Sequence[VersionChange], prefix: str) -> Section | None:
    """Return how a dataset came to be what it is; None for one with a single version."""
    if len(profile.versions) < 2:
        return None
    table = versions_table(profile)
    grown = versions(profile)
    blocks: list[Block] = [table] if grown is None else [Chart(id=f"{prefix}versions", figure=grown, table=table)]
    blocks += _blocks(changes, prefix)
    if not changes:
        words = "The versions themselves are not compared here: 'tonnage diff' does, and a report of the dataset itself."
        blocks.append(Prose(text=words, calm=True))
    lead = f"{plural(len(profile.versions), 'version')}. {_lead(changes)}".strip()
    return Section(id=f"{prefix}changed", title=_TITLE, short="Changed", lead=lead, blocks=tuple(blocks))


def diff_sections(change: VersionChange, prefix: str) -> dict[str, Section]:
    """Return the section of two versions that were compared."""
    blocks = _blocks([change], prefix)
    return {"changed": Section(id=f"{prefix}changed", title=_TITLE, short="Changed", lead=_lead([change]), blocks=tuple(blocks))}


def _lead(changes: Sequence[VersionChange]) -> str:
    return f"{changes[0]}." if changes else ""


def _blocks(changes: Sequence[VersionChange], prefix: str) -> list[Block]:
    if not changes:
        return []
    blocks: list[Block] = [Chart(id=f"{prefix}{name}", figure=figure) for name, figure in change_figures(changes).items()]
    newest = changes[0]
    if not blocks:
        pair = f"versions {newest.old_version} and {newest.new_version}"
        blocks.append(
            Prose(text=f"Between {pair} no image and no occurrence differs: files were merged or columns added.", calm=True)
        )
    blocks += [_images(newest, kind) for kind in ("added", "removed") if newest.counts[kind]]
    if newest.counts["changed"]:
        blocks.append(_changed(newest))
    return blocks


def _images(change: VersionChange, kind: str) -> Table:
    frame: pl.DataFrame = getattr(change, kind)
    rows = [
        (Cell(text=row["source"]), row["label"] or DASH, row["split"] or DASH, show(row["size_bytes"], "bytes"))
        for row in frame.iter_rows(named=True)
    ]
    which = change.new_version if kind == "added" else change.old_version
    return _listed(
        f"Images {kind} {'by' if kind == 'added' else 'from'} version {which}: {change.counts[kind]:,}",
        ("source", "label", "split", "size"),
        rows,
        change.counts[kind],
        3,
    )


def _changed(change: VersionChange) -> Table:
    rows = [
        (Cell(text=row["source"]), Cell(text=list_words([name.replace("_", " ") for name in row["columns"]]), quiet=True))
        for row in change.changed.iter_rows(named=True)
    ]
    return _listed(
        f"Images changed by version {change.new_version}: {change.counts['changed']:,}",
        ("source", "what differs"),
        rows,
        change.counts["changed"],
        None,
    )


def _listed(caption: str, columns: tuple[str, ...], rows: Sequence[Sequence[object]], total: int, number: int | None) -> Table:
    note = f"The first {len(rows):,} of {total:,}; 'tonnage diff --json' lists all." if total > len(rows) else ""
    numeric = frozenset() if number is None else frozenset({number})
    return Table(
        caption=caption, columns=columns, rows=text_rows(rows), numeric=numeric, note=note, stacked=True, named=True,
        shown_count=_ROWS_OPEN,
    )  # fmt: skip


def versions_table(profile: DatasetProfile) -> Table:
    """Return every version with its time, kind and size."""
    rows = [
        (f"v{v.version}", moment(v.committed_at), v.kind, f"{v.image_count:,}", show(v.size_bytes, "bytes"), f"{v.shard_count:,}")
        for v in profile.versions
    ]
    columns = ("version", "committed", "by", "images", "size", "shards")
    return Table(caption="Versions", columns=columns, rows=text_rows(rows), numeric=frozenset({3, 4, 5}))
