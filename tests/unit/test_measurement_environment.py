"""The environment says what the machine is, and nothing of whose it is."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from toolkit.measurement import environment
from toolkit.measurement.environment import busy_and_total_s, core_count, environment_of


def test_the_environment_is_json_with_units_and_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "node", lambda: "alices-laptop")
    found = environment_of(tmp_path)
    text = json.dumps(dict(found.facts))
    assert found.facts["core_count"] == core_count() >= 1
    assert found.facts["memory_bytes"] > 10**8
    assert found.facts["packages"]["pyarrow"]
    assert found.facts["filesystem"]
    assert "alice" not in text + found.host
    assert found == environment_of(tmp_path) or found.facts["load_1min_count"] is not None


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000"}, 1),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_cores_are_capped_by_the_quota(
    files: dict[str, str], cores: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    uncapped = len(environment.os.sched_getaffinity(0))
    monkeypatch.setattr(environment, "_CGROUP", tmp_path)
    assert core_count() == (cores or uncapped)


def test_memory_limits_of_both_kinds_of_control_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_CGROUP", tmp_path)
    assert "memory_limit_bytes" not in environment_of(tmp_path).facts
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory/memory.limit_in_bytes").write_text(str(2**63 - 4096))
    assert "memory_limit_bytes" not in environment_of(tmp_path).facts
    (tmp_path / "memory.max").write_text(str(2**30))
    assert environment_of(tmp_path).facts["memory_limit_bytes"] == 2**30


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
    monkeypatch.delattr(environment.os, "getloadavg", raising=False)
    monkeypatch.delattr(environment.os, "sched_getaffinity", raising=False)
    facts = environment_of(tmp_path).facts
    assert busy_and_total_s() is None
    assert "l3_cache_bytes" not in facts
    assert "load_1min_count" not in facts
    assert facts["core_count"] >= 1
