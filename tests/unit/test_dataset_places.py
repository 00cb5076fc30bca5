import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from dataset_rows import add_batch, catalog_rows, image_rows, picture

import toolkit
from toolkit.dataset import delta, tables
from toolkit.dataset.schema import IMAGES_SCHEMA, SCHEMA_VERSION
from toolkit.dataset.shards import write_shard
from toolkit.dataset.tables import BatchCommit, DatasetStore
from toolkit.dataset.verify import verify
from toolkit.errors import BusyError, DatasetError, UsageError


@pytest.mark.parametrize("name", ["a folder", "é日本", "100% [a]*{b}&='x'", " lead"])
def test_a_dataset_can_lie_in_a_folder_of_any_ordinary_name(tmp_path: Path, name: str) -> None:
    root = tmp_path / name / "d"
    add_batch(root, "one", range(5), refused=1)
    dataset = toolkit.open_dataset(root)
    assert dataset.shard_paths() == [root / "images" / "part-one.parquet"]
    assert dataset.scan("images").select("label").collect().height == 5
    assert dataset.get(3) == picture(3)
    assert [len(batch) for batch in dataset.loader(batch_size=3, decode=False)] == [3, 2]
    assert verify(root).problems == verify(root).leftovers == ()


@pytest.mark.parametrize("name", ["a%20b", "a\nb", "a\\b", "a\udce9b", "a#b", "a?b"])
def test_a_name_that_delta_would_read_as_another_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="Delta Lake cannot use a path with"):
        DatasetStore(tmp_path / name)


def test_a_damaged_log_is_one_sentence(tmp_path: Path) -> None:
    add_batch(tmp_path, "one", range(3))
    log = tmp_path / "images" / "_delta_log" / "00000000000000000000.json"
    whole = log.read_text()
    log.write_text(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match="is damaged"):
        toolkit.open_dataset(tmp_path)
    log.write_text(whole.replace("catalog_version", "catalog_vers"))
    with pytest.raises(DatasetError, match="cannot be read"):
        toolkit.open_dataset(tmp_path)
    log.write_text(whole.replace(rf"schema_version\": {SCHEMA_VERSION}", r"schema_version\": 9"))
    with pytest.raises(DatasetError, match="schema version 9"):
        toolkit.open_dataset(tmp_path)


def test_a_manifest_that_lost_its_facts_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    add_batch(tmp_path, "one", range(3))
    path = DatasetStore(tmp_path).manifest_path(0)
    for content in ("", "{}", json.dumps({"files": {"images/part-one.parquet": {}}}), json.dumps({"files": []})):
        path.write_text(content)
        assert "the manifest" in verify(tmp_path).problems[0]


def test_a_commit_without_its_files_or_over_others_writes_nothing(tmp_path: Path) -> None:
    add_batch(tmp_path, "one", range(3))
    store = DatasetStore(tmp_path)
    rows = image_rows(range(3, 6))
    shard = write_shard(store.images_path / "part-two.parquet", [rows])
    (store.images_path / shard.name).unlink()
    batch = BatchCommit(batch="two", base_version=0, shards=[shard], catalog=[catalog_rows(rows)])
    with pytest.raises(DatasetError, match="is gone or not as it was written; nothing was committed"):
        store.commit(batch)
    again = write_shard(store.images_path / "part-one.parquet", [rows])
    with pytest.raises(DatasetError, match="belongs to an earlier version"):
        store.commit(BatchCommit(batch="two", base_version=0, shards=[again], catalog=[catalog_rows(rows)]))
    assert len(store.states()) == 1
    assert store.table("catalog", store.states()[0]).version() == 0


def test_without_the_lock_delta_still_lets_one_of_two_commits_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_batch(tmp_path, "one", range(3))
    append = delta.commit_files
    overtaken = []

    def overtaking(path: Path, *rest: object) -> int:
        if path.name == "images" and not overtaken:
            overtaken.append(True)
            append(path, IMAGES_SCHEMA, [], [], {"tonnage": "{}"})
            monkeypatch.setattr(delta, "open_table", lambda path, version=None: stale)
        return append(path, *rest)  # type: ignore[arg-type]  # handed on as they come

    stale = delta.open_table(DatasetStore(tmp_path).images_path)
    monkeypatch.setattr(tables, "commit_files", overtaking)
    with pytest.raises(BusyError, match="at the same moment"):
        add_batch(tmp_path, "two", range(3, 6))
    monkeypatch.undo()
    assert delta.open_table(DatasetStore(tmp_path).images_path).version() == 1


def test_a_repair_waits_for_a_run_and_a_run_for_another(tmp_path: Path) -> None:
    add_batch(tmp_path, "one", range(3))
    left = tmp_path / "images" / "part-running.parquet"
    left.write_bytes(b"of a run")
    with DatasetStore(tmp_path).writing():
        with pytest.raises(BusyError, match="another run is writing"):
            verify(tmp_path, repair=True)
        with pytest.raises(BusyError, match="another run is writing"), DatasetStore(tmp_path).writing():
            pass
        assert verify(tmp_path).leftovers == ("images/part-running.parquet",)
    assert verify(tmp_path, repair=True).removed_count == 1
    assert not left.exists()


@pytest.mark.parametrize("page_bytes", [2_000, 1 << 20])
def test_any_image_is_found_by_one_read_or_by_its_row_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page_bytes: int
) -> None:
    from toolkit.dataset import reading, shards

    options = shards._options
    monkeypatch.setattr(shards, "_options", lambda names: options(names) | {"data_page_size": page_bytes})
    add_batch(tmp_path, "one", range(300))
    add_batch(tmp_path, "two", range(300, 310))
    dataset = toolkit.open_dataset(tmp_path)
    slow: list[int] = []
    slowly = reading._read_slowly
    monkeypatch.setattr(reading, "_read_slowly", lambda path, group, row: slow.append(row) or slowly(path, group, row))
    assert [dataset.get(i) for i in range(310)] == [picture(i) for i in range(310)]
    assert slow == []
    monkeypatch.setattr(reading, "read_extent", lambda shard, extents, row, check_length: None)
    assert dataset.get(299) == picture(299)
    assert slow == [43]


def test_a_shard_of_another_writer_is_read_all_the_same(tmp_path: Path) -> None:
    add_batch(tmp_path, "one", range(20))
    shard = tmp_path / "images" / "part-one.parquet"
    pq.write_table(pq.read_table(shard), shard, compression="zstd", data_page_version="2.0")
    assert toolkit.open_dataset(tmp_path).get(7) == picture(7)
    shard.write_bytes(b"not a shard")
    with pytest.raises(DatasetError, match="cannot be read"):
        toolkit.open_dataset(tmp_path).get(7)
