"""What a Service's ClusterIP is to a client: one address, behind it whichever endpoint answers."""
import contextlib
import itertools
import socket
import threading


class ServiceIp:
    """Relays TCP from `where` to one of `endpoints` after another, past those that refuse."""

    def __init__(self, where, endpoints):
        self.endpoints, self.turns = endpoints, itertools.count()
        self.listener = socket.create_server(where, backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # close() alone leaves accept() with the address
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        first = next(self.turns)
        for turn in range(len(self.endpoints)):
            try:
                server = socket.create_connection(
                    self.endpoints[(first + turn) % len(self.endpoints)], timeout=5)
            except OSError:
                continue
            server.settimeout(None)
            threading.Thread(target=relay, args=(server, client), daemon=True).start()
            relay(client, server)
            return
        client.close()


def relay(source, target):
    """Until either side ends, and then both do."""
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
