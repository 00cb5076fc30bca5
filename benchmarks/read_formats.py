"""The same images in the formats of others, each written by its own library: what their readers are measured on.

python -m benchmarks.read_formats NAME SOURCE FOLDER, in a process of its own: some of these libraries start threads and
processes that stay.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HELD: list[Any] = []
"""What must live as long as the process."""
SHARD_IMAGES = 1_000
SHARD_BYTES = 64 << 20
"""About what these libraries take by default."""


def paths_of(source: Path) -> list[Path]:
    """Return the images in the order of their names."""
    return sorted(source.rglob("*.jpg"))


def write_webdataset(source: Path, folder: Path) -> None:
    """Write tar files of a thousand images, by webdataset."""
    import webdataset

    paths = paths_of(source)
    for number, at in enumerate(range(0, len(paths), SHARD_IMAGES)):
        with webdataset.TarWriter(str(folder / f"{number:05d}.tar")) as writer:
            for path in paths[at : at + SHARD_IMAGES]:
                writer.write({"__key__": path.stem, "jpg": path.read_bytes()})


def import_streaming() -> Any:
    """Return MosaicML Streaming, beside a torch for processors too: torchvision, which it imports for nothing, stops there."""
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError:  # built for CUDA: it takes for granted that its operators are there
        operators = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        HELD.append(operators)
    import streaming

    return streaming


def write_mds(source: Path, folder: Path) -> None:
    """Write MDS shards, by MosaicML Streaming."""
    with import_streaming().MDSWriter(
        out=str(folder), columns={"image": "bytes", "key": "str"}, size_limit=SHARD_BYTES
    ) as writer:
        for path in paths_of(source):
            writer.write({"image": path.read_bytes(), "key": path.stem})


def litdata_sample(path: str) -> dict[str, Any]:
    """Return a sample as LitData stores it."""
    return {"image": Path(path).read_bytes(), "key": Path(path).stem}


def write_litdata(source: Path, folder: Path) -> None:
    """Write chunks, by LitData."""
    from litdata import optimize

    inputs = [str(path) for path in paths_of(source)]
    optimize(fn=litdata_sample, inputs=inputs, output_dir=str(folder), chunk_bytes=SHARD_BYTES, num_workers=1)


def write_datasets(source: Path, folder: Path) -> None:
    """Write Arrow files, by Hugging Face datasets."""
    import datasets

    def rows() -> Iterator[dict[str, Any]]:
        for path in paths_of(source):
            yield {"image": path.read_bytes(), "key": path.stem}

    features = datasets.Features({"image": datasets.Value("binary"), "key": datasets.Value("string")})
    datasets.disable_progress_bars()
    cache = folder.parent / "datasets-cache"
    datasets.Dataset.from_generator(rows, features=features, cache_dir=str(cache)).save_to_disk(str(folder))


WRITERS: dict[str, Callable[[Path, Path], None]] = {
    "webdataset": write_webdataset,
    "mds": write_mds,
    "litdata": write_litdata,
    "datasets": write_datasets,
}


if __name__ == "__main__":
    name, source, target = sys.argv[1:]
    Path(target).mkdir(parents=True)
    WRITERS[name](Path(source), Path(target))
