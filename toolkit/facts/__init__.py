"""The nouns that the wings hand each other: a dataset's profile, measurements, and the environment they were taken in.

All are frozen, serialise to JSON (small) with a schema version, and know nothing of how they were made or will be shown.
Back-tests and calibrations, which fewer need, are in modules of their own beside these.
"""

from toolkit.facts.measurements import Ceiling, Environment, Measurement, MeasurementSet
from toolkit.facts.models import Model, Prediction
from toolkit.facts.profiles import QUANTILE_SHARES, DatasetProfile, Quantiles, VersionFacts
from toolkit.facts.samples import CacheProof, Latency, NodeShare, Sample, Wire
from toolkit.facts.saved import read_facts
from toolkit.facts.statements import faults_of, statement_of

__all__ = [
    "QUANTILE_SHARES",
    "CacheProof",
    "Ceiling",
    "DatasetProfile",
    "Environment",
    "Latency",
    "Measurement",
    "MeasurementSet",
    "Model",
    "NodeShare",
    "Prediction",
    "Quantiles",
    "Sample",
    "VersionFacts",
    "Wire",
    "faults_of",
    "read_facts",
    "statement_of",
]
