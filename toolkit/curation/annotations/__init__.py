"""What annotation files say, as one frame, whatever their kind: tables, COCO, Pascal VOC, YOLO, sidecars."""

from toolkit.curation.annotations.lines import ANNOTATION_SCHEMA, BOX_DTYPE, PAIR_DTYPE, annotation_frame
from toolkit.curation.annotations.reading import ANNOTATION_SUFFIXES, annotation_lines, read_annotations
from toolkit.curation.annotations.text import is_name_column
from toolkit.curation.annotations.yolo import with_class_names

__all__ = [
    "ANNOTATION_SCHEMA",
    "ANNOTATION_SUFFIXES",
    "BOX_DTYPE",
    "PAIR_DTYPE",
    "annotation_frame",
    "annotation_lines",
    "is_name_column",
    "read_annotations",
    "with_class_names",
]
