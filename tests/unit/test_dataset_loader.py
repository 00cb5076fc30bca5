import gc
import io
import json
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
from dataset_rows import add_batch, picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import toolkit
from toolkit.dataset import resizing
from toolkit.dataset.buffers import Buffers
from toolkit.dataset.decoding import decode_rgb
from toolkit.dataset.loader import Loader
from toolkit.dataset.reading import Dataset
from toolkit.dataset.resizing import to_square
from toolkit.errors import DatasetError, UsageError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("loader") / "d"
    for name, start, split in (("a", 0, "train"), ("b", 300, "train"), ("c", 700, "test")):
        add_batch(root, name, range(start, start + 37), split=split)
    return toolkit.open_dataset(root)


def ids(loader: Loader) -> list[str]:
    return [image_id for batch in loader for image_id in batch.image_ids]


def test_every_image_comes_once_in_an_order_that_seed_and_epoch_decide(dataset: Dataset) -> None:
    plain = ids(dataset.loader(decode=False, shuffle=False))
    first, again = ids(dataset.loader(decode=False)), ids(dataset.loader(decode=False, workers=1, batch_size=5))
    assert len(set(plain)) == len(plain) == len(dataset)
    assert sorted(first) == sorted(plain)
    assert first == again != plain
    assert ids(dataset.loader(decode=False, epoch=1)) != first
    assert ids(dataset.loader(decode=False, seed=1)) != first


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(world_size=st.integers(1, 9), batch_size=st.integers(1, 50), epoch=st.integers(0, 3))
def test_ranks_share_the_images_without_loss_or_repeat(dataset: Dataset, world_size: int, batch_size: int, epoch: int) -> None:
    shares = [
        ids(dataset.loader(decode=False, batch_size=batch_size, rank=rank, world_size=world_size, epoch=epoch))
        for rank in range(world_size)
    ]
    assert sorted(image_id for share in shares for image_id in share) == sorted(ids(dataset.loader(decode=False)))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_an_epoch_that_was_stopped_goes_on_where_it_was(dataset: Dataset) -> None:
    loader = dataset.loader(batch_size=7, decode=False, epoch=2, rank=1, world_size=2)
    whole = ids(dataset.loader(batch_size=7, decode=False, epoch=2, rank=1, world_size=2))
    given_so_far = []
    for batch in loader:
        given_so_far += batch.image_ids
        if len(given_so_far) >= 21:
            break
    state = json.loads(json.dumps(loader.state_dict()))
    assert state["position"] == 21
    resumed = dataset.loader(batch_size=7, decode=False, rank=1, world_size=2, resume_state=state)
    assert given_so_far + ids(resumed) == whole
    assert ids(resumed) == whole, "the next iteration is a whole epoch"
    resumed.load_state_dict(state)
    resumed.set_epoch(2)
    assert ids(resumed) == whole, "an epoch that is chosen begins at its start"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 5}, "its seed is 5, this loader's is 0"),
        ({"world_size": 4}, "its world_size is 4"),
        ({"split": "train"}, "its split is 'train'"),
        ({"version": 7}, "its version is 7"),
    ],
)
def test_a_state_of_another_run_is_refused(dataset: Dataset, change: dict[str, object], message: str) -> None:
    state = dataset.loader().state_dict() | change
    with pytest.raises(UsageError, match=message):
        dataset.loader(resume_state=state)
    with pytest.raises(UsageError, match="no state of a loader: it has no 'version'"):
        dataset.loader(resume_state={"position": 3})


def test_lengths_and_statistics_are_those_of_the_share(dataset: Dataset) -> None:
    for options in (
        {},
        {"rank": 2, "world_size": 5},
        {"drop_last": True},
        {"split": "test"},
        {"equal_ranks": True, "world_size": 4},
    ):
        loader = dataset.loader(batch_size=8, decode=False, **options)
        batches = list(loader)
        assert len(batches) == len(loader)
        assert loader.stats.image_count == sum(map(len, batches))
        assert loader.stats.encoded_bytes == sum(len(image) for batch in batches for image in batch.images)
        assert 0 < loader.stats.first_batch_s <= loader.stats.stall_s <= loader.stats.elapsed_s
    assert dataset.loader(split="validation").image_count == len(list(dataset.loader(split="validation"))) == 0


def test_giving_up_an_epoch_stops_its_threads(dataset: Dataset) -> None:
    before = set(threading.enumerate())
    batches = iter(dataset.loader(batch_size=2, workers=3))
    next(batches)
    assert set(threading.enumerate()) > before
    batches.close()
    assert set(threading.enumerate()) == before


def test_a_shard_that_goes_away_is_one_sentence_and_no_thread_hangs(tmp_path: Path) -> None:
    add_batch(tmp_path / "d", "one", range(5))
    dataset = toolkit.open_dataset(tmp_path / "d")
    loader = dataset.loader()
    shard = dataset.shard_paths()[0]
    whole = shard.read_bytes()
    shard.unlink()
    with pytest.raises(DatasetError, match=r"shard '.*part-one\.parquet' cannot be read: .*; run tonnage verify"):
        ids(loader)
    with pytest.raises(DatasetError, match="cannot be read"):
        dataset.loader()
    shard.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match="cannot be read"):
        dataset.loader()


def test_the_images_of_a_split_are_found_whatever_the_shards_are_called(dataset: Dataset) -> None:
    train = ids(dataset.loader(split="train", decode=False))
    assert len(train) == 74
    assert set(train).isdisjoint(ids(dataset.loader(split="test", decode=False)))


def test_batches_are_arrays_bytes_or_lists_of_arrays(dataset: Dataset) -> None:
    batch = next(iter(dataset.loader(batch_size=8, resize_px=16, shuffle=False)))
    assert isinstance(batch.images, np.ndarray)
    assert batch.images.shape == (8, 16, 16, 3)
    assert batch.labels[0] == "class 0"
    assert next(iter(dataset.loader(batch_size=8, shuffle=False))).images[0].shape == (30, 40, 3)
    encoded = next(iter(dataset.loader(batch_size=8, decode=False, shuffle=False))).images[0]
    assert encoded == picture(0) == dataset.get(0)
    sizes = [len(batch) for batch in dataset.loader(batch_size=50, decode=False, split="test", drop_last=True)]
    assert sizes == []
    assert [len(batch) for batch in dataset.loader(batch_size=50, decode=False, split="test")] == [37]


def test_a_damaged_image_is_named_and_not_passed_on(tmp_path: Path) -> None:
    root = tmp_path / "d"
    add_batch(root, "one", range(5))
    shard = root / "images" / "part-one.parquet"
    content = shard.read_bytes()
    place = content.index(picture(3)) + 300
    shard.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    dataset = toolkit.open_dataset(root)
    with pytest.raises(DatasetError, match="is damaged; run: tonnage verify"):
        ids(dataset.loader(decode=False))
    assert len(ids(dataset.loader(decode=False, verify=False))) == 5
    with pytest.raises(DatasetError, match=r"row 3 of shard 'part-one\.parquet' is damaged"):
        dataset.get(3)
    assert dataset.get(2) == picture(2)
    assert dataset.get(-1) == picture(4)
    with pytest.raises(IndexError):
        dataset.get(5)


@pytest.mark.parametrize("byte", [0, 1, 300, -1])
def test_checksums_of_pages_find_what_storage_damaged(tmp_path: Path, byte: int) -> None:
    root = tmp_path / "d"
    add_batch(root, "one", range(5))
    add_batch(root, "two", range(5, 9))
    shard = root / "images" / "part-one.parquet"
    content = bytearray(shard.read_bytes())
    content[content.index(picture(3)) + byte] ^= 1  # -1: the length before the image
    shard.write_bytes(content)
    dataset = toolkit.open_dataset(root)
    with pytest.raises(DatasetError, match=r"part-one\.parquet' is damaged: row group 0 is not as it was written; run tonnage"):
        ids(dataset.loader(decode=False, verify="pages"))


def test_where_a_writer_left_checksums_out_hashes_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.dataset import shards

    options = shards._options
    monkeypatch.setattr(shards, "_options", lambda names: options(names) | {"write_page_checksum": False})
    root = tmp_path / "d"
    add_batch(root, "one", range(5))
    assert len(ids(toolkit.open_dataset(root).loader(decode=False, verify="pages"))) == 5
    shard = root / "images" / "part-one.parquet"
    content = bytearray(shard.read_bytes())
    content[content.index(picture(3)) + 300] ^= 1
    shard.write_bytes(content)
    with pytest.raises(DatasetError, match=r"image .* is damaged; run: tonnage verify"):
        ids(toolkit.open_dataset(root).loader(decode=False, verify="pages"))


def test_a_loader_that_is_closed_lets_go_of_its_shards_and_can_go_on(dataset: Dataset) -> None:
    with dataset.loader(decode=False, views=True) as loader:
        given = ids(loader)
        views = [batch.images for batch in loader]
    assert bytes(views[0][0]) == dataset.get(ids(dataset.loader(decode=False, shuffle=False)).index(given[0]))
    assert ids(loader) == given
    loader.close()
    maps = Path("/proc/self/maps")
    del views
    assert not maps.exists() or not [path for path in dataset.shard_paths() if str(path) in maps.read_text()]


def test_a_loader_that_nobody_holds_is_gone_at_once(dataset: Dataset) -> None:
    gc.disable()
    try:
        loader = dataset.loader(decode=False)
        ids(loader)
        fetch = weakref.ref(loader._fetch)
        del loader
        assert fetch() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("verify", [True, False, "pages"])
@pytest.mark.parametrize("split", [None, "train"])
def test_views_are_the_bytes_and_stay_what_they_are(dataset: Dataset, verify: bool | str, split: str | None) -> None:
    options = {"decode": False, "batch_size": 8, "window_groups": 1, "verify": verify, "split": split}
    copies = [image for batch in dataset.loader(**options) for image in batch.images]
    views = [image for batch in dataset.loader(**options, views=True) for image in batch.images]
    assert all(isinstance(image, bytes) for image in copies)
    assert all(view.readonly for view in views)
    assert copies == views, "views that are kept are not written over by what is read later"


def test_memory_is_used_again_once_no_view_is_left() -> None:
    buffers = Buffers(held_count=2)
    first = buffers.take(3 << 20)
    place, view = first.__array_interface__["data"][0], first.data[5:]
    del first
    assert buffers.idle_count == 0, "a view still shows it"
    assert buffers.take(100).__array_interface__["data"][0] != place
    del view
    again = [buffers.take(2 << 20), buffers.take(3 << 20)]
    assert place in [array.__array_interface__["data"][0] for array in again]
    assert [array.size for array in again] == [2 << 20, 3 << 20]
    many = [buffers.take(10) for _ in range(9)]
    del many
    assert buffers.idle_count == 2


@pytest.mark.parametrize(
    "options", [{"batch_size": 0}, {"workers": 0}, {"resize_px": 0}, {"rank": 2, "world_size": 2}, {"rank": -1}]
)
def test_impossible_options_are_one_sentence(dataset: Dataset, options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="must be"):
        dataset.loader(**options)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_pixels_come_as_the_camera_was_held(orientation: int, kind: str) -> None:
    from PIL import ImageOps

    image = Image.open(io.BytesIO(picture(1, (64, 48)))).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    payload = encoded(image, kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {}))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(payload))).convert("RGB"), int)
    assert np.abs(decode_rgb(payload).astype(int) - expected).max() <= 3


def test_16_bit_gray_is_scaled_and_transparency_lies_on_white() -> None:
    deep = Image.fromarray(np.full((8, 8), 0x8000, np.uint16))
    assert decode_rgb(encoded(deep, "PNG")).mean() == 128
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert decode_rgb(encoded(clear, "PNG")).min() == 255
    assert decode_rgb(encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG")).min() >= 250
    assert decode_rgb(encoded(Image.new("RGB", (300, 200), "red"), "JPEG"), 32).shape == (32, 32, 3)


def test_a_turn_is_found_behind_large_metadata_and_a_broken_one_costs_nothing() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    payload = encoded(Image.new("RGB", (64, 48), "red"), "JPEG", exif=exif)
    profile = b"\xff\xe2" + (60_000).to_bytes(2, "big") + bytes(59_998)
    assert decode_rgb(payload[:2] + profile + payload[2:]).shape == (64, 48, 3)
    broken = encoded(Image.new("RGB", (64, 48), "red"), "PNG", exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff")
    assert decode_rgb(broken).shape == (48, 64, 3)


@settings(max_examples=40, deadline=None)
@given(width=st.integers(1, 90), height=st.integers(1, 90), side=st.integers(1, 70), seed=st.integers(0, 2**32 - 1))
def test_squares_are_the_same_with_and_without_the_fast_extra(width: int, height: int, side: int, seed: int) -> None:
    pytest.importorskip("cykooz_resizer", reason="the fast extra is not installed")
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    fast, plain = resizing._by_convolution(pixels, side).astype(int), resizing._by_pillow(pixels, side).astype(int)
    assert fast.shape == plain.shape == (side, side, 3)
    assert np.abs(fast - plain).max() <= 1


def test_a_square_is_the_middle_and_no_pixel_is_left_out_of_it() -> None:
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:, 100:200] = 200
    assert (to_square(pixels, 25)[:, 1:-1] == 200).all(), "only the filter's edge looks beyond the square"
    lines = np.zeros((128, 128, 3), np.uint8)
    lines[::8] = 255
    assert to_square(lines, 16).mean() == pytest.approx(255 / 8, abs=2), "every eighth line is seen, though few are"
