"""Shards over Arrow Flight: row groups as record batches, read through the client of PyArrow."""

from __future__ import annotations

import itertools
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from toolkit.measurement.flights import flight_headers
from toolkit.measurement.transfer import TransferProbe
from toolkit.measurement.windows import Tally, run_threads

if TYPE_CHECKING:
    from toolkit.measurement.peers import Peer
    from toolkit.measurement.subject import Subject

__all__ = ["FlightGet"]


class FlightGet(TransferProbe):
    """Arrow Flight ``DoGet``, one row group a call, as record batches of encoded images; a client for each stream."""

    def __init__(self, subject: Subject, server: Peer, streams: int = 1) -> None:
        super().__init__(server, shows_sockets=False)  # gRPC keeps them to itself
        self.subject = subject
        self.member_count = streams
        self._clients: list[Any] = []
        self._tickets = server.row_group_tickets(subject)
        self._numbers = itertools.count()

    def open(self) -> None:
        """Connect once for all windows, as a reader of many row groups does; make the shards resident."""
        from pyarrow import flight

        self.server.warm(self.subject)
        if not self._clients:
            host = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
            place = f"grpc://{host}:{self.server.port_by_protocol['flight']}"
            alone = [("grpc.use_local_subchannel_pool", 1)]  # else all clients of a process share one connection
            self._clients = [flight.connect(place, generic_options=alone) for _ in range(self.member_count)]

    def run(self, deadline_s: float) -> Tally:
        """Take row groups until the deadline, the last one whole: a stream that is dropped goes on at the other end."""
        from pyarrow import ArrowException

        try:
            return run_threads([partial(self._get, client, deadline_s) for client in self._clients])
        except ArrowException as fault:
            raise OSError(f"Arrow Flight failed: {str(fault).split('. Detail', 1)[0]}") from fault

    def _get(self, client: Any, deadline_s: float) -> Tally:
        from pyarrow import flight

        options = flight.FlightCallOptions(headers=flight_headers(self.server.token))
        count = size_bytes = images = 0
        while True:
            ticket = self._tickets[next(self._numbers) % len(self._tickets)]
            asked_s, first_byte_s = time.perf_counter(), None
            for chunk in client.do_get(flight.Ticket(ticket), options):
                first_byte_s = first_byte_s or time.perf_counter()
                size_bytes += _value_bytes(chunk.data.column(0))
                images += chunk.data.num_rows
            self.meter.note(asked_s, first_byte_s)
            count += 1
            if time.perf_counter() >= deadline_s:
                return Tally(operations=count, payload_bytes=size_bytes, images=images)


def _value_bytes(payloads: Any) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(pc.binary_length(payloads)).as_py() or 0)
