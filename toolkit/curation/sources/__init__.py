"""Where images come from: folders, archives, tables with embedded bytes; listed as units, read by workers, read again to pack."""

from toolkit.curation.sources.beside import read_others
from toolkit.curation.sources.discovery import discover, source_names
from toolkit.curation.sources.masks import mask_stems
from toolkit.curation.sources.reading import read_other, read_unit, reread
from toolkit.curation.sources.units import Item, Occurrence, OtherFile, SourceUnit

__all__ = [
    "Item",
    "Occurrence",
    "OtherFile",
    "SourceUnit",
    "discover",
    "mask_stems",
    "read_other",
    "read_others",
    "read_unit",
    "reread",
    "source_names",
]
