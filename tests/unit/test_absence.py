"""What its source no longer holds."""

from __future__ import annotations

from types import SimpleNamespace

import polars as pl

from toolkit.curation.absence import superseded


def test_what_could_not_be_read_again_is_not_replaced() -> None:
    rows = [
        ("web/a.jpg", "one", "sha-a", "kept"),
        ("web/a.jpg", "two", None, "quarantined"),
        ("web/b.jpg", "one", "sha-b", "kept"),
        ("web/b.jpg", "two", "sha-c", "kept"),
        ("web/c.jpg", "one", None, "quarantined"),
        ("web/c.jpg", "two", "sha-d", "kept"),
    ]
    catalog = pl.DataFrame(rows, schema=["source", "batch", "sha256", "state"], orient="row")
    states = [SimpleNamespace(batch="one", version=0), SimpleNamespace(batch="two", version=1)]
    dataset = SimpleNamespace(scan=lambda _: catalog.lazy(), store=SimpleNamespace(states=lambda: states))
    found = superseded(dataset).collect()  # type: ignore[arg-type]  # what is asked of a dataset
    assert sorted(found.select("source", "sha256").rows()) == [("web/b.jpg", "sha-b"), ("web/c.jpg", None)]
