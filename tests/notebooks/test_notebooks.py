"""Each notebook runs from a clean kernel, as shipped or on a dataset that it is given, and is committed without outputs.

Parameters are given as papermill gives them: a cell of assignments behind the cell that is tagged ``parameters``.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
HANGS_S = 600
"""After this a notebook hangs, on any machine."""
PARAMETERS = {
    "01_curate": {"SOURCES", "MORE", "DATASET"},
    "02_measure": {"DATASET", "PLAN", "ONLY"},
    "03_project_training": {"DATASET", "MEASUREMENTS", "SCENARIO", "DRAWS", "REPORT"},
    "04_project_inference": {"DATASET", "MEASUREMENTS", "SCENARIO", "OBJECTIVES", "DRAWS"},
    "05_backtest": {"DATASET", "LIMIT_S", "REPORT"},
}


def code_of(notebook: nbformat.NotebookNode) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def parametrised(path: Path, parameters: Mapping[str, Any]) -> nbformat.NotebookNode:
    """Return a notebook with a cell of assignments behind its parameters, as papermill makes it."""
    notebook = nbformat.read(path, as_version=4)
    (place,) = (i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    lines = ["# Parameters", *(f"{name} = {value!r}" for name, value in parameters.items())]
    given = nbformat.v4.new_code_cell("\n".join(lines) + "\n", metadata={"tags": ["injected-parameters"]})
    notebook.cells.insert(place + 1, given)
    return notebook


def run(notebook: nbformat.NotebookNode, folder: Path) -> list[Any]:
    """Run a notebook in a folder and return its outputs; none of them is an error or a warning."""
    NotebookClient(notebook, timeout=HANGS_S, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in code_of(notebook) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    assert [output for output in outputs if "application/vnd.plotly.v1+json" in output.get("data", {})], "no figure was drawn"
    return outputs


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == list(PARAMETERS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_clean_and_uses_the_public_api_alone(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = code_of(notebook)
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    text = "\n".join(cell.source for cell in code)
    assert re.findall(r"(?:from|import) toolkit\.\w+", text) == []
    assert notebook.cells[0].source.startswith("# ")
    assert "## Exercises" in notebook.cells[-1].source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_parameters_are_plain_values_and_stand_in_the_guide(path: Path) -> None:
    (cell,) = (c for c in code_of(nbformat.read(path, as_version=4)) if "parameters" in c.metadata.get("tags", []))
    assigned: list[Any] = ast.parse(cell.source).body
    values = {node.targets[0].id: ast.literal_eval(node.value) for node in assigned}
    assert set(values) == PARAMETERS[path.stem]
    guide = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    (row,) = (line for line in guide.splitlines() if line.startswith(f"| `{path.name}`"))
    assert set(re.findall(r"`([A-Z_]+)`", row)) == set(values)


def test_parameters_are_given_as_papermill_gives_them() -> None:
    parameterize = pytest.importorskip("papermill.parameterize", reason="papermill is not installed")
    from papermill.iorw import load_notebook_node

    for path in NOTEBOOKS:
        made = parameterize.parameterize_notebook(load_notebook_node(str(path)), {"DATASET": "x", "DRAWS": 3})
        ours = parametrised(path, {"DATASET": "x", "DRAWS": 3})
        assert [cell.source.replace('"', "'") for cell in code_of(made)] == [
            cell.source.replace('"', "'") for cell in code_of(ours)
        ]


@pytest.mark.parametrize("folder", [ROOT, ROOT / "notebooks"], ids=["from the project", "from notebooks"])
def test_without_a_dataset_the_sample_is_curated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curated: list[Path] = []
    monkeypatch.chdir(folder)
    monkeypatch.setitem(
        sys.modules, "toolkit", SimpleNamespace(curate=lambda source, _: curated.append(source), open_dataset=None)
    )
    for number in (1, 2, 4):
        code = code_of(nbformat.read(NOTEBOOKS[number], as_version=4))
        begins = code[1].source.partition("\ndataset = ")
        exec(f"DATASET = None\n{begins[0]}\ndataset = {begins[2].splitlines()[0]}", {})
    assert [path.resolve() for path in curated] == [ROOT / "sample_data" / "raw"] * 3


def test_what_notebooks_take_of_the_sample_is_there() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in NOTEBOOKS)
    taken = set(re.findall(r'sample\(\\"([^"\\]+)\\"\)', text))
    assert {"raw", "more", "scenarios/lab_one_node.yaml", "scenarios/vision_team_100tb.yaml"} <= taken
    assert [name for name in taken if not (ROOT / "sample_data" / name).exists()] == []


@pytest.mark.notebook
@pytest.mark.timeout(HANGS_S)
@pytest.mark.filterwarnings("default")  # the kernel's own libraries warn in this process
def test_a_notebook_runs_as_shipped() -> None:
    outputs = run(nbformat.read(ROOT / "notebooks" / "01_curate.ipynb", as_version=4), ROOT)
    bars = [output.data["text/plain"] for output in outputs if "took" in output.get("data", {}).get("text/plain", "")]
    assert re.match(r"curate took .*: read \d+", bars[0])
    assert not any("<progress" in output.get("data", {}).get("text/html", "") for output in outputs)


@pytest.mark.notebook
@pytest.mark.timeout(HANGS_S)
@pytest.mark.parametrize("name", ["02_measure", "03_project_training", "04_project_inference", "05_backtest"])
@pytest.mark.filterwarnings("default")
def test_a_notebook_runs_on_a_dataset_of_ones_own(
    name: str, sample_dataset: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    own = shutil.copytree(sample_dataset, tmp_path / "own")
    scenario = {"03_project_training": "lab_one_node.yaml", "04_project_inference": "vision_team_100tb.yaml"}.get(name)
    known = {"DATASET": str(own), "DRAWS": 200, "LIMIT_S": 5.0, "OBJECTIVES": ["10 ms", "30 ms"]}
    known |= {"SCENARIO": f"{ROOT}/sample_data/scenarios/{scenario}", "REPORT": str(tmp_path / "page.html")}
    if "MEASUREMENTS" in PARAMETERS[name]:
        known["MEASUREMENTS"] = str(request.getfixturevalue("sample_measurements"))
    path = ROOT / "notebooks" / f"{name}.ipynb"
    run(parametrised(path, {key: value for key, value in known.items() if key in PARAMETERS[name]}), tmp_path)
    assert (tmp_path / "page.html").exists() == ("REPORT" in PARAMETERS[name])
