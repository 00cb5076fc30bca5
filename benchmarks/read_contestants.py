"""Those whose reading is compared, each by what its library offers: encoded images in order, shuffled, by index; decoded batches.

A contestant is a function of a folder and a seed that returns its ways, by name; a way yields images, so that all are
driven, and each byte touched, by one and the same loop. Imports stand inside: each process pays for its own alone.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.read_formats import import_streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

Ways = dict[str, "Callable[[], Iterable[Any]]"]

SIDE_PX = 256
BATCH_IMAGES = 64
WORKERS = 2
SHUFFLE_IMAGES = 2_000
"""Of webdataset's buffer, about what Tonnage's loader mixes."""


def by_pillow(payload: bytes) -> np.ndarray[Any, Any]:
    """Return a decoded square, as people who use Pillow do it: scaled in the transform, converted, resized, cropped."""
    from PIL import Image

    image: Image.Image = Image.open(io.BytesIO(payload))
    image.draft("RGB", (SIDE_PX, SIDE_PX))
    image = image.convert("RGB")
    edge = min(image.size)
    left, top = (image.width - edge) / 2, (image.height - edge) / 2
    return np.asarray(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR, box=(left, top, left + edge, top + edge)))


def by_tonnage(payload: bytes) -> np.ndarray[Any, Any]:
    """Return a decoded square by the decoder of Tonnage's loader."""
    from toolkit.dataset.decoding import decode_rgb

    return decode_rgb(payload, SIDE_PX)


DECODERS = {"own": by_pillow, "Tonnage's decoder": by_tonnage}


def tonnage(folder: Path, seed: int, indices: Sequence[int]) -> Ways:
    """Tonnage: bytes and views, unchecked and checked."""
    import toolkit

    dataset = toolkit.open_dataset(folder / "tonnage")

    def epochs(**options: Any) -> Callable[[], Iterator[Any]]:
        loader = dataset.loader(seed=seed, **options)  # held over epochs, as a training does and as the peers' datasets are
        return lambda: (batch.images for batch in loader)

    def encoded(**options: Any) -> Callable[[], Iterator[Any]]:
        epoch = epochs(decode=False, **options)
        return lambda: (image for images in epoch() for image in images)

    decoded = epochs(batch_size=BATCH_IMAGES, resize_px=SIDE_PX)

    def decoded_by_pillow() -> Iterator[Any]:
        from toolkit.dataset import resizing

        resizing.can_resize_fast = lambda: False  # type: ignore[assignment]  # as where the extra is not installed
        return decoded()

    ways: Ways = {"decoded": decoded, "decoded, without tonnage[fast]": decoded_by_pillow}
    for order in ("sequential", "shuffled"):
        shuffle = order == "shuffled"
        ways |= {
            f"{order}, views, unchecked": encoded(shuffle=shuffle, verify=False, views=True),
            f"{order}, bytes, unchecked": encoded(shuffle=shuffle, verify=False),
            f"{order}, views, page checksums": encoded(shuffle=shuffle, verify="pages", views=True),
            f"{order}, bytes, sha256": encoded(shuffle=shuffle),
        }
    return ways | {
        "random, unchecked": lambda: (dataset.get(i, verify=False) for i in indices),
        "random, sha256": lambda: (dataset.get(i) for i in indices),
    }


def webdataset(folder: Path, seed: int, indices: Sequence[int]) -> Ways:  # noqa: ARG001 -- tar files have no index
    """Return webdataset's ways: a stream of tar files."""
    import random

    import webdataset as wds

    shards = sorted(str(path) for path in (folder / "webdataset").glob("*.tar"))

    def plain() -> Any:
        return wds.WebDataset(shards, shardshuffle=False, empty_check=False)

    def mixed() -> Any:
        dataset = wds.WebDataset(shards, shardshuffle=100, empty_check=False, seed=seed)
        return dataset.shuffle(SHUFFLE_IMAGES, rng=random.Random(seed))

    def decoded(decode: Callable[[bytes], Any]) -> Callable[[], Iterable[Any]]:
        return lambda: batches(mixed().map(lambda sample: decode(sample["jpg"])))

    return {
        "sequential": lambda: (sample["jpg"] for sample in plain()),
        "shuffled": lambda: (sample["jpg"] for sample in mixed()),
    } | {f"decoded, {name}": decoded(decode) for name, decode in DECODERS.items()}


def mds(folder: Path, seed: int, indices: Sequence[int]) -> Ways:
    """Return MosaicML Streaming's ways: by index, or an iterator that orders samples and keeps shards at hand."""
    streaming = import_streaming()
    streaming.base.util.clean_stale_shared_memory()
    made: dict[bool, Any] = {}

    def stream(*, shuffle: bool) -> Any:
        if shuffle not in made:
            options = {"local": str(folder / "mds"), "shuffle": shuffle, "shuffle_seed": seed, "batch_size": BATCH_IMAGES}
            made[shuffle] = streaming.StreamingDataset(**options)
        return made[shuffle]

    class Decoding(streaming.StreamingDataset):  # type: ignore[misc, name-defined]  # of a module named at run time
        decode: Any

        def __getitem__(self, at: int) -> Any:
            return self.decode(super().__getitem__(at)["image"])

    def decoded(decode: Callable[[bytes], Any]) -> Callable[[], Iterable[Any]]:
        def way() -> Iterable[Any]:
            dataset = Decoding(local=str(folder / "mds"), shuffle=True, shuffle_seed=seed, batch_size=BATCH_IMAGES)
            dataset.decode = decode
            return batches(dataset)

        return way

    return {
        "sequential": lambda: (sample["image"] for sample in stream(shuffle=False)),
        "shuffled": lambda: (sample["image"] for sample in stream(shuffle=True)),
        "random": lambda: (stream(shuffle=False)[i]["image"] for i in indices),
    } | {f"decoded, {name}": decoded(decode) for name, decode in DECODERS.items()}


def litdata(folder: Path, seed: int, indices: Sequence[int]) -> Ways:
    """Return LitData's ways: by index, or an iterator over chunks."""
    import litdata as lit

    place = str(folder / "litdata")

    class Decoding(lit.StreamingDataset):  # type: ignore[misc, name-defined]  # of a module named at run time
        decode: Any

        def __getitem__(self, at: Any) -> Any:
            return self.decode(super().__getitem__(at)["image"])

    def decoded(decode: Callable[[bytes], Any]) -> Callable[[], Iterable[Any]]:
        def way() -> Iterable[Any]:
            dataset = Decoding(place, shuffle=True, seed=seed)
            dataset.decode = decode
            return lit.StreamingDataLoader(dataset, batch_size=BATCH_IMAGES, num_workers=WORKERS)

        return way

    def by_index() -> Iterator[Any]:
        dataset = lit.StreamingDataset(place)
        return (dataset[i]["image"] for i in indices)

    return {
        "sequential": lambda: (sample["image"] for sample in lit.StreamingDataset(place, shuffle=False)),
        "shuffled": lambda: (sample["image"] for sample in lit.StreamingDataset(place, shuffle=True, seed=seed)),
        "random": by_index,
    } | {f"decoded, {name}": decoded(decode) for name, decode in DECODERS.items()}


def datasets(folder: Path, seed: int, indices: Sequence[int]) -> Ways:
    """Return Hugging Face datasets' ways: rows, batches of rows, and Arrow batches whose bytes are views of the map."""
    import datasets as hf

    table = hf.load_from_disk(str(folder / "datasets"))

    def rows(source: Any) -> Callable[[], Iterator[Any]]:
        return lambda: (row["image"] for row in source)

    def in_batches(source: Any) -> Callable[[], Iterator[Any]]:
        return lambda: (image for batch in source.iter(BATCH_IMAGES) for image in batch["image"])

    def views() -> Iterator[Any]:
        for batch in table.with_format("arrow").iter(BATCH_IMAGES):
            for value in batch["image"]:
                yield memoryview(value.as_buffer())

    def decoded(decode: Callable[[bytes], Any]) -> Callable[[], Iterable[Any]]:
        def transform(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
            return {"image": [decode(payload) for payload in rows["image"]]}

        return lambda: (batch["image"] for batch in batches(table.with_transform(transform), shuffle=True))

    mixed = table.shuffle(seed=seed)
    return {
        "sequential, rows": rows(table),
        "sequential, batches": in_batches(table),
        "sequential, Arrow views": views,
        "shuffled, rows": rows(mixed),
        "shuffled, batches": in_batches(mixed),
        "random": lambda: (table[i]["image"] for i in indices),
    } | {f"decoded, {name}": decoded(decode) for name, decode in DECODERS.items()}


def batches(dataset: Any, **options: Any) -> Iterable[Any]:
    """Return batches by PyTorch's DataLoader with a worker process per core."""
    from torch.utils.data import DataLoader

    return DataLoader(dataset, batch_size=BATCH_IMAGES, num_workers=WORKERS, **options)


CONTESTANTS: dict[str, Callable[[Path, int, Sequence[int]], Ways]] = {
    "tonnage": tonnage,
    "webdataset": webdataset,
    "mds": mds,
    "litdata": litdata,
    "datasets": datasets,
}
