"""Tonnage: from raw images to a storage, network and compute plan.

The public verbs, in the order of the story::

    dataset = toolkit.curate(["photos/", "more.zip"], "my-dataset")    # raw images -> versioned Parquet shards
    measurements = toolkit.measure(dataset)                            # shards + this machine -> rates and ceilings
    projection = toolkit.project("scenario.yaml", dataset, measurements)   # + a scenario -> demand, supply, plan
    toolkit.report(dataset, measurements, projection, out="report.html")   # -> one page for people

Nothing is imported until a verb is used, so that ``import toolkit`` and ``tonnage --help`` stay fast. In a running IPython
the nouns are shown as small tables: by the names of their types, so that nothing of them is imported either.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.backtesting import backtest
    from toolkit.curation.pipeline import curate
    from toolkit.curation.revising import compact, redecide, remove, retry
    from toolkit.dataset.export import export
    from toolkit.dataset.reading import open_dataset
    from toolkit.measurement.run import measure
    from toolkit.measurement.steps import measure_step
    from toolkit.projection.calibration import calibrate
    from toolkit.projection.run import project
    from toolkit.reporting.figures import figures
    from toolkit.reporting.sliders import sliders
    from toolkit.reporting.writing import report

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "backtest",
    "calibrate",
    "compact",
    "curate",
    "export",
    "figures",
    "measure",
    "measure_step",
    "open_dataset",
    "project",
    "redecide",
    "remove",
    "report",
    "retry",
    "sliders",
]

_VERBS = {
    "backtest": "toolkit.backtesting",
    "calibrate": "toolkit.projection.calibration",
    "curate": "toolkit.curation.pipeline",
    "compact": "toolkit.curation.revising",
    "redecide": "toolkit.curation.revising",
    "remove": "toolkit.curation.revising",
    "export": "toolkit.dataset.export",
    "retry": "toolkit.curation.revising",
    "measure": "toolkit.measurement.run",
    "measure_step": "toolkit.measurement.steps",
    "project": "toolkit.projection.run",
    "report": "toolkit.reporting.writing",
    "figures": "toolkit.reporting.figures",
    "sliders": "toolkit.reporting.sliders",
    "open_dataset": "toolkit.dataset.reading",
}


def __getattr__(name: str) -> Any:
    """Import the module behind a verb the first time the verb is used."""
    if name not in _VERBS:
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}")
    verb = getattr(importlib.import_module(_VERBS[name]), name)
    globals()[name] = verb
    return verb


def __dir__() -> list[str]:
    return sorted(__all__)


if "IPython" in sys.modules:
    importlib.import_module("toolkit.reporting.notebook").register()
