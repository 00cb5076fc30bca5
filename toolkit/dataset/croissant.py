"""A dataset described in Croissant, the vocabulary of machine-learning datasets: files with hashes, columns, provenance.

Source: MLCommons, Croissant Format Specification 1.0 (2024-03). The shards of the version are named one by one: a pattern
would take in those of earlier versions, which lie in the same folder.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa

from toolkit import __version__
from toolkit.dataset.schema import IMAGES_SCHEMA

if TYPE_CHECKING:
    from toolkit.dataset.reading import Dataset

__all__ = ["croissant"]

_TERMS: Final = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format", "includes",
    "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated", "replace",
    "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip
"""Terms of the vocabulary that stand for themselves."""

_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    **{term: f"cr:{term}" for term in _TERMS},
}

_PARQUET: Final = "application/x-parquet"
_SHARDS: Final = "shards"


def croissant(dataset: Dataset) -> dict[str, Any]:
    """Return the description of a dataset at its version, to be written as ``croissant.json`` at its root.

    Parameters
    ----------
    dataset : Dataset
        The dataset; its manifest gives the hashes, no image is read.
    """
    state = dataset.state
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": dataset.name,
        "description": _description(dataset),
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "version": f"{state.version}.0.0",
        "datePublished": dataset.store.states()[0].committed_at[:10],
        "dateModified": state.committed_at[:10],
        "url": "https://example.org/replace-with-where-it-is-published",
        "creator": {"@type": "sc:Organization", "name": "replace with who publishes it"},
        "citeAs": f"{dataset.name}, version {state.version}, batch {state.batch}",
        "variableMeasured": _counts(dataset),
        "additionalProperty": [
            _property("tool", f"tonnage {__version__}"),
            _property("batch", state.batch),
            _property("recipe", json.dumps(dict(state.recipe), sort_keys=True)),
        ],
        "distribution": [*_files(dataset), _shard_set(dataset)],
        "recordSet": [_records()],
    }
    licences = _licences(dataset)
    return described | ({"license": licences[0] if len(licences) == 1 else licences} if licences else {})


def _description(dataset: Dataset) -> str:
    return (
        f"{len(dataset):,} images in {dataset.state.shard_count:,} Parquet shards, version {dataset.version}. Every source "
        "that was found stands in the table 'catalog' with its state and reason; what was refused stands in 'quarantine'."
    )


def _property(name: str, value: str | int) -> dict[str, Any]:
    return {"@type": "sc:PropertyValue", "name": name, "value": value}


def _counts(dataset: Dataset) -> list[dict[str, Any]]:
    """Return occurrences by state and reason, and images by split."""
    found = dataset.scan("catalog").group_by("state", "reason").len().sort("state", "reason").collect(engine="streaming")
    states = [
        _property(f"occurrences: {state}{f', {reason}' if reason else ''}", count) for state, reason, count in found.iter_rows()
    ]
    splits = dataset.scan("images").group_by("split").len().sort("split").collect(engine="streaming")
    return states + [_property(f"images: {split}", count) for split, count in splits.iter_rows()]


def _licences(dataset: Dataset) -> list[str]:
    named = dataset.scan("images").select(pl.col("licence").drop_nulls().unique().sort())
    return list(named.collect(engine="streaming")["licence"])


def _files(dataset: Dataset) -> list[dict[str, Any]]:
    """Return the shards of the version as files with their hashes, as the manifest has them."""
    manifest = dataset.store.manifest(dataset.version)
    return [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "contentSize": f"{facts['size_bytes']} B",
            "encodingFormat": _PARQUET,
            "sha256": facts["sha256"],
        }
        for name, facts in sorted(manifest.items())
        if name.startswith("images/")
    ]


def _shard_set(dataset: Dataset) -> dict[str, Any]:
    names = [f"images/{path.name}" for path in dataset.shard_paths()]
    return {"@type": "cr:FileSet", "@id": _SHARDS, "name": _SHARDS, "encodingFormat": _PARQUET, "includes": names}


def _records() -> dict[str, Any]:
    fields = [_field(field) for field in IMAGES_SCHEMA if (pa.types.is_struct(field.type) or not pa.types.is_nested(field.type))]
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": "One record per image; columns of lists (labels, captions, boxes, flags, metadata) are in the shards.",
        "key": {"@id": "images/image_id"},
        "field": fields,
    }


def _field(field: pa.Field) -> dict[str, Any]:
    source: dict[str, Any] = {"fileSet": {"@id": _SHARDS}, "extract": {"column": field.name}}
    if pa.types.is_struct(field.type):
        source["transform"] = {"jsonPath": "bytes"}
    return {
        "@type": "cr:Field",
        "@id": f"images/{field.name}",
        "name": field.name,
        "dataType": _data_type(field.type),
        "source": source,
    }


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_struct(kind):
        return "sc:ImageObject"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    if pa.types.is_floating(kind):
        return "sc:Float"
    return "sc:Boolean" if pa.types.is_boolean(kind) else "sc:Text"
