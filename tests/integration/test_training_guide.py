"""The blocks of docs/training.md run in their order, as they are written; those that need PyTorch run in tests/interop."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

import toolkit

PAGE = ROOT / "docs" / "training.md"


def python_blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def test_what_the_guide_shows_runs_without_torch(sample_dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "my-dataset").symlink_to(sample_dataset)
    blocks = [block for block in python_blocks() if "torch" not in block]
    assert (len(blocks), len(python_blocks())) == (3, 4)
    told = "import json\nprint(json.dumps([given, [share.image_count for share in shares]]))\n"
    command = [sys.executable, "-W", "error", "-c", "\n".join([*blocks, told])]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    given, counts = json.loads(done.stdout.splitlines()[-1])
    train = toolkit.open_dataset(sample_dataset).scan("images").filter(split="train").select("image_id").collect()["image_id"]
    assert sorted(given) == sorted(train)
    assert counts == [len(train) // 4] * 4
