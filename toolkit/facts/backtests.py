"""What a back-test found: each prediction beside what was then measured, the laws behind them, and how far to believe both."""

from __future__ import annotations

import dataclasses
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from toolkit.facts.measurements import Environment
from toolkit.facts.saved import check_schema, read_facts, told_if_lacking, write_facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl

__all__ = ["Backtest", "FittedLaw", "KindScore", "Observation", "Prediction"]

BACKTEST_SCHEMA: Final = "tonnage.backtest/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One measured value at one size; the small ones are fitted, the large ones are predicted."""

    kind: str
    """What was measured: ``shard_bytes``, ``curate_s``, ..."""
    trial_index: int
    """Which trial it belongs to; each has a fit of its own."""
    driver_count: float
    """Size: images, bytes or workers, as the kind's ``driver`` says."""
    size_factor: float
    """Size over the largest size that is fitted: at most 1 is fitted, above 1 is predicted."""
    value: float
    """What was measured, in the kind's unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One value that was predicted from smaller sizes, and then measured."""

    kind: str
    """What was predicted."""
    trial_index: int
    """Which trial's fit predicted it."""
    driver_count: float
    """Size: images, bytes or workers, as the kind's ``driver`` says."""
    size_factor: float
    """Size over the largest size that was fitted."""
    p10: float
    """Lower end of the 80 % interval, in the kind's unit."""
    p50: float
    """The prediction."""
    p90: float
    """Upper end of the 80 % interval."""
    value: float
    """What was then measured."""
    predicted_by: str = ""
    """What gave the prediction: a quantity of the projection, or a function that it uses, with its formula in words."""

    @property
    def error_share(self) -> float:
        """Prediction over measurement, less 1: above 0 is too much."""
        return self.p50 / self.value - 1

    @property
    def is_covered(self) -> bool:
        """Whether the measurement lies within the interval."""
        return self.p10 <= self.value <= self.p90


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedLaw:
    """A kind of quantity, and the law fitted to the small sizes of all trials."""

    kind: str
    """Name."""
    title: str
    """A few words for people."""
    unit: str
    """Suffix of the unit of its values."""
    driver: str
    """What its sizes count: ``images``, ``bytes`` or ``workers``."""
    formula: str
    """The law in words."""
    terms: Mapping[str, float]
    """Its terms by name: ``fixed`` and ``slope``, or ``single``, ``contention``."""
    noise_share: float
    """Spread of single measurements about the law at the largest fitted size, as one standard deviation of the logarithm."""
    limits: str
    """What it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindScore:
    """How well one kind was predicted."""

    kind: str
    """Name."""
    title: str
    """A few words for people."""
    prediction_count: int
    """Predictions."""
    median_error_share: float
    """Median of the absolute errors over all sizes."""
    farthest_factor: float
    """The largest size over the largest that was fitted."""
    farthest_error_share: float
    """Median of the absolute errors at that size."""
    coverage_share: float
    """Share of the predictions whose 80 % interval held the measurement."""
    predicted_by: str = ""
    """What gave the predictions, as ``Prediction.predicted_by``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """What one run of ``backtest`` found."""

    dataset: str
    """Location of the dataset whose images were taken."""
    dataset_version: int
    """Its version."""
    started_at: str
    """UTC, ISO 8601."""
    elapsed_s: float
    """Wall time of the whole run."""
    limit_s: float
    """The time it was given."""
    seed: int
    """Seed of the samples of images."""
    environment: Environment
    """Where it was taken."""
    trial_count: int
    """Trials; each fits its own small sizes and predicts its own large ones."""
    fitted_image_counts: tuple[int, ...]
    """Sizes that were fitted, in images."""
    predicted_image_counts: tuple[int, ...]
    """Sizes that were predicted and measured, in images."""
    varied_share: float
    """Share of the images that were used more than once, each time changed a little."""
    chance_share: float
    """How often intervals that hold exactly 80 % would miss that share by as much as these, if predictions were independent."""
    laws: tuple[FittedLaw, ...] = field(repr=False)
    """The kinds, in the order in which bytes pass them, with the laws fitted to all small sizes."""
    predictions: tuple[Prediction, ...] = field(repr=False)
    """Every prediction."""
    observations: tuple[Observation, ...] = field(repr=False)
    """Every measurement, those that were fitted included."""
    flags: tuple[str, ...] = ()
    """Warnings, one sentence each: kinds that could not be measured, and why."""
    limits: tuple[str, ...] = ()
    """What the back-test does not say, one sentence each."""

    @property
    def coverage_share(self) -> float:
        """Share of all predictions whose 80 % interval held the measurement."""
        return statistics.fmean(p.is_covered for p in self.predictions) if self.predictions else 0.0

    @property
    def median_error_share(self) -> float:
        """Median of all absolute errors."""
        return statistics.median(abs(p.error_share) for p in self.predictions) if self.predictions else 0.0

    @property
    def scores(self) -> tuple[KindScore, ...]:
        """How well each kind was predicted, in the order of the laws."""
        found = ((law, [p for p in self.predictions if p.kind == law.kind]) for law in self.laws)
        return tuple(_score(law, predictions) for law, predictions in found if predictions)

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        from toolkit.units import show

        farthest = max((p.size_factor for p in self.predictions), default=0.0)
        return (
            f"{len(self.predictions):,} predictions up to {farthest:g} times the size that was fitted: median error "
            f"{show(self.median_error_share, 'share')}, {show(self.coverage_share, 'share')} within their 80 % intervals"
        )

    def law(self, kind: str) -> FittedLaw | None:
        """Return the law of a kind, or None."""
        return next((law for law in self.laws if law.kind == kind), None)

    def frame(self) -> pl.DataFrame:
        """Return one row per prediction: kind, title, unit, trial, size, factor, p10, p50, p90, value, error, covered."""
        import polars as pl

        law_by_kind = {law.kind: law for law in self.laws}
        rows = [
            dataclasses.asdict(p)
            | {"title": law_by_kind[p.kind].title, "unit": law_by_kind[p.kind].unit, "driver": law_by_kind[p.kind].driver}
            | {"error_share": p.error_share, "is_covered": p.is_covered}
            for p in self.predictions
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, with the schema version."""
        return {"schema": BACKTEST_SCHEMA} | dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """Return the back-test held in plain JSON types.

        Raises
        ------
        DatasetError
            If it is of another schema, or lacks something.
        """
        remedy = "make it again with: tonnage backtest DATASET"
        check_schema(facts, BACKTEST_SCHEMA, "a back-test", remedy)
        with told_if_lacking("back-test", remedy):
            values = {name.name: facts[name.name] for name in dataclasses.fields(cls)}
            values["environment"] = Environment(**values["environment"])
            for name, noun in (("laws", FittedLaw), ("predictions", Prediction), ("observations", Observation)):
                values[name] = tuple(noun(**each) for each in values[name])
            for name in ("fitted_image_counts", "predicted_image_counts", "flags", "limits"):
                values[name] = tuple(values[name])
            return cls(**values)

    def save(self, path: str | Path) -> Path:
        """Write JSON to ``path`` and return it."""
        return write_facts(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the back-test saved at ``path``."""
        return cls.from_dict(read_facts(path, "back-test"))

    def __repr__(self) -> str:
        return f"<Backtest of {self.dataset!r} v{self.dataset_version}: {self.sentence}>"


def _score(law: FittedLaw, predictions: Sequence[Prediction]) -> KindScore:
    farthest = max(p.size_factor for p in predictions)
    return KindScore(
        kind=law.kind,
        title=law.title,
        prediction_count=len(predictions),
        median_error_share=statistics.median(abs(p.error_share) for p in predictions),
        farthest_factor=farthest,
        farthest_error_share=statistics.median(abs(p.error_share) for p in predictions if p.size_factor == farthest),
        coverage_share=statistics.fmean(p.is_covered for p in predictions),
        predicted_by=predictions[0].predicted_by,
    )
