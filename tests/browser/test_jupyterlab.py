"""A notebook in a real JupyterLab: opened in the browser, every cell run from its menu, its figures drawn, nothing asked of others."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import ROOT, SAMPLE

NOTEBOOK = "04_project_inference.ipynb"
START_S, OPEN_MS, RUN_MS = 120, 120_000, 300_000
ERROR = '[data-mime-type="application/vnd.jupyter.error"], [data-mime-type="application/vnd.jupyter.stderr"]'
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},  # cells out of sight are drawn too
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address, token included, of a JupyterLab whose root is a copy of the notebook and the scenarios."""
    (tmp_path / "root" / "notebooks").mkdir(parents=True)
    notebook = nbformat.read(ROOT / "notebooks" / NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("toolkit.sliders(projection)"))
    nbformat.write(notebook, tmp_path / "root" / "notebooks" / NOTEBOOK)
    shutil.copytree(SAMPLE / "scenarios", tmp_path / "root" / "sample_data" / "scenarios")
    for name, values in SETTINGS.items():
        path = tmp_path / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    token, runtime = secrets.token_hex(), tmp_path / "runtime"
    options = {
        "ServerApp.root_dir": tmp_path / "root", "ServerApp.port": 0, "ServerApp.ip": "127.0.0.1", "IdentityProvider.token": token,
        "ServerApp.allow_root": True, "LabApp.user_settings_dir": tmp_path / "settings", "LabApp.workspaces_dir": tmp_path / "spaces",
        "LabApp.extension_manager": "readonly", "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.news_url": None,
    }  # fmt: skip
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", *(f"--{name}={value}" for name, value in options.items())]
    private = {"JUPYTER_RUNTIME_DIR": runtime, "JUPYTER_CONFIG_DIR": tmp_path / "config", "IPYTHONDIR": tmp_path / "ipython"}
    environment = os.environ | {name: str(value) for name, value in private.items()}
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server:
        try:
            yield _address(server, runtime, tmp_path / "log", token)
        finally:
            server.terminate()  # it ends its kernels


def _address(server: subprocess.Popen[bytes], runtime: Path, log: Path, token: str) -> str:
    """Return where the server listens, once it says so."""
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s and server.poll() is None:
        for line in log.read_text().splitlines():
            if "http://127.0.0.1:" in line and "/lab?token=" in line:
                return line.split()[-1].partition("/lab")[0] + f"/lab/tree/notebooks/{NOTEBOOK}?token={token}"
        time.sleep(0.2)
    pytest.fail(log.read_text())


def _move_two_sliders(page: Any) -> None:
    """Move two inputs of the what-if at once: the drives follow both, in the notebook and without its kernel."""
    page.locator("iframe[title^='What if']").scroll_into_view_if_needed()
    frame = page.frame_locator("iframe[title^='What if']")
    drives = frame.locator("td[data-what='storage.capacity_bytes']")
    values = [float(drives.get_attribute("data-value"))]
    for name in ("growth.factor", "storage.protection_factor"):
        slider = frame.locator(f"input[data-input='{name}']")
        slider.focus()
        slider.press("End")
        values.append(float(drives.get_attribute("data-value")))
    assert values[0] < values[1] < values[2]


@pytest.mark.browser
@pytest.mark.notebook
@pytest.mark.timeout(600)
def test_a_notebook_runs_in_jupyterlab_and_draws_its_figures(chromium: Any, address: str) -> None:
    asked: list[str] = []
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=OPEN_MS)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=OPEN_MS)
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")  # what is asked of a kernel as it starts may be dropped: one cell first
    page.locator(".jp-CodeCell .jp-InputArea-prompt", has_text="[1]").wait_for(timeout=OPEN_MS)
    page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
    page.locator('[data-command="runmenu:run-all"]').click()
    page.wait_for_function(
        "(wrong) => document.querySelector(wrong) || [...document.querySelectorAll('.jp-CodeCell .jp-InputArea-prompt')]"
        ".every((prompt) => /\\[\\d+\\]/.test(prompt.textContent))",
        arg=ERROR, timeout=RUN_MS,
    )  # fmt: skip
    assert page.locator(ERROR).all_inner_texts() == []
    page.locator(".jp-OutputArea .js-plotly-plot .plot-container").first.wait_for(timeout=30_000)
    drawn = page.evaluate(
        "[...document.querySelectorAll('.jp-OutputArea .js-plotly-plot')]"
        ".map((plot) => [plot.data.length, plot.querySelectorAll('.main-svg path.js-line, .main-svg .point').length])"
    )
    assert len(drawn) >= 2
    assert all(traces and marks for traces, marks in drawn), drawn
    assert page.locator(".jp-RenderedHTMLCommon table").count() >= 1
    _move_two_sliders(page)
    assert [url for url in asked if not url.startswith((address.partition("/lab")[0], "data:", "blob:"))] == []
    context.close()
