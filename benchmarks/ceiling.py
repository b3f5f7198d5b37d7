"""What the client itself can do: the rate it reaches against a server that does next to nothing."""

from __future__ import annotations

import multiprocessing
import selectors
import socket
from multiprocessing.connection import Connection

from benchmarks import client
from benchmarks.client import Plan, Result

_ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{"status":"ok"}'


def measure(seconds: float, connections: int = 16) -> Result:
    """Run the client against the trivial server, each on its own core where there are two."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=[theirs], daemon=True)
    server.start()
    try:
        return client.run(Plan(scenario="constant", port=ours.recv(), connections=connections, seconds=seconds))
    finally:
        server.terminate()
        server.join()


def _serve(parent: Connection) -> None:
    selector = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    selector.register(listener, selectors.EVENT_READ)
    parent.send(listener.getsockname()[1])
    while True:
        for key, _mask in selector.select():
            if key.fileobj is listener:
                connection, _address = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(connection, selectors.EVENT_READ, connection)
            # Each request is one segment, so one read is one request.
            elif key.data.recv(65536):
                key.data.send(_ANSWER)
            else:
                selector.unregister(key.data)
                key.data.close()
