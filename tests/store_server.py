"""A small object store that speaks the part of S3 that is used here, and says nothing of being an emulator.

In a process of its own (``store_of``) it also answers clients that hold Python's lock while they wait, as deltalake does.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


@contextmanager
def store_server() -> Iterator[tuple[str, dict[str, bytes]]]:  # noqa: C901 -- a class and its methods
    """Give the endpoint, and what lies in its one bucket, by key; it does not answer for ``hung-always``, nor at first for ``hung``."""
    objects: dict[str, bytes] = {}
    tries: Counter[str] = Counter()
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            objects[self.key] = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(200, b"", {"ETag": '"1"'})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            keys = re.findall(r"<Key>(.*?)</Key>", body)
            for key in keys:
                objects.pop(key, None)
            gone = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
            self.answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode())

        def do_DELETE(self) -> None:
            objects.pop(self.key, None)
            self.answer(204, b"")

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            if "hung" in self.key and self.command == "GET":
                tries[self.key] += 1
                if "always" in self.key or tries[self.key] == 1:
                    over.wait(60)
            query = parse_qs(urlsplit(self.path).query)
            if "list-type" in query:
                found = [key for key in sorted(objects) if key.startswith(query.get("prefix", [""])[0])]
                entries = "".join(
                    f'<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"1"</ETag>'
                    f"<Size>{len(objects[key])}</Size></Contents>"
                    for key in found
                )
                self.answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode())
                return
            if self.key not in objects:
                self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
                return
            body, asked = objects[self.key], re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            facts = {"ETag": '"1"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
            if asked:
                first, last = int(asked[1]), min(int(asked[2]), len(body) - 1)
                facts["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
                self.answer(206, body[first : last + 1], facts)
            else:
                self.answer(200, body, facts)

        @property
        def key(self) -> str:
            return unquote(urlsplit(self.path).path).removeprefix("/bucket/")

        def answer(self, status: int, body: bytes, facts: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (facts or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def version_string(self) -> str:
            return "SmallStore/1"

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", objects
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def store_of(folder: Path) -> Iterator[str]:
    """Give the endpoint of a store in a process of its own, in whose bucket the files below a folder lie."""
    command = [sys.executable, __file__, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate("")  # the end of its input ends it


def _serve(folder: Path) -> None:
    with store_server() as (endpoint, objects):
        for path in folder.rglob("*"):
            if path.is_file():
                objects[path.relative_to(folder).as_posix()] = path.read_bytes()
        sys.stdout.write(f"{endpoint}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
