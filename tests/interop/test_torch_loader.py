"""The dataset in PyTorch's own DataLoader: every image once over workers and ranks, whatever the sizes."""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed
from dataset_rows import add_batch
from torch.utils.data import DataLoader

import toolkit
from toolkit.dataset.reading import Dataset
from toolkit.errors import DatasetError, UsageError

TRAIN_COUNT = 101

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # of more workers than cores


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("torch") / "d"
    add_batch(root, "a", range(64))
    add_batch(root, "b", range(300, 300 + TRAIN_COUNT - 64))
    add_batch(root, "c", range(700, 720), split="test")
    return toolkit.open_dataset(root)


def print_of(image: torch.Tensor) -> bytes:
    return image.numpy().tobytes()


def expected(dataset: Dataset, resize_px: int = 24) -> dict[bytes, str]:
    """Each image of the training split as the plain loader gives it, with its label."""
    (batch,) = dataset.loader(split="train", resize_px=resize_px, batch_size=TRAIN_COUNT)
    return {np.moveaxis(image, 2, 0).tobytes(): label for image, label in zip(batch.images, batch.labels, strict=True)}


def seen(loader: DataLoader) -> list[tuple[bytes, int]]:
    return [(print_of(image), int(label)) for images, labels in loader for image, label in zip(images, labels, strict=True)]


@pytest.mark.parametrize(("worker_count", "batch_size"), [(0, 32), (2, 32), (3, 7)])
def test_a_plain_dataloader_gives_every_image_once_with_its_label(dataset: Dataset, worker_count: int, batch_size: int) -> None:
    ds = dataset.torch(split="train", resize_px=24)
    images, labels = next(iter(DataLoader(ds, batch_size=batch_size, num_workers=worker_count)))
    assert (images.dtype, images.shape[1:], labels.dtype) == (torch.uint8, (3, 24, 24), torch.int64)
    assert images.is_contiguous()
    found = seen(DataLoader(ds, batch_size=batch_size, num_workers=worker_count))
    assert len(found) == TRAIN_COUNT == ds.image_count
    assert {image: ds.classes[label] for image, label in found} == expected(dataset)
    assert ds.classes == ["class 0", "class 1", "class 2"]


@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_workers_that_are_not_forked_read_the_same(dataset: Dataset, context: str) -> None:
    ds = dataset.torch(split="train", resize_px=24)
    loader = DataLoader(ds, batch_size=32, num_workers=2, multiprocessing_context=context)
    assert seen(loader) == seen(DataLoader(ds, batch_size=32, num_workers=2))


@pytest.mark.parametrize(("world_size", "worker_count"), [(2, 2), (3, 2), (4, 0)])
def test_ranks_and_their_workers_lose_and_repeat_nothing(dataset: Dataset, world_size: int, worker_count: int) -> None:
    ranks = [dataset.torch(split="train", resize_px=24, rank=rank, world_size=world_size) for rank in range(world_size)]
    shares = [seen(DataLoader(ds, batch_size=8, num_workers=worker_count)) for ds in ranks]
    assert [len(share) for share in shares] == [ds.image_count for ds in ranks]
    assert collections.Counter(image for share in shares for image, _ in share) == collections.Counter(list(expected(dataset)))


def test_equal_ranks_make_equal_numbers_of_batches(dataset: Dataset) -> None:
    ranks = [dataset.torch(split="train", resize_px=24, rank=rank, world_size=3, equal_ranks=True) for rank in range(3)]
    batches = [[len(labels) for _, labels in DataLoader(ds, batch_size=8, num_workers=2)] for ds in ranks]
    assert batches[0] == batches[1] == batches[2]
    assert TRAIN_COUNT - 5 <= sum(map(sum, batches)) <= TRAIN_COUNT


def _of_a_rank(rank: int, location: str, rendezvous: str, out: str, context: str) -> None:
    torch.distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    try:
        ds = toolkit.open_dataset(location).torch(split="train", resize_px=24)
        loader = DataLoader(ds, batch_size=8, num_workers=1, multiprocessing_context=context)
        torch.save(seen(loader), f"{out}/{rank}.pt")
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_ranks_are_those_of_torch_distributed(dataset: Dataset, tmp_path: Path, context: str) -> None:
    import torch.multiprocessing

    rendezvous = f"file://{tmp_path}/rendezvous"
    torch.multiprocessing.spawn(_of_a_rank, (str(dataset.location), rendezvous, str(tmp_path), context), nprocs=2)
    shares = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    assert {len(share) for share in shares} == {50, 51}
    assert {image for share in shares for image, _ in share} == set(expected(dataset))


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_epochs_differ_even_for_workers_that_live_on(dataset: Dataset, context: str) -> None:
    ds = dataset.torch(split="train", resize_px=24, seed=5)
    loader = DataLoader(ds, batch_size=16, num_workers=2, persistent_workers=True, multiprocessing_context=context)
    epochs = []
    for epoch in range(3):
        ds.set_epoch(epoch)
        epochs.append(seen(loader))
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(epochs[2])
    again = dataset.torch(split="train", resize_px=24, seed=5, epoch=1)
    assert seen(DataLoader(again, batch_size=16, num_workers=2)) == epochs[1]


def test_an_epoch_left_early_begins_anew(dataset: Dataset) -> None:
    ds = dataset.torch(split="train", resize_px=24)
    next(iter(ds))
    assert len(list(ds)) == TRAIN_COUNT


def _as_share(image: torch.Tensor) -> torch.Tensor:
    return image.float() / 255


def test_a_transform_is_given_each_image(dataset: Dataset) -> None:
    ds = dataset.torch(split="test", resize_px=16, transform=_as_share, classes=["class 2", "class 1", "class 0"])
    images, labels = next(iter(DataLoader(ds, batch_size=20, num_workers=1)))
    plain, plain_labels = next(iter(DataLoader(dataset.torch(split="test", resize_px=16), batch_size=20)))
    assert torch.equal(images, plain.float() / 255)
    assert torch.equal(labels, 2 - plain_labels)
    assert next(iter(dataset.torch(split="test", resize_px=None)))[0].shape == (3, 30, 40)


def test_an_image_without_a_label_is_minus_one(sample_dataset: Path) -> None:
    dataset = toolkit.open_dataset(sample_dataset)
    ds = dataset.torch(split="train", resize_px=32)
    labels = [label for _, label in ds]
    stored = dataset.scan("images").filter(split="train").select("label").collect()["label"]
    assert collections.Counter(labels) == collections.Counter(
        -1 if label is None else ds.classes.index(label) for label in stored
    )
    assert -1 in labels


@pytest.mark.parametrize("worker_count", [0, 2])
def test_a_fault_in_a_worker_reaches_the_training_loop(tmp_path: Path, worker_count: int) -> None:
    add_batch(tmp_path / "d", "a", range(50))
    dataset = toolkit.open_dataset(tmp_path / "d")
    (shard,) = dataset.shard_paths()
    payload = bytearray(shard.read_bytes())
    place = payload.index(dataset.get(33)) + 300
    payload[place] ^= 1
    shard.write_bytes(payload)
    with pytest.raises(DatasetError, match="is damaged; run: tonnage verify"):
        seen(DataLoader(toolkit.open_dataset(tmp_path / "d").torch(resize_px=24), batch_size=8, num_workers=worker_count))


def test_what_is_not_possible_is_said_at_once(dataset: Dataset) -> None:
    for options, message in (
        ({"rank": 1}, "rank and world_size are given together"),
        ({"rank": 2, "world_size": 2}, "rank must be 0 to world_size - 1"),
        ({"resize_px": 0}, "must be 1 or more"),
    ):
        with pytest.raises(UsageError, match=message):
            dataset.torch(**options)
    with pytest.raises(UsageError, match=r"the label 'class 0' of .* is not one of the 2 classes given"):
        seen(DataLoader(dataset.torch(resize_px=24, classes=["class 1", "class 2"]), num_workers=2, batch_size=8))
