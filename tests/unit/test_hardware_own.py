"""The user's own hardware facts, and the schema that all facts are held against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import toolkit
from toolkit.cli import run
from toolkit.errors import UsageError
from toolkit.projection import hardware_facts
from toolkit.projection.hardware_entries import KINDS
from toolkit.projection.hardware_own import add_entries, checked_entries, own_path

CARD: dict[str, Any] = {
    "title": "Test device", "memory": "10 GB", "memory_bandwidth": "1 TB/s", "peak": {"bf16": "100 TFLOPS"}, "power": "100 W",
    "link": "32 GB/s", "source": "made up for a test", "as_of": "2026-11", "evidence": "assumed",
    "serving": {"resnet50": {"single": "1 ms", "offline_per_s": 5000}},
}  # fmt: skip


@pytest.fixture(autouse=True)
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "own" / "hardware.yaml"
    monkeypatch.setenv("TONNAGE_HARDWARE", str(place))
    return place


def written(tmp_path: Path, entries: Any) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(entries if isinstance(entries, str) else yaml.safe_dump(entries))
    return str(path)


def test_an_entry_of_ones_own_is_used_like_those_that_come_with_the_toolkit(
    tmp_path: Path, own_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served = {"accelerator": "mine", "requests_per_s": 1000}
    asked = {"name": "x", "dataset": {"images": 1000, "image_size": "1 kB"}, "inference": served}
    with pytest.raises(toolkit.errors.ScenarioError, match="is not a known accelerator"):
        toolkit.project(asked, draws=1)
    assert run(["hardware", "add", written(tmp_path, {"accelerator": {"mine": CARD}})]) == 0
    assert capsys.readouterr().out == f"accelerator mine added to '{own_file}'\n"
    assert toolkit.project(asked, draws=1).value("inference.instance_count") == 2
    assert run(["hardware", "show", "mine"]) == 0
    assert "Test device" in capsys.readouterr().out


def test_an_entry_takes_what_it_does_not_say_from_another(tmp_path: Path) -> None:
    mine = {"accelerator": {"l4_quoted": {"like": "l4", "price_per_hour": "0.5 USD/h", "price_source": "our quote"}}}
    assert run(["hardware", "add", written(tmp_path, mine), "--json"]) == 0
    found = hardware_facts.accelerators()
    assert found["l4_quoted"].price_per_hour == pytest.approx(0.5 / 3600)
    assert found["l4_quoted"].memory == found["l4"].memory
    assert found["l4"].price_per_hour is None


def test_a_name_is_taken_once_and_replaced_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hardware", "add", written(tmp_path, {"accelerator": {"mine": CARD}})]) == 0
    changed = {"accelerator": {"mine": CARD | {"memory": "20 GB"}}, "nic": {"fast": {"like": "ndr_400g", "price": "1500 USD"}}}
    assert run(["hardware", "add", written(tmp_path, changed)]) == 2
    assert "there is already accelerator 'mine'" in capsys.readouterr().err
    assert hardware_facts.accelerators()["mine"].memory == 10e9
    assert "fast" not in hardware_facts.cards()
    assert run(["hardware", "add", written(tmp_path, changed), "--replace"]) == 0
    assert hardware_facts.accelerators()["mine"].memory == 20e9
    assert hardware_facts.cards()["fast"].price == 1500


@pytest.mark.parametrize(
    ("entries", "fragment"),
    [
        ("[", "cannot be read as hardware facts"),
        ("", "holds no entries"),
        ({"accelerator": 5}, "holds no entries"),
        ({"accelerator": {"mine": 5}}, "holds no entries"),
        ({"gpu": {"mine": {}}}, "'gpu' is not a kind of entry; there are accelerator, model"),
        ({"accelerator": {"mine": {}}}, "accelerator 'mine': 'title' is missing; 'source' is missing"),
        ({"accelerator": {"mine": CARD | {"memroy": "1 GB"}}}, "'memroy' is not a key; did you mean 'memory'?"),
        ({"accelerator": {"mine": CARD | {"memory": "10 bananas"}}}, "accelerator 'mine': 'memory' ('10 bananas')"),
        ({"accelerator": {"mine": CARD | {"evidence": "rumour"}}}, "'evidence' ('rumour')"),
        ({"accelerator": {"mine": CARD | {"assumed": ["speed"]}}}, "'assumed' names 'speed'"),
        ({"accelerator": {"mine": CARD | {"serving": {"resnet50": {"single": "1 ms", "offline_per_s": 0}}}}}, "offline_per_s"),
        ({"accelerator": {"mine": {"like": "abacus"}}}, "'like' names 'abacus', which is not there; there are a100"),
        ({"switch": {"s": {"like": "qm9700_64x400g", "port_count": 1}}}, "switch 's': 'port_count' ('1')"),
        ({"dataset": {"d": {"title": "x", "images": -1, "size": "1 GB", "source": "x", "as_of": "2026"}}}, "'images' ('-1')"),
    ],
)  # fmt: skip
def test_a_bad_entry_is_one_sentence_and_nothing_is_added(
    tmp_path: Path, own_file: Path, entries: Any, fragment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["hardware", "add", written(tmp_path, entries)]) == 2
    said = capsys.readouterr().err
    assert fragment in said
    assert said.count("\n") == 1
    assert not own_file.exists()


def test_a_file_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["hardware", "add", str(tmp_path / "none.yaml")]) == 2
    (tmp_path / "flat").write_text("x")
    monkeypatch.setenv("TONNAGE_HARDWARE", str(tmp_path / "flat" / "hardware.yaml"))
    path = written(tmp_path, {"nic": {"x": {"like": "eth_10g"}}})
    with pytest.raises(UsageError, match="cannot be written"):
        add_entries(path, {"nic": hardware_facts.shipped_facts("nic")})
    monkeypatch.delenv("TONNAGE_HARDWARE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert own_path() == tmp_path / "tonnage" / "hardware.yaml"


@pytest.mark.parametrize("kind", KINDS)
def test_every_shipped_entry_has_its_source_and_date(kind: str) -> None:
    entries: dict[str, Any] = {name: KINDS[kind](**facts) for name, facts in hardware_facts.shipped_facts(kind).items()}
    assert entries
    for name, fact in entries.items():
        assert len(fact.source) > 5, name
        assert fact.as_of[:2] == "20", name
        assert not getattr(fact, "price", None) or fact.price_source, name
    assert checked_entries({kind: hardware_facts.shipped_facts(kind)}, "here", {})[kind] == entries


def test_rented_machines_name_accelerators_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert {machine.accelerator for machine in hardware_facts.instances().values()} <= set(hardware_facts.accelerators())
    assert run(["hardware", "list", "--json"]) == 0
    assert {entry["kind"] for entry in json.loads(capsys.readouterr().out)["hardware"]} == set(KINDS)


PLAIN: dict[str, Any] = {"name": "x", "horizon_months": 2, "dataset": {"images": 1e6, "image_size": "100 kB"}}
MINE: dict[str, Any] = {
    "model": {"mine": {"params": "40e6", "forward_flop": "12 GFLOP"}},
    "accelerator": {"our_card": {"like": "l40s", "price_per_hour": "1 USD/h", "price_source": "our quote"}},
}


def test_a_scenario_may_describe_its_own_model_and_device() -> None:
    asked = PLAIN | {"hardware": MINE, "training": {"model": "mine", "accelerator": "our_card", "epochs": 10}}
    found = toolkit.project(asked, draws=20)
    told = {row["name"]: row for row in found.assumptions.iter_rows(named=True)}
    assert told["model.param_count"]["value"] == 40e6
    assert told["model.forward_mac_count"]["value"] == 6e9
    assert "stated in the scenario" in told["model.param_count"]["source"]
    assert found.value("training.cost_usd") > 0
    assert "mine" in found.plan.summary or "L40S" in found.plan.summary
    # nothing of it is left behind, and a saved projection can be asked again
    assert "mine" not in hardware_facts.models()
    assert toolkit.project(dict(found.scenario), draws=20).value("training.flop") == found.value("training.flop")
    served = toolkit.project(PLAIN | {"hardware": MINE, "inference": {"model": "mine", "requests_per_s": 100}}, draws=20)
    assert any("no serving rate of mine" in flag for flag in served.flags)


@pytest.mark.parametrize(
    ("hardware", "said"),
    [
        ({"model": {"mine": {"params": 1e6}}}, "the scenario: 'hardware': model 'mine': 'forward_macs' is missing"),
        ({"modell": {}}, "the scenario: 'hardware': 'modell' is not a kind of entry; there are accelerator, model, "),
        ({"model": {"mine": {"params": 1e6, "forward_macs": 1e9, "colour": 1}}}, "'colour' is not a key"),
        ({"model": ["mine"]}, "the scenario: 'hardware': holds no entries: "),
        ({"nic": {"ours": {"like": "nothing"}}}, "'like' names 'nothing', which is not there"),
    ],
)
def test_what_a_scenario_describes_is_held_against_the_schema(hardware: dict[str, Any], said: str) -> None:
    with pytest.raises(toolkit.errors.ScenarioError) as caught:
        toolkit.project(PLAIN | {"hardware": hardware}, draws=1)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
