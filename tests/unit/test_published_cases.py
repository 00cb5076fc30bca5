"""Published figures that the formulas must give again from their published inputs, each within its stated tolerance."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from toolkit.cli import run
from toolkit.errors import MissingError, ScenarioError
from toolkit.projection import economics, queueing, scaling, training
from toolkit.projection.hardware_facts import accelerators
from toolkit.projection.systems import System, project_system, project_systems, shipped_systems
from toolkit.projection.validating import Case, recompute, shipped_cases, validate
from toolkit.projection.validation_page import used_formulas, validation_page

ROOT = Path(__file__).resolve().parents[2]
CASES = {case.id: case for case in shipped_cases()}
FLOP = {
    "id": "x", "title": "GPT-3", "formula": "training.run_flop", "unit": "flop", "published": 3.14e23, "tolerance": "3 %",
    "inputs": {"samples": 300e9, "forward_mac_count": 175e9}, "source": "arXiv 2005.14165", "as_of": "2020-05",
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_published_figure_is_given_again(name: str) -> None:
    result = recompute(CASES[name])
    assert result.is_within, f"{result.value_shown} for {result.published_shown}: {result.error_share:+.2%}"


def test_every_published_case_is_there_once() -> None:
    assert len(CASES) == len(shipped_cases()) > 200
    groups = {name.split("-")[0].split(".")[0] for name in CASES}
    assert groups == {f"V{number}" for number in range(1, 46)} - {"V25", "V30"}
    assert {name.split("-")[0] for name, case in CASES.items() if case.miss is not None} == {"V22", "V36", "V37"}


def test_the_page_of_published_figures_is_current() -> None:
    page = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    assert page == validation_page(validate(), project_systems()), "write it anew: tonnage validate --page docs/validation.md"


@pytest.mark.parametrize("name", [system.id for system in shipped_systems()])
def test_a_published_system_lies_within_its_projection(name: str) -> None:
    result = project_system(next(system for system in shipped_systems() if system.id == name), draws=300)
    assert result.is_as_told, f"{result.shown}: {result.verdict}"


def test_the_systems_are_many_and_their_ranges_are_no_wider_than_they_need_be() -> None:
    """Ranges that hold everything say nothing: the middle must be near too, and no range more than a factor of three wide."""
    groups = {system.id.split("-")[0] for system in shipped_systems()}
    assert {"V16", "V17", "V18", "V19", "V20", "V22", "V28", "V38"} <= groups
    results = [result for result in project_systems() if not result.system.miss]
    assert max(result.p90 / result.p10 for result in results) < 3
    off = sorted(abs(np.log(result.p50 / result.published)) for result in results)
    assert off[len(off) // 2] < 0.15


def test_a_system_that_is_missed_or_misnamed_is_told() -> None:
    known = next(system for system in shipped_systems() if system.id == "V19-64").model_dump()
    late = project_system(System(**known | {"published": "26 min"}), draws=50)
    assert (late.is_as_told, late.verdict) == (False, "OUT OF RANGE")
    found = System(**known | {"miss": True, "because": "so it was"})
    assert project_system(found, draws=300).verdict == "A KNOWN MISS IS REACHED"
    for change, fragment in (({"quantity": "training.none"}, "no quantity"), ({"scenario": {"trainng": {}}}, "did you mean")):
        with pytest.raises(ScenarioError, match=fragment):
            project_system(System(**known | change), draws=5)


def test_the_page_tells_which_formulas_projections_use() -> None:
    page = validation_page(validate())
    assert {"training.run_flop", "training.checkpoint_size", "network.transfer_time"} <= used_formulas()
    assert "| `arithmetic.vit_mac_count` | library |" in page
    assert "| `reliability.checkpoint_overhead_share` | library |" in page
    assert "| `training.run_flop` | projections |" in page
    used = sum(case.formula in used_formulas() for case in CASES.values())
    assert f"{used} go through a formula that projections use" in page


def test_a_wrong_formula_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """No case holds its own result: a formula off by a tenth breaks the cases that rest on it."""
    run_flop = training.run_flop
    monkeypatch.setattr(training, "run_flop", lambda samples, forward_mac_count: 1.1 * run_flop(samples, forward_mac_count))
    broken = {result.case.id for result in validate() if not result.is_within}
    assert {"V12-gpt3", "V13-1B", "V16-b32-rate", "V18-flop", "V23-512-share", "V43-rate"} <= broken


@pytest.mark.parametrize(
    ("module", "name", "rests"),
    [(queueing, "erlang_b", "V41-8"), (economics, "tiered_cost", "V45-egress"), (economics, "carbon_mass_kg", "V42-7b")],
)
def test_a_case_calls_the_real_formula(monkeypatch: pytest.MonkeyPatch, module: object, name: str, rests: str) -> None:
    function = getattr(module, name)
    broken = functools.wraps(function)(lambda *values, **named: 1.2 * function(*values, **named))
    monkeypatch.setattr(module, name, broken)
    assert not recompute(CASES[rests]).is_within


def test_devices_hours_of_a_fixed_batch_rise_with_devices() -> None:
    """The scalability law must not say that a thousand devices take the device-hours of eight."""
    counts, per_device = [8, 64, 512, 768, 3584], [7002, 4604, 4395, 4414, 2764]
    rates = [count * rate for count, rate in zip(counts, per_device, strict=True)]
    hours = [count / scaling.scaled_rate(counts, rates, count) for count in counts]
    assert hours == sorted(hours)
    assert hours[-1] / hours[0] == pytest.approx(7002 / 2764, rel=0.3)


def test_peak_arithmetic_alone_does_not_tell_the_rate_of_a_convolution() -> None:
    """Memory bandwidth tells one device's training rate from the others'; peak rates do not."""
    rates = {"a100_sxm_80gb": 3576.0, "h100_pcie": 4521.0, "h100_sxm": 7002.0, "h200_sxm": 7942.0, "l40s": 2017.0, "l4": 733.0}
    misses = []
    for name, rate in rates.items():
        others = [other for other in rates if other != name]
        peaks = [accelerators()[other].peak["bf16"] for other in others]
        predicted = scaling.rate_by_driver(peaks, [rates[other] for other in others], accelerators()[name].peak["bf16"])
        misses.append(abs(predicted / rate - 1))
    assert max(misses) > 0.3


def test_a_faster_precision_scales_worse() -> None:
    assert recompute(CASES["V22-a100-amp"]).value < recompute(CASES["V22-a100-tf32"]).value


def test_a_case_out_of_tolerance_and_a_miss_that_moved_are_told() -> None:
    assert recompute(Case(**FLOP)).verdict == "ok"
    assert recompute(Case(**(FLOP | {"published": 4e23}))).verdict == "OUT OF TOLERANCE"
    known = FLOP | {"published": 4e23, "miss": "-21 %", "because": "a test"}
    assert recompute(Case(**known)).verdict == "known miss"
    assert recompute(Case(**(known | {"miss": "-30 %"}))).verdict == "OUT OF TOLERANCE"
    ranged = {key: value for key, value in FLOP.items() if key != "published"} | {"between": [3e23, 4e23]}
    assert recompute(Case(**ranged)).error_share == 0
    assert not recompute(Case(**(ranged | {"between": [4e23, 5e23], "tolerance": "1 %"}))).is_within


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"formula": "os.system"}, "'os.system' is not a formula"),
        ({"formula": "training.np"}, "'training.np' is not a formula"),
        ({"formula": "training"}, "'training' is not a formula"),
        ({"inputs": {"samples": 1}}, "training.run_flop needs forward_mac_count"),
        ({"inputs": {"samples": 1, "forward_macs": 2}}, "'forward_macs' is no argument of training.run_flop"),
        ({"inputs": {"samples": 1, "forward_mac_count": {"fact": "models.none.params"}}}, "case 'x'"),
        ({"published": "3 bananas"}, "'3 bananas'"),
        ({"published": None}, "give published or between"),
        ({"tolerance": "much"}, "'much'"),
        ({"miss": "2 %"}, "says why"),
        ({"sourze": "x"}, "sourze"),
    ],
)
def test_a_bad_case_is_one_sentence(tmp_path: Path, change: dict[str, object], fragment: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump([FLOP | change]))
    with pytest.raises(ScenarioError) as caught:
        validate([file])
    assert fragment in str(caught.value)
    assert "'x'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_cases_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="there are no cases at"):
        validate([tmp_path / "none.yaml"])
    for text, fragment in (("a: [", "is not valid YAML"), ("a: 1", "holds no list of cases")):
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(ScenarioError, match=fragment):
            validate([tmp_path / "bad.yaml"])


def test_the_command_ends_with_1_when_a_figure_is_out_of_tolerance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, page = tmp_path / "own.yaml", tmp_path / "page.md"
    own.write_text(yaml.safe_dump([FLOP]))
    assert run(["validate", str(own), "--page", str(page)]) == 0
    assert "1 published figures, 0 out of tolerance" in capsys.readouterr().out
    assert "| x | GPT-3 |" in page.read_text(encoding="utf-8")
    own.write_text(yaml.safe_dump([FLOP | {"published": "5e23"}]))
    assert run(["validate", str(own), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["failed_count"] == 1
    assert told["cases"][0]["verdict"] == "OUT OF TOLERANCE"
    assert run(["validate", str(tmp_path / "none.yaml")]) == 2


def test_text_with_units_is_read_by_the_name_of_the_argument() -> None:
    case = FLOP | {"formula": "network.transfer_time", "unit": "s", "published": "22.2 h", "tolerance": "1 %",
                   "inputs": {"size_bytes": "100 TB", "link_bytes_per_s": "10 Gb/s", "payload_share": "100 %"}}  # fmt: skip
    assert recompute(Case(**case)).is_within
    assert np.isfinite(recompute(Case(**case)).value)
