"""How the numbers of a dataset are counted: a row for each, to which the page's numbers lead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.reporting.blocks import Cell, Table, text_rows
from toolkit.units import show

if TYPE_CHECKING:
    from toolkit.facts import DatasetProfile

__all__ = ["counted_id", "how_counted"]

_HOW: Final = {
    "found": ("occurrences found", "files, members and table rows that may be an image, each once", "catalog, every row"),
    "images": ("images", "rows of the table of images", "images, every row"),
    "states": ("states", "occurrences by what became of them; they add up to what was found", "catalog, column state"),
    "reasons": ("reasons", "occurrences that were left out, by the rule or the fault", "catalog, columns state and reason"),
    "others": ("other files", "annotations, containers and files that were skipped", "the batches' own record"),
    "size": ("bytes of the images", "sum of the encoded bytes, without what a shard adds", "images, column size_bytes"),
    "shards": ("shards", "Parquet files of this version, and their bytes", "the manifest of the version"),
    "mean": ("bytes and pixels an image", "sum over the images / images; quantiles of the same column",
             "images, columns size_bytes, width_px and height_px"),
    "near": ("near duplicates", "images whose perceptual hashes lie within the recipe's distance, in groups",
             "images, column duplicate_group"),
    "labels": ("labels", "different labels, and images by label", "images, columns label and labels"),
    "splits": ("splits", "images by split, decided by a hash of their group", "images, column split"),
    "speed": ("speed of the last batch", "what the batch examined / the time from start to commit", "the batch's own record"),
}  # fmt: skip
"""By kind of number: its words, how it is counted, and where."""


def counted_id(kind: str, prefix: str = "") -> str:
    """Return the identifier of the row that explains a kind of number."""
    if kind not in _HOW:
        raise KeyError(kind)
    return f"{prefix}why-counted-{kind}"


def how_counted(profile: DatasetProfile, prefix: str = "") -> Table:
    """Return a row for each kind of number: how it is counted, in which table, and at which version."""
    counted = {
        "found": f"{profile.source_count:,}", "images": f"{profile.image_count:,}", "size": show(profile.image_bytes, "bytes"),
        "shards": f"{profile.shard_count:,}", "near": f"{profile.near_duplicate_image_count:,}",
        "labels": f"{profile.label_count:,}",
    }  # fmt: skip
    where = f"{profile.name}, version {profile.version}"  # by name: a report is passed on, and its reader has no such folder
    rows = [
        (Cell(text=words, id=counted_id(kind, prefix)), counted.get(kind, ""), Cell(text=how, quiet=True),
         Cell(text=f"counted in {table}; {where}", quiet=True))
        for kind, (words, how, table) in _HOW.items()
    ]  # fmt: skip
    columns = ("what", "here", "how it is counted", "from")
    return Table(caption="How these numbers are counted", columns=columns, rows=text_rows(rows), numeric=frozenset({1}),
                 stacked=True, folded=True, is_for_screens=True)  # fmt: skip
