import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from dataset_rows import add_batch

import toolkit
from toolkit.curation import revising
from toolkit.dataset import commits, delta, rewriting, shards, tables
from toolkit.dataset.commits import METADATA_KEY
from toolkit.dataset.schema import SCHEMA_VERSION
from toolkit.dataset.tables import SCHEMAS, DatasetStore
from toolkit.dataset.upgrading import upgrade
from toolkit.dataset.verify import verify
from toolkit.errors import DatasetError, UsageError

LATER = {"images": ("licence", "entropy_bits"), "catalog": ("licence", "boxes"), "quarantine": ("sha256",)}
"""Columns that the release of the fixture did not have yet."""


def earlier(table: str) -> pa.Schema:
    return pa.schema([field for field in SCHEMAS[table] if field.name not in LATER[table]], SCHEMAS[table].metadata)


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset of two batches as a release with fewer columns wrote it."""
    with monkeypatch.context() as patched:
        patched.setattr(tables, "SCHEMAS", {table: earlier(table) for table in SCHEMAS})
        patched.setattr(shards, "IMAGES_SCHEMA", earlier("images"))
        for module in (commits, tables):
            patched.setattr(module, "SCHEMA_VERSION", SCHEMA_VERSION - 1)
        add_batch(tmp_path, "one", range(6), refused=1)
        add_batch(tmp_path, "two", range(6, 9), refused=1)
    return tmp_path


def test_an_earlier_dataset_reads_as_it_is_and_is_not_written_to(old: Path) -> None:
    dataset = toolkit.open_dataset(old)
    assert dataset.state.schema_version == SCHEMA_VERSION - 1
    assert dataset.scan("images").select("licence", "label").collect()["licence"].null_count() == 9
    assert dataset.scan("catalog").collect().columns == SCHEMAS["catalog"].names
    assert dataset.profile.image_count == 9
    assert verify(old).problems == ()
    with pytest.raises(UsageError, match="to add to it run: tonnage upgrade"):
        add_batch(old, "three", range(9, 12))
    assert len(toolkit.open_dataset(old)) == 9


def test_an_upgrade_is_a_version_that_rewrites_nothing(old: Path) -> None:
    files = {path: path.stat().st_mtime_ns for path in old.rglob("*.parquet")}
    upgraded = upgrade(old)
    assert (upgraded.version, upgraded.state.kind, upgraded.state.schema_version) == (2, "upgrade", SCHEMA_VERSION)
    assert {path: path.stat().st_mtime_ns for path in old.rglob("*.parquet") if "_delta_log" not in path.parts} == files
    for table in SCHEMAS:
        assert {field.name for field in delta.open_table(old / table).schema().fields} == set(SCHEMAS[table].names)
    assert upgrade(old).version == 2
    assert verify(old).problems == ()
    assert len(toolkit.open_dataset(old, 1)) == 9

    assert add_batch(old, "three", range(9, 12)) == 3
    whole = toolkit.open_dataset(old)
    assert whole.scan("images").select(pl.col("label").null_count()).collect().item() == 0
    assert (len(whole), len({whole.get(i) for i in range(12)})) == (12, 12)
    assert verify(old, images=True).problems == ()


def test_an_upgrade_writes_the_card_and_the_description_of_its_version(old: Path) -> None:
    upgraded = revising.upgrade(old)
    assert json.loads((old / "croissant.json").read_text(encoding="utf-8"))["version"] == "2.0.0"
    assert "| 2 |" in (old / "README.md").read_text(encoding="utf-8")
    assert revising.upgrade(old).version == upgraded.version == 2


def test_rows_of_an_earlier_release_are_rewritten_with_the_columns_of_this_one(old: Path) -> None:
    upgraded = upgrade(old)
    task = rewriting.RewriteTask(
        shards=tuple(upgraded.shard_paths()), target=old / "images" / "train-new.parquet", is_shuffled=True
    )
    written = rewriting.rewrite(task)
    assert written is not None
    assert written.row_count == 9
    rows = pl.read_parquet(old / "images" / "train-new.parquet")
    assert rows.columns == SCHEMAS["images"].names
    assert sorted(rows["image_id"]) == sorted(upgraded.scan("images").select("image_id").collect()["image_id"])


def test_a_table_that_another_program_changed_is_not_upgraded(old: Path) -> None:
    delta.commit_files(DatasetStore(old).images_path, earlier("images"), [], [], {"someone": "else"})
    with pytest.raises(DatasetError, match="was changed by another program; restore version 1 of it, then upgrade"):
        upgrade(old)


def test_an_upgrade_that_dies_shows_nothing_and_is_repeated(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.dataset import upgrading

    whole = upgrading.add_columns

    def dying(path: Path, schema: pa.Schema, metadata: dict[str, str]) -> int:
        if METADATA_KEY in metadata:
            raise KeyboardInterrupt
        return whole(path, schema, metadata)

    with monkeypatch.context() as patched:
        patched.setattr(upgrading, "add_columns", dying)
        with pytest.raises(KeyboardInterrupt):
            upgrade(old)
    assert toolkit.open_dataset(old).version == 1
    assert upgrade(old).version == 2
    assert verify(old).problems == ()
