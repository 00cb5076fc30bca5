"""Known answers about the page cache: cold, warm, held by a map, and filesystems where nothing can be known."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest

from toolkit.measurement import caches
from toolkit.measurement.caches import can_prove, device_read_bytes, evict, filesystem_of, make_resident, opens_direct, proof_of
from toolkit.units import MIB

SIZE_BYTES = 8 * MIB
SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture
def provable(tmp_path: Path) -> Path:
    if not can_prove(tmp_path):
        pytest.skip(f"the kernel does not account reads of {filesystem_of(tmp_path)} to the process")
    return tmp_path


def written(folder: Path) -> Path:
    path = folder / "shard.bin"
    path.write_bytes(os.urandom(SIZE_BYTES))
    return path


def device_bytes_of_reading(path: Path) -> int:
    before = device_read_bytes()
    make_resident(path)
    after = device_read_bytes()
    assert before is not None
    assert after is not None
    return after - before


def test_after_eviction_every_byte_comes_from_the_device_and_then_none(provable: Path) -> None:
    path = written(provable)  # dirty on purpose: eviction has to write it out first
    evict([path])
    cold = proof_of("cold", device_bytes_of_reading(path), SIZE_BYTES, is_provable=True)
    warm = proof_of("warm", device_bytes_of_reading(path), SIZE_BYTES, is_provable=True)
    assert (cold.verdict, cold.evidence) == ("cold", "read_bytes")
    assert cold.device_share >= 0.95
    assert warm.verdict == "warm"
    assert warm.device_share <= 0.02


def test_what_someone_has_mapped_is_not_called_cold(provable: Path) -> None:
    path = written(provable)
    with pa.memory_map(str(path)) as mapped:
        held = mapped.read_buffer(SIZE_BYTES)
        assert len(bytes(memoryview(held)[::4096])) == SIZE_BYTES // 4096  # touched, so that the pages are mapped
        evict([path])
        proof = proof_of("cold", device_bytes_of_reading(path), SIZE_BYTES, is_provable=True)
        del held
    assert proof.verdict != "cold"
    evict([path])
    assert device_bytes_of_reading(path) >= 0.95 * SIZE_BYTES


@pytest.mark.skipif(filesystem_of(SHARED_MEMORY) != "tmpfs", reason="no tmpfs at /dev/shm")
def test_a_filesystem_in_memory_is_never_cold() -> None:
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        path = written(Path(folder))
        evict([path])
        is_provable = can_prove(Path(folder))
        proof = proof_of("cold", device_bytes_of_reading(path), SIZE_BYTES, is_provable=is_provable)
        assert not is_provable
        assert (proof.verdict, proof.evidence) == ("unverified", "none")
        assert not opens_direct(path)


@pytest.mark.parametrize(
    ("device_bytes", "verdict"), [(950, "cold"), (949, "mixed"), (21, "mixed"), (20, "warm"), (0, "warm"), (5000, "cold")]
)
def test_verdicts_turn_at_their_thresholds(device_bytes: int, verdict: str) -> None:
    proof = proof_of("cold", device_bytes, 1000, is_provable=True)
    assert proof.verdict == verdict
    assert proof.device_share == device_bytes / 1000


def test_without_an_account_or_a_payload_nothing_is_claimed() -> None:
    assert proof_of("cold", None, 1000, is_provable=True).verdict == "unverified"
    assert proof_of("warm", 0, 0, is_provable=True).verdict == "unverified"


def test_on_a_system_that_knows_nothing_nothing_crashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path)
    monkeypatch.delattr(os, "posix_fadvise", raising=False)
    monkeypatch.setattr(caches, "device_read_bytes", lambda: None)
    evict([path])
    assert not can_prove(tmp_path)
    monkeypatch.delattr(os, "O_DIRECT", raising=False)
    assert not opens_direct(path)


def test_a_folder_that_cannot_be_written_proves_nothing(tmp_path: Path) -> None:
    assert not can_prove(tmp_path / "missing")


def test_the_account_of_a_process_that_is_gone_is_unknown() -> None:
    assert device_read_bytes(2**22 + 1) is None


def test_the_deepest_mount_names_the_filesystem(tmp_path: Path) -> None:
    if not Path("/proc/self/mountinfo").exists():
        assert filesystem_of(tmp_path) == "unknown"
        return
    assert filesystem_of(Path("/proc/self")) == "proc"
    assert filesystem_of(tmp_path) not in {"proc", "unknown"}
