"""A dataset handed on in the formats of others: WebDataset, MosaicML MDS, Hugging Face ImageFolder, plain files, Arrow."""

from __future__ import annotations

from toolkit.dataset.export.run import FORMS, ExportReport, export

__all__ = ["FORMS", "ExportReport", "export"]
