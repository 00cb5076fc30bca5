"""The environment says what the machine is, and nothing of whose it is."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from toolkit.measurement import cgroups, environment
from toolkit.measurement.environment import busy_and_total_s, core_count, environment_of


def test_the_environment_is_json_with_units_and_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "node", lambda: "alices-laptop")
    found = environment_of(tmp_path)
    text = json.dumps(dict(found.facts))
    assert found.facts["core_count"] == core_count() >= 1
    assert found.facts["memory_bytes"] > 10**8
    assert {"pyarrow", "obstore"} <= set(found.facts["packages"])
    assert found.facts["filesystem"]
    assert "alice" not in text + found.host
    assert found == environment_of(tmp_path) or found.facts["load_1min_count"] is not None


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000", "cpu.max": "400000 100000"}, 3),
        ({"unified/a/b/cpu.max": "50000 100000"}, 0.5),
        ({"cpu/job/cpu.cfs_quota_us": "200000", "cpu/job/cpu.cfs_period_us": "100000"}, 2),
        ({"elsewhere/cpu.max": "1 100000"}, None),
        ({}, None),
    ],
)
def test_the_least_quota_of_ones_groups_holds(files: dict[str, str], limit: float | None, tmp_path: Path) -> None:
    own = control_groups(tmp_path, files)
    assert cgroups.cpu_limit_count(tmp_path, own) == limit


def control_groups(root: Path, files: dict[str, str]) -> Path:
    """Lay files of control groups down, and say that this process is in ``/a/b``, and for version 1 in ``/job``."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    own = root / "own"
    own.write_text("4:memory:/job\n1:cpuacct,cpu:/job\n0::/a/b\n")
    return own


def test_cores_are_capped_by_the_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "cpu_limit_count", lambda: 1.5)
    assert core_count() == 1
    monkeypatch.setattr(cgroups, "cpu_limit_count", lambda: None)
    assert core_count() == len(environment.os.sched_getaffinity(0))


def test_memory_limits_of_both_kinds_of_control_groups(tmp_path: Path) -> None:
    own = control_groups(tmp_path, {"memory/memory.limit_in_bytes": str(2**63 - 4096), "a/b/memory.max": "max"})
    assert cgroups.memory_limit_bytes(tmp_path, own) is None
    control_groups(tmp_path, {"memory/job/memory.limit_in_bytes": str(2**31)})
    assert cgroups.memory_limit_bytes(tmp_path, own) == 2**31
    control_groups(tmp_path, {"a/memory.max": str(2**30)})
    assert cgroups.memory_limit_bytes(tmp_path, own) == 2**30


def test_limits_of_devices_are_those_that_limit(tmp_path: Path) -> None:
    own = control_groups(tmp_path, {"a/b/io.max": "8:0 rbps=1048576 wbps=max riops=max wiops=120\n8:16 rbps=max wbps=max"})
    assert cgroups.io_limits(tmp_path, own) == {"8:0": "rbps=1048576 wiops=120"}


def test_busy_time_grows_within_total_time() -> None:
    before = busy_and_total_s()
    if before is None:
        pytest.skip("this system does not say how busy it is")
    sum(range(10**6))
    after = busy_and_total_s()
    assert after is not None
    assert 0 <= after[0] - before[0] <= after[1] - before[1] + 0.1


def test_what_a_system_does_not_say_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_text", lambda _place: "")
    monkeypatch.setattr(cgroups, "_text", lambda _place: "")
    monkeypatch.delattr(environment.os, "getloadavg", raising=False)
    monkeypatch.delattr(environment.os, "sched_getaffinity", raising=False)
    facts = environment_of(tmp_path).facts
    assert busy_and_total_s() is None
    assert "l3_cache_bytes" not in facts
    assert "load_1min_count" not in facts
    assert facts["core_count"] >= 1
