"""New files: whole and hashed whatever the disk, never in the page cache after, and what the disk refuses is told."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from toolkit.dataset import new_files
from toolkit.dataset.new_files import NewFile
from toolkit.measurement.caches import can_prove, device_read_bytes, opens_direct
from toolkit.units import MIB

SHARED_MEMORY = Path("/dev/shm")
FULL = Path("/dev/full")


def pieces(size_bytes: int, seed: int = 1) -> list[bytes]:
    """Return bytes in pieces of all sizes, as a Parquet writer hands them over."""
    chance = random.Random(seed)
    found: list[bytes] = []
    while size_bytes:
        taken = min(size_bytes, chance.choice([1, 30, 4_095, 4_096, 70_001, 9 * MIB]))
        found.append(chance.randbytes(taken))
        size_bytes -= taken
    return found


def needs_direct(folder: Path) -> None:
    """Skip a test where nothing goes past the page cache, or nobody can tell."""
    (folder / "scratch").write_bytes(bytes(8_192))
    if not can_prove(folder) or not opens_direct(folder / "scratch"):
        pytest.skip("what is in the page cache is not known here")


def written(path: Path, parts: list[bytes]) -> NewFile:
    with NewFile(path) as file:
        for part in parts:
            assert file.write(part) == len(part)
        assert file.finish() == hashlib.sha256(b"".join(parts)).hexdigest()
    return file


@pytest.mark.parametrize("size_bytes", [0, 1, 4_096, 4_097, 4 * MIB, 4 * MIB + 1, 70 * MIB + 12_345])
def test_a_file_is_what_was_written_to_it(tmp_path: Path, size_bytes: int) -> None:
    parts = pieces(size_bytes)
    file = written(tmp_path / "a", parts)
    assert (tmp_path / "a").read_bytes() == b"".join(parts)
    assert file.size_bytes == size_bytes
    assert (file.cpu_s > 0) == (size_bytes >= 4 * MIB)


def test_a_file_that_was_there_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 9 * MIB)
    written(tmp_path / "a", [b"new"])
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("way", ["direct", "refused", "none"])
def test_no_page_of_it_stays_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Past the cache where that is possible; where it is refused or unknown, through the cache, which is emptied of it."""
    needs_direct(tmp_path)
    if way == "refused":
        monkeypatch.setattr(new_files, "_ALIGNED_BYTES", 1)  # the kernel refuses what is written then
    if way == "none":
        monkeypatch.setattr(new_files, "_DIRECT", 0)
    parts = pieces(23 * MIB + 77)
    file = written(tmp_path / "a", parts)
    assert file._is_direct is False  # by the last bytes at the latest
    before = device_read_bytes()
    assert (tmp_path / "a").read_bytes() == b"".join(parts)
    after = device_read_bytes()
    assert before is not None
    assert after is not None
    assert after - before >= 22 * MIB


def test_bytes_go_past_the_cache_where_they_can(tmp_path: Path) -> None:
    needs_direct(tmp_path)
    with NewFile(tmp_path / "a") as file:
        file.write(bytes(8 * MIB))
        file.finish()
        assert file._is_direct  # whole blocks to the end


@pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason="no filesystem in memory here")
def test_a_filesystem_in_memory_takes_it_too() -> None:
    path = SHARED_MEMORY / f"tonnage-test-{os.getpid()}"
    try:
        parts = pieces(9 * MIB + 5)
        written(path, parts)
        assert path.read_bytes() == b"".join(parts)
    finally:
        path.unlink(missing_ok=True)


@pytest.mark.skipif(not FULL.exists(), reason="no device that is full here")
@pytest.mark.parametrize("size_bytes", [10, 5 * MIB, 60 * MIB])
def test_a_full_disk_is_told_and_nothing_is_left_running(size_bytes: int) -> None:
    before = threading.active_count()
    with pytest.raises(OSError, match="No space left on device"):
        written(FULL, [bytes(size_bytes)])
    assert threading.active_count() == before


LIMITED = """
import resource, sys
from pathlib import Path
from toolkit.dataset.new_files import NewFile
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
with NewFile(Path(sys.argv[1])) as file:
    try:
        file.write(bytes(30_000_000))
        file.finish()
    except OSError as fault:
        print(fault.errno)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
@pytest.mark.parametrize("most_bytes", [8_388_608, 9_000_001])
def test_a_disk_that_takes_a_part_of_a_block_is_told(tmp_path: Path, most_bytes: int) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "a"), str(most_bytes)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == [str(errno.EFBIG)]
    assert (tmp_path / "a").stat().st_size == most_bytes
