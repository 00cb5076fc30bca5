"""Every error a user can meet, in one tree.

::

    TonnageError                  something is wrong; one sentence says what and what to do   (exit 1)
    ├── UsageError(ValueError)    what the user typed or wrote cannot be used                 (exit 2)
    │   ├── UnitError             a quantity in text that is not one
    │   ├── RecipeError           a curation recipe with a bad key or value
    │   └── ScenarioError         a projection scenario with a bad key or value
    ├── MissingError(FileNotFoundError)   a path, source, dataset or file that is not there   (exit 2)
    ├── DatasetError              a dataset that is damaged, or of another schema version     (exit 1)
    ├── BusyError(OSError)        a port, file or dataset that something else holds           (exit 1)
    ├── ClusterError              a Dask cluster that cannot be reached, or cannot see a path (exit 1)
    ├── ExtraError(ImportError)   an optional part that is not installed                      (exit 1)
    └── RefusedShareError         more was refused than the recipe allows                     (exit 3)

A bad image is data (a refusal with a reason), not an error. Library code raises these; only ``cli`` catches them.
"""

from __future__ import annotations

__all__ = [
    "BusyError",
    "ClusterError",
    "DatasetError",
    "ExtraError",
    "MissingError",
    "RecipeError",
    "RefusedShareError",
    "ScenarioError",
    "TonnageError",
    "UnitError",
    "UsageError",
]


class TonnageError(Exception):
    """Something is wrong; the message is one sentence: what, where, and what to do."""

    exit_code: int = 1
    """What the command line exits with."""

    def __str__(self) -> str:
        """Return the sentence (OSError and KeyError parents would decorate it)."""
        return str(self.args[0]) if self.args else self.__class__.__name__


class UsageError(TonnageError, ValueError):
    """What the user typed or wrote cannot be used."""

    exit_code = 2


class UnitError(UsageError):
    """A text that should be a quantity with a unit and is not."""


class RecipeError(UsageError):
    """A curation recipe with an unknown key or a value that is not allowed."""


class ScenarioError(UsageError):
    """A projection scenario with an unknown key or a value that is not allowed."""


class MissingError(TonnageError, FileNotFoundError):
    """A path, source, dataset or file that is not there."""

    exit_code = 2


class DatasetError(TonnageError):
    """A dataset that is damaged, or written by another schema version."""


class BusyError(TonnageError, OSError):
    """A port, file or dataset that something else holds."""


class ClusterError(TonnageError):
    """A Dask cluster that cannot be reached, or whose workers cannot see a path."""


class ExtraError(TonnageError, ImportError):
    """An optional part that is not installed; the message names the extra."""


class RefusedShareError(TonnageError):
    """More was refused than the recipe's ``max_refused_share`` allows."""

    exit_code = 3
