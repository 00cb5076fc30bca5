"""Without PyTorch, who asks for it is told in one sentence; with it, tests/interop reads batches (make interop)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from dataset_rows import add_batch

import toolkit
from toolkit.errors import ExtraError


def test_without_torch_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_batch(tmp_path / "d", "a", range(3))
    dataset = toolkit.open_dataset(tmp_path / "d")
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "toolkit.dataset.torch_images", raising=False)
    with pytest.raises(ExtraError) as raised:
        dataset.torch(split="train")
    assert str(raised.value) == "a dataset is given to PyTorch once it is installed: pip install 'tonnage[torch]'"
    monkeypatch.delitem(sys.modules, "toolkit.dataset.torch_images")
