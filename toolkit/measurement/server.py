"""The other end of a transfer, in a process of its own: plain TCP, HTTP ranges, Arrow Flight, all on 127.0.0.1.

Run as ``python -m toolkit.measurement.server`` with the shards' paths as a JSON list on standard input; it prints its
ports as one JSON line and serves until standard input is closed, so that it never outlives the process that started it.
Only the shards named are served, by their number.
"""

from __future__ import annotations

import json
import os
import re
import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolkit.units import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["FLIGHT_BATCH_ROWS", "HOST", "main"]

HOST: Final = "127.0.0.1"
FLIGHT_BATCH_ROWS: Final = 32
"""Images in a record batch of Flight: 1 image a batch pays the protocol per image, 256 fill its buffers."""

_BLOCK: Final = bytes(MIB)
_RANGE: Final = re.compile(r"^bytes=(\d+)-(\d+)$")


class _TcpHandler(socketserver.BaseRequestHandler):
    """Sends until the client hangs up: a block of memory, or a shard by ``sendfile``; the client says which in one line."""

    def handle(self) -> None:
        wanted = self.request.makefile("rb").readline().decode().strip()
        try:
            if wanted == "memory":
                while True:
                    self.request.sendall(_BLOCK)
            with _paths[int(wanted)].open("rb") as file:
                while self.request.sendfile(file):  # sends nothing, and raises nothing, once the client is gone
                    file.seek(0)
        except OSError:
            return


class _HttpHandler(BaseHTTPRequestHandler):
    """``GET /3`` with a ``Range`` gives that range of the third shard, sent by the kernel from the page cache."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_HEAD(self) -> None:
        """Answer with the size of a shard."""
        self._head()

    def do_GET(self) -> None:
        """Answer with a range of a shard, or all of it."""
        found = self._head()
        if found is None:
            return
        path, offset_bytes, size_bytes = found
        self.wfile.flush()
        with path.open("rb") as file:
            self.connection.sendfile(file, offset_bytes, size_bytes)

    def _head(self) -> tuple[Path, int, int] | None:
        name = self.path.strip("/")
        if not name.isdigit() or int(name) >= len(_paths):
            self.send_error(404)
            return None
        path = _paths[int(name)]
        total_bytes = path.stat().st_size
        asked = _RANGE.match(self.headers.get("Range", ""))
        first, last = (int(asked[1]), min(int(asked[2]), total_bytes - 1)) if asked else (0, total_bytes - 1)
        if first > last:
            self.send_error(416)
            return None
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Last-Modified", self.date_time_string(path.stat().st_mtime))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{total_bytes}")
        self.end_headers()
        return path, first, last - first + 1

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name is the standard library's
        """Say nothing: a line per request would be measured."""


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


_paths: list[Path] = []
"""The shards that are served."""


def _flight_server(port: int) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import flight

    schema = pa.schema([pa.field("bytes", pa.binary())])
    footers: dict[Path, Any] = {}

    class Shards(flight.FlightServerBase):  # type: ignore[misc]  # PyArrow ships no types
        """``DoGet`` of a shard's number and a row group's gives its image bytes in record batches."""

        def do_get(self, context: Any, ticket: Any) -> Any:  # noqa: ARG002 - the signature is Flight's
            number, group = (int(part) for part in ticket.ticket.split(b"/"))
            return flight.GeneratorStream(schema, batches(_paths[number], group))

    def batches(path: Path, group: int) -> Iterator[Any]:
        # Read, not mapped: a stream that its client drops would keep the map, and mapped pages cannot be evicted.
        if path not in footers:
            footers[path] = pq.read_metadata(path)
        with pa.OSFile(str(path)) as file, pq.ParquetFile(file, metadata=footers[path]) as shard:
            table = shard.read_row_group(group, columns=["image.bytes"], use_threads=False)
            payloads = table["image"].combine_chunks().field("bytes")
            for start in range(0, len(payloads), FLIGHT_BATCH_ROWS):
                yield pa.RecordBatch.from_arrays([payloads.slice(start, FLIGHT_BATCH_ROWS)], schema=schema)

    return Shards(f"grpc://{HOST}:{port}")


def main(arguments: Sequence[str]) -> None:
    """Serve on the ports given (TCP, HTTP, Flight; 0 takes a free one) until standard input is closed."""
    ports = [int(port) for port in arguments] or [0, 0, 0]
    _paths[:] = [Path(path) for path in json.loads(sys.stdin.readline())]
    try:
        tcp = _TcpServer((HOST, ports[0]), _TcpHandler)
        http = ThreadingHTTPServer((HOST, ports[1]), _HttpHandler)
        flight = _flight_server(ports[2])
    except OSError as fault:  # Arrow's own faults are OSErrors too
        sys.stdout.write(json.dumps({"fault": f"a port of {HOST} is in use: {fault}"}) + "\n")
        sys.stdout.flush()
        return
    for server in (tcp, http):
        server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    known = {"tcp": tcp.server_address[1], "http": http.server_address[1], "flight": flight.port}
    sys.stdout.write(json.dumps(known) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)  # threads that still send to a client that is gone would hold the process


if __name__ == "__main__":
    main(sys.argv[1:])
