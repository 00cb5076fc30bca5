"""The dataset's card: a Markdown page beside the data that says what is in it, where it came from, and how to read it.

The front matter is what Hugging Face ``datasets`` reads of a dataset's folder: the shards of each split. They are named one
by one: a pattern would take in those of earlier versions, which lie in the same folder, and with them what was removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import yaml

from toolkit import __version__
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl

    from toolkit.curation.recipe import Recipe
    from toolkit.facts import DatasetProfile

__all__ = ["dataset_card", "split_deviation"]

_LISTED_LABELS: Final = 20
_JUDGED_COUNT: Final = 10
"""Labels with fewer images than this are left out of the deviation: one image in ten is a tenth."""


def dataset_card(
    profile: DatasetProfile,
    recipe: Recipe,
    label_splits: pl.DataFrame,
    *,
    shards: Sequence[str],
    bridge_count: int = 0,
    notes: Sequence[str] = (),
    licences: Sequence[str] = (),
) -> str:
    """Return the Markdown of a dataset's card.

    Parameters
    ----------
    profile : DatasetProfile
        What the dataset is, in numbers.
    recipe : Recipe
        How its last batch was curated.
    label_splits : pl.DataFrame
        ``label``, ``split``, ``image_count`` of the images kept.
    shards : sequence of str
        Names of the version's shards, each of which begins with its split.
    bridge_count : int
        Images kept that are listed as near to one of another split.
    notes : sequence of str
        Sentences about the last batch that a reader should know.
    licences : sequence of str
        Licences that the images name.
    """
    parts = [
        _front_matter(profile, shards, licences),
        f"# {_plain(profile.name)}\n",
        _summary(profile),
        _section("What came in", _incoming(profile, bridge_count)),
        _section("What was not kept", _table(("reason", "occurrences"), _by_count(profile.reasons))),
        _section("Formats", _table(("format", "images"), _by_count(profile.formats))),
        _section("Splits", _splits(profile, label_splits, recipe)),
        _section("Labels", _labels(profile)),
        _section("Notes", "".join(f"- {_plain(note)}\n" for note in notes)),
        _section("Versions", _versions(profile)),
        _section("Recipe of the last batch", f"```yaml\n{yaml.safe_dump(recipe.to_dict(), sort_keys=False)}```\n"),
        _section("Reading it", _READING),
    ]
    return "\n".join(part for part in parts if part)


_READING: Final = """```python
import toolkit
dataset = toolkit.open_dataset("path/to/this/folder")   # versions, loader, verification

import polars as pl
images = pl.scan_delta("path/to/this/folder/images")    # or DuckDB, Spark, Dask, PyArrow

import datasets
images = datasets.load_dataset("path/to/this/folder")   # decoded images, by split
```

`images` holds one row per image with its bytes; `catalog` one row per file, member or row that was found, with what became
of it; `quarantine` what was refused, with the reason.
"""


def _front_matter(profile: DatasetProfile, shards: Sequence[str], licences: Sequence[str]) -> str:
    of_split: dict[str, list[str]] = {}
    for name in shards:
        of_split.setdefault(name.split("-", 1)[0], []).append(f"images/{name}")
    files = [{"split": split, "path": names} for split, names in of_split.items()]
    facts: dict[str, object] = {"pretty_name": profile.name}
    if files:
        facts["configs"] = [{"config_name": "default", "data_files": files}]
    if licences:
        facts["license_details"] = "; ".join(licences)
    return f"---\n{yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)}---\n"


def _summary(profile: DatasetProfile) -> str:
    return (
        f"{profile.image_count:,} images, {show(profile.image_bytes, 'bytes')} in {profile.shard_count:,} Parquet shards, "
        f"version {profile.version}. Of {profile.source_count:,} image files, members and rows found "
        f"({show(profile.source_bytes, 'bytes')}), {show(profile.kept_share, 'share')} were kept. "
        f"Made by Tonnage {__version__}.\n"
    )


def _incoming(profile: DatasetProfile, bridge_count: int) -> str:
    rows = [(state, f"{count:,}") for state, count in profile.states.items()]
    rows.append(("**found**", f"**{profile.source_count:,}**"))
    others = _table(("other files", "count"), _by_count(profile.other_files))
    torn_count = profile.straddling_group_count
    groups = (
        f"{profile.near_duplicate_image_count:,} of the images kept look like another: {profile.near_duplicate_group_count:,} "
        f"groups, {f'{torn_count:,} of them in several splits' if torn_count else 'each within one split'}.\n"
    )
    if bridge_count:
        groups += f"{bridge_count:,} images lie near to one of another split (`tonnage findings DATASET bridges`).\n"
    return "\n".join(part for part in (_table(("state", "occurrences"), rows), groups, others) if part)


def _splits(profile: DatasetProfile, label_splits: pl.DataFrame, recipe: Recipe) -> str:
    rows = [(split, f"{count:,}", show(count / max(1, profile.image_count), "share")) for split, count in profile.splits.items()]
    found = split_deviation(label_splits, recipe.splits)
    worst = ""
    if found is not None:
        label, split, share, wanted = found
        worst = (
            f"\nSplits follow a hash of each image's group, so labels are spread in expectation, not exactly. Furthest off among "
            f"labels of {_JUDGED_COUNT} images or more: `{_plain(label)}` has {show(share, 'share')} in {split} "
            f"({show(wanted, 'share')} wanted).\n"
        )
    return _table(("split", "images", "share"), rows) + worst


def split_deviation(label_splits: pl.DataFrame, shares: Mapping[str, float]) -> tuple[str, str, float, float] | None:
    """Return label, split, share and wanted share where a label's share of a split is furthest off; None if none is judged."""
    import polars as pl

    totals = label_splits.group_by("label").agg(total=pl.col("image_count").sum()).filter(pl.col("total") >= _JUDGED_COUNT)
    wanted = pl.DataFrame({"split": list(shares), "wanted": list(shares.values())})
    off = (
        totals.join(wanted, how="cross")
        .join(label_splits, on=["label", "split"], how="left")
        .with_columns(share=pl.col("image_count").fill_null(0) / pl.col("total"))
        .sort((pl.col("share") - pl.col("wanted")).abs(), "label", "split", descending=[True, False, False])
    )
    return None if off.is_empty() else off.select("label", "split", "share", "wanted").row(0)


def _labels(profile: DatasetProfile) -> str:
    listed = _by_count(profile.labels)
    more = profile.label_count - _LISTED_LABELS
    note = f"\nand {more:,} more.\n" if more > 0 else ""
    return _table(("label", "images"), listed[:_LISTED_LABELS]) + note if listed else ""


def _versions(profile: DatasetProfile) -> str:
    rows = [
        (str(v.version), v.committed_at, v.kind, f"`{v.batch[:12]}`", f"{v.image_count:,}", show(v.size_bytes, "bytes"))
        for v in profile.versions
    ]
    return _table(("version", "committed", "kind", "batch", "images", "size"), rows)


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}" if body else ""


def _by_count(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(name, f"{count:,}") for name, count in ordered]


def _table(head: Iterable[str], rows: Sequence[Iterable[str]]) -> str:
    if not rows:
        return ""
    names = list(head)
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is: names come from outside and may hold markup."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
