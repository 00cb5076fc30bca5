"""The columns of a dataset's three tables, with their reasons.

``images``
    One row per kept image, with its bytes. The ``image`` column is ``struct<bytes, path>`` and the schema carries the
    Hugging Face ``features`` metadata, so that ``datasets.load_dataset("parquet", ...)`` gives decoded images.
``catalog``
    One row per *source occurrence* (a file, an archive member, a table row), without bytes: what it is, and its one
    state. The states of all rows sum to what was found.
``quarantine``
    One row per refusal, with the original bytes up to a limit, so that nothing that came in is lost.

Delta has no unsigned integers: 64-bit hashes are held as their two's complement. Scores are stored, thresholds belong to
the recipe. Quantities carry their unit in the name; ``bits``, ``orientation`` and hashes have none.
"""

from __future__ import annotations

import json
from typing import Final

import pyarrow as pa

__all__ = [
    "BOX",
    "CATALOG_SCHEMA",
    "EXAMINATION_VERSION",
    "FACT_FIELDS",
    "IMAGES_SCHEMA",
    "QUARANTINE_SCHEMA",
    "SCHEMA_VERSION",
    "SCORE_FIELDS",
    "SPLITS",
    "STATES",
    "is_hashed",
]

SCHEMA_VERSION: Final = 3
"""1 was without masks; 2 without ``focus_score`` and ``border_share``."""

EXAMINATION_VERSION: Final = 3
"""What the hashes and scores of an image mean: they are compared with those of earlier batches, so they must be made alike.

1 took them from luma scaled to 64 and 96 pixels, and the median of its frequencies for the perceptual hash; 2 takes 48 pixels
and the signs of the frequencies; 3 fades the picture towards its edges before."""

STATES: Final = ("kept", "dropped", "duplicate", "quarantined")
"""The states of an occurrence; each has exactly one."""

SPLITS: Final = ("train", "validation", "test")

BOX: Final = pa.struct(
    [
        pa.field("x_px", pa.float32()),
        pa.field("y_px", pa.float32()),
        pa.field("width_px", pa.float32()),
        pa.field("height_px", pa.float32()),
        pa.field("label", pa.string()),
    ]
)
"""A box in display pixels: after EXIF orientation is applied, origin top left."""

_SOURCE_FIELDS: Final = [
    pa.field(
        "source", pa.string(), nullable=False
    ),  # printable, unique key: path or URL, "!member" inside an archive, "#row" in a table
    pa.field("source_raw", pa.binary()),  # the name's own bytes, when they are not UTF-8
    pa.field("source_member", pa.string()),  # member of an archive or row of a table; null for a plain file
    pa.field("source_etag", pa.string()),  # "size-mtime_ns" of the file that holds it, or the store's etag: what tells a change
]

FACT_FIELDS: Final = [
    pa.field("image_id", pa.string()),  # first 128 bits of sha256 of the original bytes, hex; never derived from a name
    pa.field("sha256", pa.string()),  # hex, of the original bytes
    # xxh3-128 hex over mode, display size and full-resolution, full-colour pixels; null for a lossy format without a luma twin
    pa.field("pixel_hash", pa.string()),
    pa.field("luma_hash", pa.string()),  # xxh3-128 hex over size and the scaled strict gray decode: candidates for pixel_hash
    pa.field("perceptual_hash", pa.int64()),  # 64-bit DCT hash of the oriented luma
    pa.field("format", pa.string()),  # sniffed from the bytes, lower case: jpeg, png, webp, tiff, gif, bmp, avif, jpeg2000
    pa.field("width_px", pa.int32()),  # display orientation
    pa.field("height_px", pa.int32()),
    pa.field("mode", pa.string()),  # Pillow's name of the pixel mode
    pa.field("bits", pa.int16()),  # bits per channel in the file
    pa.field("orientation", pa.int16()),  # EXIF 1..8; 1 when absent or invalid
    pa.field("frame_count", pa.int32()),
    pa.field("size_bytes", pa.int64()),  # of the original bytes
    pa.field("has_alpha", pa.bool_()),
    pa.field("flags", pa.list_(pa.string())),  # e.g. trailing_bytes, wrong_extension, check_lenient, multi_frame, odd_orientation
]

SCORE_FIELDS: Final = [
    pa.field("sharpness_score", pa.float32()),  # variance of the Laplacian of the luma at 48 px on the shorter side
    pa.field("brightness_share", pa.float32()),  # mean luma, 0 black to 1 white
    pa.field("dark_share", pa.float32()),  # 99th percentile of luma: low means everything is dark (cleanvision's dark score)
    pa.field("light_share", pa.float32()),  # 5th percentile of luma: high means everything is light
    pa.field("contrast_share", pa.float32()),  # standard deviation of luma
    pa.field("entropy_bits", pa.float32()),  # Shannon entropy of the 8-bit luma histogram, 0 to 8
    pa.field("aspect_share", pa.float32()),  # shorter over longer side
    pa.field("colorfulness_score", pa.float32()),  # Hasler and Suesstrunk 2003, 0 for gray; null when only luma was decoded
    pa.field("focus_score", pa.float32()),  # spread of edges at 64 px on the longer side, 0 blurred to 1 clear (cleanvision's)
    pa.field(
        "border_share", pa.float32()
    ),  # share of the area that is a frame of one even shade: letterbox, margin; 1 when blank
]

_ANNOTATION_FIELDS: Final = [
    pa.field("label", pa.string()),  # one class, when there is one
    pa.field("labels", pa.list_(pa.string())),  # every class that any annotation names, sorted
    pa.field("captions", pa.list_(pa.string())),
    pa.field("boxes", pa.list_(BOX)),
    pa.field(
        "metadata", pa.list_(pa.struct([pa.field("key", pa.string()), pa.field("value", pa.string())]))
    ),  # further columns of sidecars and tables; pairs, since Hugging Face datasets cannot read Parquet maps
    pa.field("licence", pa.string()),
    pa.field("mask_source", pa.string()),  # the source of its segmentation mask, when there is one that fits
]

_DECISION_FIELDS: Final = [
    pa.field("duplicate_group", pa.string()),  # image_id of the group's founder; its own when alone
    pa.field("split", pa.string()),
]


def _hf_metadata(schema: pa.Schema) -> dict[bytes, bytes]:
    """Return the schema metadata by which Hugging Face ``datasets`` decodes the image column.

    Source: ``datasets`` ``Features._from_yaml_list``/``features/features.py``: the key ``huggingface`` holds
    ``{"info": {"features": {...}}}``; a feature that is not listed would be dropped, so every column is.
    """
    features: dict[str, object] = {}
    for field in schema:
        features[field.name] = {"_type": "Image"} if field.name in {"image", "mask"} else _hf_feature(field.type)
    return {b"huggingface": json.dumps({"info": {"features": features}}).encode()}


def _hf_feature(kind: pa.DataType) -> object:
    if pa.types.is_list(kind):
        return {"feature": _hf_feature(kind.value_type), "_type": "List"}
    if pa.types.is_struct(kind):
        return {kind.field(i).name: _hf_feature(kind.field(i).type) for i in range(kind.num_fields)}
    names = {"double": "float64", "float": "float32"}
    return {"dtype": names.get(str(kind), str(kind)), "_type": "Value"}


_IMAGES: Final = pa.schema(
    [
        pa.field(
            "image", pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
        ),  # nullable, as Hugging Face has it
        *FACT_FIELDS,
        pa.field("encoding", pa.string()),  # "original", or how it was made: "jpeg:q=90:longest=512", "png:frame=3"
        *SCORE_FIELDS,
        *_ANNOTATION_FIELDS,
        *_DECISION_FIELDS,
        pa.field("source", pa.string()),
        pa.field("batch", pa.string()),
        # a segmentation mask, as PNG in display orientation; a pixel's value is its class
        pa.field("mask", pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])),
    ]
)

IMAGES_SCHEMA: Final = _IMAGES.with_metadata(_hf_metadata(_IMAGES))
"""``images``: one row per kept image."""

CATALOG_SCHEMA: Final = pa.schema(
    [
        *_SOURCE_FIELDS,
        pa.field("state", pa.string(), nullable=False),  # one of STATES
        pa.field("reason", pa.string()),  # rule or reason code, unless kept
        pa.field("duplicate_of", pa.string()),  # image_id of the image that is kept in its place
        *FACT_FIELDS,
        *SCORE_FIELDS,
        *_ANNOTATION_FIELDS,
        *_DECISION_FIELDS,
        pa.field("batch", pa.string()),
    ]
)
"""``catalog``: one row per source occurrence, no bytes."""

QUARANTINE_SCHEMA: Final = pa.schema(
    [
        *_SOURCE_FIELDS,
        pa.field("stage", pa.string(), nullable=False),  # discover, read, sniff, header, decode, pack
        pa.field("reason", pa.string(), nullable=False),  # stable code, as in toolkit/curation/reasons.py
        pa.field("message", pa.string(), nullable=False),  # one sentence for people
        pa.field("size_bytes", pa.int64()),
        pa.field("sha256", pa.string()),
        pa.field("bytes", pa.binary()),  # the original bytes, up to the recipe's limit; null past it
        pa.field("batch", pa.string()),
    ]
)
"""``quarantine``: one row per refusal."""


def is_hashed(encoding: str | None) -> bool:
    """Return whether ``sha256`` is that of the stored bytes: of originals, and of frames written out on their own.

    Examples
    --------
    >>> is_hashed("original"), is_hashed("png:frame=3"), is_hashed("jpeg:q=90:longest=512")
    (True, True, False)
    """
    return encoding in {None, "original"} or str(encoding).startswith(("png:frame=", "tiff:frame="))
