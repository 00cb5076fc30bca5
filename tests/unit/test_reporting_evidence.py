"""What a report shows of a dataset itself: thumbnails within their budget, refusals, look-alikes, extremes."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import measured_dataset
import pyarrow as pa
import pytest
from PIL import Image

import toolkit
from toolkit.dataset.reading import Dataset, open_dataset
from toolkit.dataset.schema import CATALOG_SCHEMA, IMAGES_SCHEMA, QUARANTINE_SCHEMA
from toolkit.dataset.shards import write_shard
from toolkit.dataset.tables import BatchCommit, DatasetStore
from toolkit.reporting.evidence import PICTURE_BUDGET_BYTES, Gallery, gather

BOMB = 'bomb "of" <pixels>.png'


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Twelve photographs of which three look alike, and three refusals: truncated, a bomb, no image."""
    place = tmp_path_factory.mktemp("evidence") / "photos"
    store = DatasetStore(place)
    store.staging("b1")
    store.images_path.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = [measured_dataset.row_of(number) for number in range(12)]
    for place_in_order, row in enumerate(rows):
        row |= {"brightness_share": 0.1 + 0.05 * place_in_order, "sharpness_score": 100.0 - place_in_order, "aspect_share": 0.7}
    for row in rows[4:7]:
        row["duplicate_group"] = rows[4]["image_id"]
    for row, bits in zip(rows[4:7], (0, 0b101, -1), strict=True):  # all 64 bits set is -1 in two's complement
        row["perceptual_hash"] = bits
    shard = write_shard(store.images_path / "b1-00000.parquet", [pa.Table.from_pylist(rows, schema=IMAGES_SCHEMA)])
    whole = rows[0]["image"]["bytes"]
    refused = [
        {
            "source": "half.jpg",
            "stage": "decode",
            "reason": "truncated",
            "message": "the data ends early",
            "bytes": whole[: len(whole) // 2],
        },
        {"source": BOMB, "stage": "header", "reason": "too_many_pixels", "message": "too large", "bytes": whole},
        {
            "source": "note.jpg",
            "stage": "sniff",
            "reason": "not_an_image",
            "message": "the bytes are no image",
            "bytes": b"hello",
        },
    ]
    refused = [row | {"size_bytes": len(row["bytes"]), "batch": "b1"} for row in refused]
    catalog = [{name: row.get(name) for name in CATALOG_SCHEMA.names} | {"state": "kept"} for row in rows]
    catalog += [{"source": row["source"], "state": "quarantined", "reason": row["reason"], "batch": "b1"} for row in refused]
    store.commit(
        BatchCommit(
            batch="b1",
            shards=[shard],
            catalog=[pa.Table.from_pylist(catalog, schema=CATALOG_SCHEMA)],
            quarantine=[pa.Table.from_pylist(refused, schema=QUARANTINE_SCHEMA)],
        )
    )
    return open_dataset(place)


def drawn(uri: str | None) -> Image.Image:
    assert uri is not None
    head, _, payload = uri.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(payload)), formats=("WEBP",))


def test_refusals_are_shown_as_far_as_they_decode(dataset: Dataset) -> None:
    refused = gather(dataset, Gallery()).refused
    assert set(refused) == {"half.jpg", BOMB, "note.jpg"}
    half = refused["half.jpg"]
    assert max(drawn(half.uri).size) == max(half.width_px, half.height_px) <= 112
    assert refused["note.jpg"].uri is None


def test_what_was_refused_for_its_size_is_never_decoded_again(dataset: Dataset) -> None:
    assert gather(dataset, Gallery()).refused[BOMB].uri is None


def test_look_alikes_stand_side_by_side_and_extremes_are_ranked(dataset: Dataset) -> None:
    evidence = gather(dataset, Gallery())
    (group,) = evidence.groups
    assert [picture.name for picture in group] == ["4.jpg", "5.jpg", "6.jpg"]
    assert "from the first" not in group[0].note
    assert [picture.note.rpartition(", ")[2] for picture in group[1:]] == [
        "2 of 64 bits from the first",
        "64 of 64 bits from the first",
    ]
    assert [picture.name for picture in evidence.extremes["Darkest"]] == [f"{n}.jpg" for n in range(6)]
    assert [picture.name for picture in evidence.extremes["Lightest"]] == [f"{n}.jpg" for n in (11, 10, 9, 8, 7, 6)]
    assert evidence.extremes["Darkest"][0].note == "10 % of white"
    assert evidence.extremes["Most elongated"][0].note == "sides 1 to 1.4"
    assert evidence.extremes["Least sharp"][0].note == "sharpness 89"
    assert evidence.extremes["Least contrast"] == ()  # no image has that score


def test_a_thumbnail_shows_the_image_of_its_name(dataset: Dataset) -> None:
    picture = gather(dataset, Gallery()).extremes["Darkest"][3]
    with Image.open(io.BytesIO(dataset.get(3)), formats=("JPEG",)) as original:
        small = original.convert("L").resize((8, 8))
    shown = drawn(picture.uri).convert("L").resize((8, 8))
    assert max(abs(a - b) for a, b in zip(small.tobytes(), shown.tobytes(), strict=True)) < 24


def test_thumbnails_stay_within_their_budget(dataset: Dataset) -> None:
    for budget in (PICTURE_BUDGET_BYTES, 9_000, 0):
        evidence = gather(dataset, Gallery(budget))
        pictures = [p for row in (evidence.refused.values(), *evidence.groups, *evidence.extremes.values()) for p in row]
        assert sum(len(p.uri or "") for p in pictures) <= budget
        assert [p.name for p in pictures if p.uri is None]


def test_the_page_of_a_dataset_shows_names_and_pictures(dataset: Dataset, tmp_path: Path) -> None:
    folder = str(dataset.location)
    text = toolkit.report(folder, out=tmp_path / "r.html").read_text(encoding="utf-8")
    assert text.count('src="data:image/webp;base64,') >= 10
    assert "bomb &#34;of&#34; &lt;pixels&gt;.png" in text
    assert "These bytes cannot be drawn" in text
    assert 'data-figure="shapes"' in text
    assert 'data-figure="quality"' in text
    assert toolkit.report(dataset, out=tmp_path / "again.html").read_text(encoding="utf-8") == text


def test_measurements_beside_a_dataset_come_along(dataset: Dataset, tmp_path: Path) -> None:
    import reporting_facts as facts

    from toolkit.reporting.subjects import subjects_of

    folder = dataset.location.path / "measurements"
    facts.measurements(facts.measurement("read.random", "old", "bytes_per_s", 1.0)).save(folder / "20260101T000000Z.json")
    facts.measurements().save(folder / "20260102T000000Z.json")
    found = subjects_of((str(dataset.location),), Gallery())
    assert [len(taken.measurements) for taken in found.measurements] == [12]
    again = subjects_of((dataset, facts.measurements(), facts.measurements()), Gallery())
    assert len(again.measurements) == 1
