"""Arrow Flight over shards: ``DoGet`` of a shard's number and a row group's gives its encoded images in record batches."""

from __future__ import annotations

import hmac
import socket
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["FLIGHT_BATCH_ROWS", "flight_headers", "flight_server"]

FLIGHT_BATCH_ROWS: Final = 32
"""Images in a record batch of Flight: 1 image a batch pays the protocol per image, 256 fill its buffers."""


def flight_headers(token: str) -> list[tuple[bytes, bytes]]:
    """Return the headers by which a client shows a token.

    Examples
    --------
    >>> flight_headers("secret")
    [(b'authorization', b'Bearer secret')]
    >>> flight_headers("")
    []
    """
    return [(b"authorization", f"Bearer {token}".encode())] if token else []


def flight_server(paths: Sequence[Path], host: str, port: int, token: str = "") -> Any:
    """Return a running Flight server.

    Raises
    ------
    OSError
        If the port is in use. gRPC shares ports without a word, so that is tried first.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import flight

    schema = pa.schema([pa.field("bytes", pa.binary())])
    footers: dict[Path, Any] = {}

    class Shards(flight.FlightServerBase):  # type: ignore[misc]  # PyArrow ships no types
        def do_get(self, context: Any, ticket: Any) -> Any:  # noqa: ARG002 - the signature is Flight's
            number, group = (int(part) for part in ticket.ticket.split(b"/"))
            return flight.GeneratorStream(schema, batches(paths[number], group))

    class Doorkeeper(flight.ServerMiddlewareFactory):  # type: ignore[misc]  # PyArrow ships no types
        def start_call(self, info: Any, headers: Any) -> None:  # noqa: ARG002 - the signature is Flight's
            shown = (headers.get("authorization") or [""])[0].removeprefix("Bearer ")
            if not hmac.compare_digest(token.encode(), str(shown).encode()):
                raise flight.FlightUnauthenticatedError("the token is not the server's")

    def batches(path: Path, group: int) -> Iterator[Any]:
        # Read, not mapped: a stream that its client drops would keep the map, and mapped pages cannot be evicted.
        if path not in footers:
            footers[path] = pq.read_metadata(path)
        with pa.OSFile(str(path)) as file, pq.ParquetFile(file, metadata=footers[path]) as shard:
            table = shard.read_row_group(group, columns=["image.bytes"], use_threads=False)
            payloads = table["image"].combine_chunks().field("bytes")
            for start in range(0, len(payloads), FLIGHT_BATCH_ROWS):
                yield pa.RecordBatch.from_arrays([payloads.slice(start, FLIGHT_BATCH_ROWS)], schema=schema)

    if port:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family, reuse_port=False):
            pass
    return Shards(f"grpc://{f'[{host}]' if ':' in host else host}:{port}", middleware={"token": Doorkeeper()} if token else None)
