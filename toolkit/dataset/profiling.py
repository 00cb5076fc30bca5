"""The profile of a dataset, computed by Polars over metadata columns: no image byte is read, no Python object per image made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.dataset.straddling import crowded, straddling_groups
from toolkit.facts import QUANTILE_SHARES, DatasetProfile, Quantiles, VersionFacts

if TYPE_CHECKING:
    from toolkit.dataset.reading import Dataset

__all__ = ["profile_of"]

_LABELS_HELD: Final = 1_000
_REASONS_HELD: Final = 1_000


def profile_of(dataset: Dataset) -> DatasetProfile:
    """Return the profile of a dataset at its open version."""
    catalog, images = dataset.scan("catalog"), dataset.scan("images").select(_IMAGE_COLUMNS)
    pixels = pl.col("width_px").cast(pl.Int64) * pl.col("height_px").cast(pl.Int64)
    totals = catalog.select(pl.len().alias("found"), pl.col("size_bytes").sum()).collect(engine="streaming")
    labels = _counts(images, "label")
    near = _near_duplicates(images)
    shards = dataset.shards
    state = dataset.state
    kept_pixels = images.select(pixels.sum().alias("sum")).collect(engine="streaming")["sum"][0]
    return DatasetProfile(
        name=dataset.name,
        location=str(dataset.location),
        version=dataset.version,
        source_count=totals["found"][0],
        source_bytes=int(totals["size_bytes"][0] or 0) + _refused_bytes(dataset),
        image_count=len(dataset),
        image_bytes=state.image_bytes,
        shard_count=shards.height,
        shard_bytes=int(shards["size_bytes"].sum()),
        pixel_count=int(kept_pixels or 0),
        image_size_bytes=_quantiles(images, pl.col("size_bytes")),
        image_pixels=_quantiles(images, pixels),
        states=_counts(catalog, "state"),
        reasons=_counts(catalog.filter(pl.col("state") != "kept"), "reason", most=_REASONS_HELD),
        other_files=dict(state.other_files),
        formats=_counts(images, "format"),
        modes=_counts(images, "mode"),
        labels=dict(list(labels.items())[:_LABELS_HELD]),
        label_count=len(labels),
        splits=_counts(images, "split"),
        near_duplicate_group_count=near[0],
        near_duplicate_image_count=near[1],
        versions=_versions(dataset),
        curation={name: float(value) for name, value in state.curation.items()},
        straddling_group_count=len(straddling_groups(images)),
    )


_IMAGE_COLUMNS: Final = ("width_px", "height_px", "size_bytes", "format", "mode", "label", "split", "duplicate_group")


def _refused_bytes(dataset: Dataset) -> int:
    """Return the bytes of refusals that the catalog has no size for (it has one for whatever could be read)."""
    sized = dataset.scan("catalog").filter(pl.col("size_bytes").is_null()).select("source")
    total = dataset.scan("quarantine").join(sized, on="source", how="semi").select(pl.col("size_bytes").sum())
    return int(total.collect(engine="streaming")["size_bytes"][0] or 0)


def _counts(frame: pl.LazyFrame, column: str, most: int | None = None) -> dict[str, int]:
    """Return how often each value of a column occurs, the most frequent first, ties by name."""
    counted = (
        frame.filter(pl.col(column).is_not_null()).group_by(column).agg(pl.len()).sort(["len", column], descending=[True, False])
    )
    rows = (counted if most is None else counted.head(most)).collect(engine="streaming")
    return dict(zip(rows[column].to_list(), rows["len"].to_list(), strict=True))


def _quantiles(frame: pl.LazyFrame, value: pl.Expr) -> Quantiles:
    row = (
        frame.select(value.cast(pl.Float64).alias("value"))
        .select(
            pl.len().alias("count"),
            pl.col("value").mean().alias("mean"),
            *(pl.col("value").quantile(share, interpolation="linear").alias(f"q{share}") for share in QUANTILE_SHARES),
        )
        .collect(engine="streaming")
        .row(0, named=True)
    )
    if not row["count"]:
        return Quantiles(count=0, mean=0.0, values=())
    return Quantiles(count=row["count"], mean=row["mean"], values=tuple(row[f"q{share}"] for share in QUANTILE_SHARES))


def _near_duplicates(images: pl.LazyFrame) -> tuple[int, int]:
    groups = crowded(images).group_by("duplicate_group").agg(pl.len()).filter(pl.col("len") > 1)
    row = groups.select(pl.len().alias("groups"), pl.col("len").sum().alias("images")).collect(engine="streaming").row(0)
    return int(row[0]), int(row[1] or 0)


def _versions(dataset: Dataset) -> tuple[VersionFacts, ...]:
    return tuple(
        VersionFacts(
            version=state.version,
            committed_at=state.committed_at,
            kind=state.kind,
            batch=state.batch,
            image_count=state.image_count,
            size_bytes=state.image_bytes,
            shard_count=state.shard_count,
        )
        for state in dataset.store.states()
        if state.version <= dataset.version
    )
