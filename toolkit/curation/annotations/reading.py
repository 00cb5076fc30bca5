"""Bytes of an annotation file in, its lines out: which reader is asked follows from the ending, and then from the content.

Pure. Which images the lines belong to is found in ``labelling.py``.
"""

from __future__ import annotations

import io
import itertools
import json
import posixpath
import re
from typing import TYPE_CHECKING, Final

from toolkit.curation.annotations.blocks import TABLE_FAULTS, TABLE_SUFFIXES, table_blocks
from toolkit.curation.annotations.coco import coco_lines, is_coco
from toolkit.curation.annotations.lines import annotation_frame, sidecar_stems
from toolkit.curation.annotations.tables import document_lines, table_lines
from toolkit.curation.annotations.text import as_text, whole_letters
from toolkit.curation.annotations.voc import voc_lines
from toolkit.curation.annotations.yolo import class_lines, is_class_list, yolo_lines

if TYPE_CHECKING:
    import polars as pl

    from toolkit.curation.annotations.lines import Line

__all__ = ["ANNOTATION_SUFFIXES", "annotation_lines", "read_annotations", "suffix_of"]

ANNOTATION_SUFFIXES: Final = (
    ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".txt", ".cls", ".xml", ".yaml", ".yml", ".names",
)  # fmt: skip
"""Endings of files that may hold annotations; which do is known once they are read."""

_SIDECARS: Final = frozenset({".txt", ".cls", ".xml", ".yaml", ".yml", ".names"})
_SIDECAR_BYTES: Final = 4 * 2**20
"""What speaks of one image is no larger than this."""

_LABEL_LETTERS: Final = 256
_NUMBER: Final = re.compile(r"#\d+$")


def read_annotations(key: str, payload: bytes) -> pl.DataFrame | None:
    """Return what an annotation file says as ``ANNOTATION_SCHEMA``; None when it is no annotation file."""
    lines = annotation_lines(key, payload)
    return None if lines is None else annotation_frame(lines)


def annotation_lines(key: str, payload: bytes) -> list[Line] | None:
    """Return what an annotation file says, one line per image it names; None when it is no annotation file.

    Parameters
    ----------
    key : str
        Source key of the file, such as ``photos/birds/metadata.csv``; its ending says how it is read.
    payload : bytes
        Its bytes. Text is UTF-8 with or without a byte order mark, else Windows-1252.
    """
    suffix = suffix_of(key)
    if suffix in _SIDECARS and len(payload) > _SIDECAR_BYTES:
        return None
    try:
        if suffix in TABLE_SUFFIXES:
            return list(itertools.chain.from_iterable(table_blocks(key, suffix, io.BytesIO(payload))))
        return _sidecar(key, suffix, payload) if suffix in _SIDECARS else _document(key, as_text(payload))
    except TABLE_FAULTS:
        return None  # a file of another purpose or a damaged one; it is counted and listed as such, not lost


def suffix_of(key: str) -> str:
    """Return the ending of a source, in lower case.

    Examples
    --------
    >>> suffix_of("raw/M.CSV"), suffix_of("raw/a.tar!m.json#2")
    ('.csv', '.json')
    """
    return posixpath.splitext(_NUMBER.sub("", key) if "!" in key else key)[1].lower()


def _document(key: str, text: str) -> list[Line] | None:
    document = json.loads(whole_letters(text))
    if not isinstance(document, dict):
        return table_lines(key, document)
    return coco_lines(key, document) if is_coco(document) else document_lines(key, document)


def _sidecar(key: str, suffix: str, payload: bytes) -> list[Line] | None:
    if suffix == ".xml":
        return voc_lines(key, payload)
    text = as_text(payload)
    if suffix in {".yaml", ".yml"} or is_class_list(key):
        return class_lines(key, text)
    if suffix == ".cls":
        return _class(key, text.strip())
    found = yolo_lines(key, text)
    return _captions(key, text) if found is None else found


def _class(key: str, label: str) -> list[Line] | None:
    """Return the one class in a ``.cls`` member of a WebDataset."""
    if not label or len(label) > _LABEL_LETTERS or "\n" in label:
        return None
    return [{"file": key, "kind": "class", "stems": sidecar_stems(key), "label": label}]


def _captions(key: str, text: str) -> list[Line]:
    """Return the captions beside an image: one per line that is not blank; a file without any gives no line."""
    captions = [line.strip() for line in text.splitlines() if line.strip()]
    return [{"file": key, "kind": "caption", "stems": sidecar_stems(key), "captions": captions}] if captions else []
