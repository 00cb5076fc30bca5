"""What lies beside the tables for those who find the folder: the card, and the Croissant description."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.card import dataset_card
from toolkit.dataset.croissant import croissant
from toolkit.dataset.findings import read_finding
from toolkit.dataset.labels import RARE_COUNT, label_report
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from toolkit.curation.recipe import Recipe
    from toolkit.dataset.labels import LabelReport
    from toolkit.dataset.reading import Dataset

__all__ = ["describe", "revision_notes", "told"]

_SENTENCES: Final = {
    "late_bridge_count": "images that were decided last are near to ones of another split (`tonnage findings DATASET bridges`).",
    "ungrouped_image_count": "images of the last batch lack the key that binds images to one split; they go by themselves.",
    "unlabelled_image_count": "images of the last batch have no label.",
    "unmatched_annotation_count": "annotations of the last batch name an image that was not found.",
    "unannotated_image_count": "images of the last batch have no annotation where others beside them have one.",
    "late_annotation_count": "annotations of the last batch came after their image, which stays as it was.",
    "misfit_mask_count": "masks of the last batch are not of their image's size or cannot be read; they are not attached.",
    "unread_column_count": "columns of tables of the last batch hold bytes that were not read (`tonnage findings`).",
    "unread_annotation_count": "files of the last batch look like annotations and cannot be read as such.",
    "label_conflict_count": "copies in the last batch have other labels than the image that is kept.",
    "absent_image_count": "images that the rules let in can be had no more, and stay out: their sources are gone or other.",
    "absent_occurrence_count": "refusals can be tried no more: their bytes were not held, and their sources are gone or other.",
    "lost_boxes_image_count": "images came in without their boxes, which could not be turned with them (`tonnage findings`).",
}
"""What a reader should know of a version, by the count that tells it."""

_NAMED_CLASSES: Final = 20
"""Classes without an image that a card names."""

_OF_KIND: Final = {
    "redecide": ("late_bridge_count", "misfit_mask_count", "absent_image_count"),
    "retry": ("late_bridge_count", "misfit_mask_count", "absent_occurrence_count", "lost_boxes_image_count"),
}
"""Counts that these kinds of version take anew; others are of the last batch."""


def told(notes: Mapping[str, float]) -> list[str]:
    """Return what a reader should know of a version, as sentences."""
    return [f"{int(notes[name]):,} {sentence}" for name, sentence in _SENTENCES.items() if notes.get(name)]


def revision_notes(dataset: Dataset) -> list[str]:
    """Return what whoever has decided anew, or tried refusals again, should know of the version that came of it."""
    return told({name: dataset.state.curation.get(name, 0.0) for name in _OF_KIND.get(dataset.state.kind, ())})


def describe(dataset: Dataset, recipe: Recipe, notes: Mapping[str, float]) -> None:
    """Write the card and the Croissant description of a version; they are views of the tables: losing them loses nothing."""
    images = dataset.scan("images")
    label_splits = images.drop_nulls("label").group_by("label", "split").agg(image_count=pl.len()).collect(engine="streaming")
    licences = images.select("licence").drop_nulls().unique().collect(engine="streaming")["licence"].sort().to_list()
    listed = told(notes) + _label_notes(label_report(dataset))
    listed.append(f"Written {datetime.now(UTC).isoformat(timespec='seconds')}.")
    shards = dataset.shards["name"].to_list()
    bridges = read_finding(dataset, "bridges").filter("is_kept").lazy().select("image_id")
    bridge_count = images.join(bridges, on="image_id", how="semi").select(pl.len()).collect(engine="streaming").item()
    card = dataset_card(
        dataset.profile, recipe, label_splits, shards=shards, bridge_count=bridge_count, notes=listed, licences=licences
    )
    _write(dataset.location.path / "README.md", card)
    _write(dataset.location.path / "croissant.json", json.dumps(croissant(dataset), indent=1, ensure_ascii=False) + "\n")


def _label_notes(report: LabelReport) -> list[str]:
    """Return what a reader should know of the classes; nothing where there are none."""
    empty = f"{len(report.empty):,} classes have no image: {_names(report.empty['label'].to_list())}."
    notes = [empty] if len(report.empty) else []
    if report.imbalance_ratio is None or report.entropy_share is None:
        return notes
    balance = (
        f"The largest class has {report.imbalance_ratio:,.1f} times the images of the smallest; evenness of the classes is "
        f"{show(report.entropy_share, 'share')}, as of {report.effective_class_count:,.1f} equal ones."
    )
    gaps = f"{len(report.rare):,} classes have fewer than {RARE_COUNT} images, {report.unlabelled_count:,} images have no label."
    return [balance, gaps, *notes]


def _names(classes: list[str]) -> str:
    more = len(classes) - _NAMED_CLASSES
    return ", ".join(classes[:_NAMED_CLASSES]) + (f" and {more:,} more (`tonnage labels`)" if more > 0 else "")


def _write(target: Path, text: str) -> None:
    temporary = target.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(target)
