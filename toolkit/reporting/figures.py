"""``toolkit.figures``: the plotly figures of whatever is given, by name, to look at or to restyle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.errors import UsageError
from toolkit.facts import DatasetProfile, MeasurementSet
from toolkit.facts.backtests import Backtest
from toolkit.reporting.dollars import without_math
from toolkit.reporting.evidence_changes import shown_of
from toolkit.reporting.figures_changes import change_figures
from toolkit.reporting.figures_dataset import dataset_figures
from toolkit.reporting.figures_measurements import measurement_figures
from toolkit.reporting.figures_projection import projection_figures
from toolkit.reporting.figures_runs import ratios_of_runs
from toolkit.reporting.figures_scenarios import beside_in_contrast, scenarios_side_by_side
from toolkit.reporting.figures_sliders import slider_figure
from toolkit.reporting.sections_backtest import backtest_figures

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["figures"]


def figures(subject: Any) -> dict[str, go.Figure]:
    """Return the figures of a dataset, a profile, two compared versions, measurements, a projection or a back-test, by name.

    Figures with nothing to show are left out.

    Raises
    ------
    UsageError
        If no figures can be made of the subject.
    """
    return {name: without_math(figure) for name, figure in _figures_of(subject).items()}


def _figures_of(subject: Any) -> dict[str, go.Figure]:
    from toolkit.dataset.diffing import VersionDiff
    from toolkit.dataset.reading import Dataset
    from toolkit.measurement.comparing import Comparison
    from toolkit.projection.contrasting import Contrast
    from toolkit.projection.result import Projection

    if isinstance(subject, Dataset):
        return dataset_figures(subject.profile)
    if isinstance(subject, DatasetProfile):
        return dataset_figures(subject)
    if isinstance(subject, MeasurementSet):
        return measurement_figures(subject)
    if isinstance(subject, Projection):
        sliders = slider_figure(subject)
        return projection_figures(subject) | ({} if sliders is None else {"what-if": sliders})
    if isinstance(subject, Comparison | Contrast):
        pair = ratios_of_runs(subject) if isinstance(subject, Comparison) else scenarios_side_by_side(beside_in_contrast(subject))
        return {} if pair is None else {"ratios" if isinstance(subject, Comparison) else "scenarios": pair}
    if isinstance(subject, VersionDiff):
        return change_figures([shown_of(subject)])
    if isinstance(subject, Backtest):
        return backtest_figures(subject)
    raise UsageError(
        f"there are no figures of a {type(subject).__name__}: give a dataset, a profile, measurements, "
        "a projection or a back-test"
    )
