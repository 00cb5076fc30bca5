"""What was refused, listed, looked up and written out: names from anywhere, bytes that are missing, memory that is bounded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pytest
from dataset_rows import catalog_rows, image_rows
from hypothesis import given
from hypothesis import strategies as st

from toolkit.cli import run
from toolkit.curation.reasons import REASONS
from toolkit.dataset import quarantine
from toolkit.dataset.schema import CATALOG_SCHEMA, QUARANTINE_SCHEMA
from toolkit.dataset.shards import write_shard
from toolkit.dataset.tables import BatchCommit, DatasetStore
from toolkit.errors import DatasetError, MissingError, UsageError

REFUSED: list[tuple[str, str | None, str, bytes | None]] = [
    ("raw/../../evil.jpg", None, "truncated", b"one"),
    ("raw/x.zip!/etc/passwd", "/etc/passwd", "unsafe_member", b"two"),
    ("raw/a.zip!..\\..\\win.jpg", "..\\..\\win.jpg", "unsafe_member", b"three"),
    ("raw/\x1b[2Jclear.jpg", None, "truncated", b"four"),
    ("raw/.hidden", None, "not_an_image", b"five"),
    ("raw/" + "n" * 300 + ".jpeg", None, "truncated", b"six"),
    ("raw/huge.tif", None, "too_many_pixels", None),
    ("raw/same.jpg", None, "truncated", b"one"),
    ("raw/empty.jpg", None, "empty", b""),
]


def sha(payload: bytes | None) -> str | None:
    return None if payload is None else hashlib.sha256(payload).hexdigest()


def build(place: Path, rows: list[tuple[str, str | None, str, bytes | None]], damage: bool = False) -> Path:
    images = image_rows(range(3))
    refused = [
        {
            "source": source, "source_member": member, "stage": REASONS[reason].stage, "reason": reason,
            "message": REASONS[reason].sentence, "size_bytes": len(payload or b"9999"),
            "sha256": sha(b"other" if damage else payload), "bytes": payload, "batch": "b1",
        }
        for source, member, reason, payload in rows
    ]  # fmt: skip
    catalog = [{"source": row["source"], "state": "quarantined", "reason": row["reason"], "batch": "b1"} for row in refused]
    store = DatasetStore(place)
    shard = write_shard(store.images_path / "part-b1.parquet", [images])
    store.commit(
        BatchCommit(
            batch="b1", base_version=None, shards=[shard],
            catalog=[catalog_rows(images), pa.Table.from_pylist(catalog, schema=CATALOG_SCHEMA)],
            quarantine=[
                pa.Table.from_pylist(refused[start : start + 16], schema=QUARANTINE_SCHEMA) for start in range(0, len(refused), 16)
            ],
            other_files={}, curation={"elapsed_s": 1.0, "images_per_s": 1.0},
        )
    )  # fmt: skip
    return place


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("refused") / "dataset", REFUSED)


def test_refusals_are_listed_counted_and_limited(dataset: Path) -> None:
    listed = quarantine.refusals(dataset)
    assert listed["source"].to_list() == [row[0] for row in sorted(REFUSED, key=lambda row: (row[2], row[0]))]
    assert "bytes" not in listed.columns
    assert quarantine.refusals(dataset, "truncated", limit=2).height == 2
    assert dict(quarantine.counts(dataset).select("reason", "count").iter_rows())["truncated"] == 4
    with pytest.raises(UsageError, match="refused for 'nonsense'; the reasons here are truncated, unsafe_member"):
        quarantine.refusals(dataset, "nonsense")


def test_one_is_found_by_its_source_or_the_beginning_of_its_hash(dataset: Path) -> None:
    assert quarantine.find(dataset, "raw/huge.tif").select("reason", "has_bytes").rows() == [("too_many_pixels", False)]
    assert quarantine.find(dataset, "raw/empty.jpg")["has_bytes"].to_list() == [True]
    digest = sha(b"one")
    assert digest is not None
    assert quarantine.find(dataset, digest)["source"].to_list() == ["raw/../../evil.jpg", "raw/same.jpg"]
    assert quarantine.find(dataset, digest[:8]).height == 2
    with pytest.raises(MissingError, match=r"nothing called 'raw/no\.jpg' was refused"):
        quarantine.find(dataset, "raw/no.jpg")
    with pytest.raises(MissingError):
        quarantine.find(dataset, digest[:7])


def test_an_export_holds_every_byte_and_leaves_its_folder_never(dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    result = quarantine.export(dataset, folder)
    assert (result.file_count, result.without_bytes_count, result.written_bytes) == (
        8,
        1,
        sum(len(row[3] or b"") for row in REFUSED),
    )
    rows = [json.loads(line) for line in Path(result.manifest).read_text(encoding="utf-8").splitlines()]
    assert sorted(row["source"] for row in rows) == sorted(row[0] for row in REFUSED)
    for row in rows:
        stored = next(payload for source, _, _, payload in REFUSED if source == row["source"])
        assert (row["file"] is None) == (stored is None)
        if row["file"] is not None:
            assert (folder / row["file"]).read_bytes() == stored
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    named = {Path("deep/out") / row["file"] for row in rows if row["file"]}
    assert written == named | {Path("deep/out/manifest.jsonl")}
    assert {path.suffix for path in named} >= {".jpg", ".jpeg"}


def test_an_export_of_one_reason_writes_no_other(dataset: Path, tmp_path: Path) -> None:
    assert quarantine.export(dataset, tmp_path, "unsafe_member").file_count == 2
    assert len(list(tmp_path.iterdir())) == 3


def test_an_export_overwrites_nothing(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        quarantine.export(dataset, tmp_path)
    with pytest.raises(UsageError, match="is a file"):
        quarantine.export(dataset, tmp_path / "mine.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_bytes_that_rotted_are_not_handed_out(tmp_path: Path) -> None:
    place = build(tmp_path / "dataset", REFUSED[:1], damage=True)
    with pytest.raises(DatasetError, match=r"evil.jpg.* are damaged; run: tonnage verify"):
        quarantine.export(place, tmp_path / "out")


def test_an_export_holds_a_few_rows_at_a_time(tmp_path: Path) -> None:
    megabyte = 2**20
    rows = [(f"raw/{i}.jpg", None, "truncated", bytes([i]) * megabyte) for i in range(120)]
    place = build(tmp_path / "dataset", [*rows])
    pool = pa.default_memory_pool()
    before, most, folder = pool.bytes_allocated(), 0, tmp_path / "out"
    listed = quarantine._rows
    try:

        def watched(*arguments: object) -> object:
            nonlocal most
            for row in listed(*arguments):  # type: ignore[arg-type]  # handed on as they come
                most = max(most, pool.bytes_allocated() - before)
                yield row

        quarantine._rows = watched  # type: ignore[assignment]  # watched while it is used
        assert quarantine.export(place, folder).file_count == 120
    finally:
        quarantine._rows = listed
    assert most < 60 * megabyte


@given(st.text(max_size=400))
def test_a_safe_name_is_one_plain_part_of_a_path(source: str) -> None:
    name = quarantine.safe_name(source)
    assert 0 < len(name) <= 80
    assert name.isascii()
    assert not set(name) & set('/\\:*?"<>| \n\0')
    assert not name.startswith(".")
    assert Path(name).name == name


def test_the_commands(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["quarantine", "list", str(dataset), "--limit", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[-1] == "9 refused, 6 of them not shown (--limit 0 shows all)"
    assert run(["quarantine", "list", str(dataset), "--reason", "truncated", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["count"], found["by_reason"]["empty"], len(found["refusals"])) == (4, 1, 4)
    assert run(["quarantine", "list", str(dataset), "--limit", "0"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert r"\x1b[2Jclear.jpg" in out
    assert run(["quarantine", "show", str(dataset), "raw/huge.tif"]) == 0
    card = capsys.readouterr().out
    assert "too_many_pixels" in card
    assert "has bytes      no" in card
    assert "is retryable   yes" in card
    assert REASONS["too_many_pixels"].advice in card
    assert run(["quarantine", "export", str(dataset), str(tmp_path / "out")]) == 0
    assert "8 files" in (out := capsys.readouterr().out)
    assert "1 have no bytes stored" in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["list", "nowhere"], 2, "there is no dataset at 'nowhere'"),
        (["list", "DATASET", "--reason", "odd"], 2, "the reasons here are"),
        (["show", "DATASET", "odd"], 2, "nothing called 'odd' was refused"),
        (["export", "DATASET", "DATASET"], 2, "is not empty"),
    ],
)
def test_mistakes_are_one_sentence(
    dataset: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    assert run(["quarantine", *(str(dataset) if part == "DATASET" else part for part in arguments)]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert words in captured.err
