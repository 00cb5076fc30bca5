"""Changes to a dataset that read no new source: remove, redecide, compact, retry, upgrade. Each is a version, as a batch is."""

from __future__ import annotations

from toolkit.curation.revising.compaction import compact
from toolkit.curation.revising.redecision import redecide
from toolkit.curation.revising.removal import removable, remove
from toolkit.curation.revising.renewal import upgrade
from toolkit.curation.revising.retrial import retry

__all__ = ["compact", "redecide", "removable", "remove", "retry", "upgrade"]
