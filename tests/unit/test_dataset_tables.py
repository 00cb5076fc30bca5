import json
import threading
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_rows import add_batch, catalog_rows, image_rows

import toolkit
from toolkit.dataset import tables
from toolkit.dataset.shards import ROW_GROUP_ROWS, file_sha256, iter_row_groups, write_shard
from toolkit.dataset.tables import BatchCommit, DatasetStore
from toolkit.dataset.verify import verify
from toolkit.errors import BusyError, DatasetError, MissingError, UsageError


def test_a_shard_keeps_its_bytes_plain_and_its_row_groups_small(tmp_path: Path) -> None:
    facts = write_shard(tmp_path / "a.parquet", [image_rows(range(200)), image_rows(range(200, 600))])
    assert (facts.row_count, facts.row_group_count) == (600, 3)
    assert facts.sha256 == file_sha256(tmp_path / "a.parquet")
    assert facts.size_bytes == (tmp_path / "a.parquet").stat().st_size
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    assert max(metadata.row_group(i).num_rows for i in range(3)) == ROW_GROUP_ROWS
    column = metadata.row_group(0).column(0)
    assert (column.path_in_schema, column.compression, column.statistics) == ("image.bytes", "UNCOMPRESSED", None)
    assert metadata.row_group(0).column(2).compression == "ZSTD"
    assert sum(table.num_rows for table in iter_row_groups(tmp_path / "a.parquet", ["image_id"])) == 600


def test_equal_rows_give_equal_files_and_a_failed_write_leaves_none(tmp_path: Path) -> None:
    first = write_shard(tmp_path / "a.parquet", [image_rows(range(50))])
    again = write_shard(tmp_path / "b.parquet", [image_rows(range(20)), image_rows(range(20, 50))])
    assert first.sha256 == again.sha256
    with pytest.raises(DatasetError, match="lack the columns"):
        write_shard(tmp_path / "c.parquet", [image_rows(range(3)).drop_columns(["label"])])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "b.parquet"]


def test_each_batch_is_a_version_and_each_version_can_be_opened(tmp_path: Path) -> None:
    assert add_batch(tmp_path / "d", "one", range(10), refused=2) == 0
    assert add_batch(tmp_path / "d", "two", range(10, 25)) == 1
    newest, first = toolkit.open_dataset(tmp_path / "d"), toolkit.open_dataset(tmp_path / "d", version=0)
    assert (len(newest), len(first)) == (25, 10)
    assert first.scan("catalog").select(pl.len()).collect().item() == 12
    assert newest.scan("catalog").select(pl.len()).collect().item() == 27
    assert newest.versions()["image_count"].to_list() == [10, 25]
    assert first.profile.versions[-1].version == 0
    assert repr(newest).startswith("<Dataset 'd' v1: 25 images")
    with pytest.raises(UsageError, match="has no version 7; it has 0 to 1"):
        toolkit.open_dataset(tmp_path / "d", version=7)


def test_a_batch_is_committed_once(tmp_path: Path) -> None:
    add_batch(tmp_path / "d", "one", range(10))
    add_batch(tmp_path / "d", "two", range(10, 12))
    store = DatasetStore(tmp_path / "d")
    assert store.commit(BatchCommit(batch="one", base_version=1)) == 0
    assert len(store.states()) == 2
    with pytest.raises(BusyError, match="was at version 0 when this batch was read and is now at version 1"):
        store.commit(BatchCommit(batch="three", base_version=0))


def test_of_two_writers_at_once_one_commits_and_the_other_is_told(tmp_path: Path) -> None:
    add_batch(tmp_path / "d", "base", range(5))
    outcomes: list[object] = []

    def write(name: str, numbers: range) -> None:
        store = DatasetStore(tmp_path / "d")
        images = image_rows(numbers)
        shard = write_shard(store.images_path / f"part-{name}.parquet", [images])
        try:
            outcomes.append(store.commit(BatchCommit(batch=name, base_version=0, shards=[shard], catalog=[catalog_rows(images)])))
        except BusyError as fault:
            outcomes.append(fault)

    writers = [threading.Thread(target=write, args=(f"w{i}", range(100 * i, 100 * i + 5))) for i in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["BusyError", "int"]
    assert len(toolkit.open_dataset(tmp_path / "d")) == 10


@pytest.mark.parametrize("table", ["quarantine", "images"])
def test_a_run_that_dies_between_commits_shows_nothing_and_the_next_repairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    add_batch(tmp_path / "d", "one", range(10), refused=1)
    append = tables.commit_files

    def dying(path: Path, *rest: object) -> int:
        if path.name == table:
            raise KeyboardInterrupt
        return append(path, *rest)  # type: ignore[arg-type]  # handed on as they come

    with monkeypatch.context() as patched:
        patched.setattr(tables, "commit_files", dying)
        with pytest.raises(KeyboardInterrupt):
            add_batch(tmp_path / "d", "two", range(10, 20), refused=3)
    seen = toolkit.open_dataset(tmp_path / "d")
    assert (seen.version, len(seen), seen.refusals().height) == (0, 10, 1)
    assert verify(tmp_path / "d").problems == ()

    assert add_batch(tmp_path / "d", "three", range(20, 25)) == 1
    after = toolkit.open_dataset(tmp_path / "d")
    assert after.scan("catalog").select(pl.len()).collect().item() == 16
    assert after.refusals().height == 1
    assert verify(tmp_path / "d").problems == ()


def test_a_first_run_that_dies_leaves_no_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append = tables.commit_files

    def dying(path: Path, *rest: object) -> int:
        if path.name == "images":
            raise KeyboardInterrupt
        return append(path, *rest)  # type: ignore[arg-type]  # handed on as they come

    with monkeypatch.context() as patched:
        patched.setattr(tables, "commit_files", dying)
        with pytest.raises(KeyboardInterrupt):
            add_batch(tmp_path / "d", "one", range(3))
    with pytest.raises(UsageError, match="is not a Tonnage dataset"):
        toolkit.open_dataset(tmp_path / "d")
    assert add_batch(tmp_path / "d", "one", range(3)) == 0
    assert verify(tmp_path / "d").problems == ()


def test_what_is_no_dataset_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="there is no dataset at"):
        toolkit.open_dataset(tmp_path / "none")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="is not a Tonnage dataset"):
        toolkit.open_dataset(tmp_path / "folder")
    pl.DataFrame({"a": [1]}).write_delta(str(tmp_path / "other" / "images"))
    with pytest.raises(DatasetError, match="that Tonnage did not write"):
        toolkit.open_dataset(tmp_path / "other")
    with pytest.raises(UsageError, match="written to a local or mounted folder"):
        DatasetStore("memory://bucket/d")


def test_verify_finds_damage_loss_and_leftovers(tmp_path: Path) -> None:
    root = tmp_path / "d"
    add_batch(root, "one", range(10))
    shard = root / "images" / "part-one.parquet"
    (root / "images" / "part-left.parquet").write_bytes(b"left by a killed run")
    DatasetStore(root).staging("killed")
    found = verify(root)
    assert found.problems == ()
    assert found.leftovers == ("_tonnage/staging/killed", "images/part-left.parquet")
    assert verify(root, repair=True).removed_count == 2
    assert verify(root).leftovers == ()

    whole = shard.read_bytes()
    shard.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    assert verify(root).problems == ("images/part-one.parquet: its bytes are not those that were written",)
    shard.write_bytes(whole[:-1])
    assert "bytes long, but" in verify(root).problems[0]
    shard.unlink()
    assert verify(root).problems == ("images/part-one.parquet: the file is gone",)


def test_verify_names_the_image_whose_bytes_are_not_its_own(tmp_path: Path) -> None:
    rows = image_rows(range(6))
    swapped = pa.chunked_array([rows["image"].combine_chunks().take(pa.array([1, 0, 2, 3, 4, 5]))])
    store = DatasetStore(tmp_path)
    wrong = write_shard(store.images_path / "train-wrong.parquet", [rows.set_column(0, rows.schema.field("image"), swapped)])
    store.commit(BatchCommit(batch="one", shards=[wrong], catalog=[catalog_rows(rows)]))
    assert verify(tmp_path).problems == (), "the file is what was written"
    found = verify(tmp_path, images=True)
    assert found.checked_image_count == 6
    assert [problem.split(" are not ")[0] for problem in found.problems] == [
        f"images/train-wrong.parquet: the bytes of image {image_id}" for image_id in rows["image_id"].to_pylist()[:2]
    ]


def test_verify_compares_the_log_with_the_manifest(tmp_path: Path) -> None:
    add_batch(tmp_path, "one", range(4))
    add_batch(tmp_path, "two", range(4, 8))
    manifest = DatasetStore(tmp_path).manifest_path(1)
    whole = json.loads(manifest.read_text())
    lost = whole["files"].pop("images/part-one.parquet")
    whole["files"]["images/part-new.parquet"] = lost
    (tmp_path / "images" / "part-new.parquet").write_bytes((tmp_path / "images" / "part-one.parquet").read_bytes())
    manifest.write_text(json.dumps(whole))
    assert verify(tmp_path).problems == (
        "images/part-new.parquet: the manifest has it, the table's log does not",
        "images/part-one.parquet: the table's log has it, the manifest does not",
    )


def test_a_profile_counts_what_is_there(tmp_path: Path) -> None:
    add_batch(tmp_path / "d", "one", range(9), refused=2)
    profile = toolkit.open_dataset(tmp_path / "d").profile
    assert profile.states == {"kept": 9, "quarantined": 2}
    assert (profile.source_count, profile.image_count, profile.shard_count, profile.label_count) == (11, 9, 1, 3)
    assert profile.labels == {"class 0": 3, "class 1": 3, "class 2": 3}
    assert profile.pixel_count == 9 * 40 * 30
    assert profile.reasons == {"empty": 2}
    assert profile.image_pixels.median == 1200
    assert profile.curation["images_per_s"] == 4.5
    assert profile.near_duplicate_group_count == 0


def test_an_earlier_version_is_checked_when_it_or_all_are_asked_for(tmp_path: Path) -> None:
    place = tmp_path / "d"
    add_batch(place, "one", range(10))
    add_batch(place, "two", range(10, 14))
    smaller = toolkit.remove(place, "source = 's/3.jpg'")
    every = verify(place, all_versions=True, images=True)
    assert every.problems == ()
    assert (every.checked_version_count, every.checked_image_count) == (3, 10 + 4 + 9)
    shard = place / "images" / "part-one.parquet"
    assert shard not in smaller.shard_paths()
    shard.write_bytes(shard.read_bytes()[:-9] + bytes(9))
    damage = ("images/part-one.parquet: its bytes are not those that were written",)
    assert verify(place).problems == ()
    assert verify(place, version=1).problems == damage
    assert verify(place, all_versions=True).problems == damage
    (place / "_tonnage" / "manifests" / "00000000.json").unlink()
    assert [problem[:11] for problem in verify(place, all_versions=True).problems] == ["images/part", "version 0: "]
    with pytest.raises(UsageError, match="version 1 and all versions cannot both be checked"):
        verify(place, version=1, all_versions=True)
