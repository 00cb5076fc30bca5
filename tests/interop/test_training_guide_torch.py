"""All blocks of docs/training.md, those for PyTorch too, run in their order as they are written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from conftest import ROOT


def test_what_the_guide_shows_runs_with_torch(sample_dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "my-dataset").symlink_to(sample_dataset)
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert any("DataLoader" in block for block in blocks)
    told = "print(sum(len(labels) for _, labels in batches) == ds.image_count, bool(known.any()), tuple(images.shape[1:]))\n"
    command = [sys.executable, "-c", "\n".join([*blocks, told])]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "True True (3, 224, 224)"
