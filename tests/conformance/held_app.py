"""An app whose answers the test holds, streams and tunnels, and which can die and come back."""
import ctypes
import socket
import threading
import time

LIBC = ctypes.PyDLL(None)  # its calls keep the GIL


class HeldApp:
    """By path: /hold and /gate wait for release(), /hold no longer than its caller; /stream
    sends for ever; /tunnel switches protocols and echoes; anything else is answered at once with
    its path, /big with 256 KiB. Reads bodies by their length."""

    def __init__(self, port=0):
        self.released = threading.Event()
        self.requests = 0
        self.running = 0  # none whose answer has been read
        self.idle_seconds = None  # closes a connection that idled so long
        self.idle_closes = 0
        self.unread_closes = 0  # of these: with a request that its kernel had taken by then
        self._lock = threading.Lock()
        self.connections = set()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def release(self):
        self.released.set()

    def hold(self):
        self.released.clear()

    def close(self):
        """The process dies: nothing listens any more and every connection breaks."""
        if self.listener.fileno() < 0:
            return
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.release()
        with self._lock:
            for connection in list(self.connections):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = b""
        try:
            while True:
                data = self._one(connection, data)
        except TimeoutError:
            unread = close_at_once(connection)
            with self._lock:
                self.idle_closes += 1
                self.unread_closes += unread
        except (EOFError, OSError):
            pass
        finally:
            connection.close()
            with self._lock:
                self.connections.discard(connection)

    def _one(self, connection, data):
        connection.settimeout(self.idle_seconds)
        while b"\r\n\r\n" not in data:
            data = data + receive(connection)
        connection.settimeout(None)
        head, _, data = data.partition(b"\r\n\r\n")
        with self._lock:
            self.requests += 1
            self.running += 1
        try:
            answer, data = self._answer(connection, head, data)
            connection.sendall(answer[:-1024])  # nobody may read a big one
        finally:
            with self._lock:
                self.running -= 1
        connection.sendall(answer[-1024:])
        return data

    def _answer(self, connection, head, data):
        """The answer, and what came behind the request."""
        path = head.split(b" ", 2)[1]
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while length > len(data):
            length -= len(data)
            data = receive(connection)
        data = data[length:]
        if path.startswith(b"/gate"):
            self.released.wait()
        if path.startswith(b"/hold"):
            self._hold(connection)
        if path.startswith(b"/stream"):
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                connection.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")
                time.sleep(0.001)
        if path.startswith(b"/tunnel"):
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                               b"Upgrade: echo\r\n\r\n")
            while True:
                connection.sendall(receive(connection))
        body = b"x" * (256 * 1024) if path.startswith(b"/big") else path
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body), data

    def _hold(self, connection):
        """Until released, or until the caller has gone."""
        connection.settimeout(0)
        try:
            while not self.released.wait(0.005):
                try:
                    if connection.recv(1, socket.MSG_PEEK) == b"":
                        raise EOFError
                except BlockingIOError:
                    pass
        finally:
            connection.settimeout(None)


def close_at_once(connection):
    """@return whether something had come that nobody has read; next to nothing comes after the look."""
    descriptor, byte = connection.detach(), ctypes.create_string_buffer(1)
    unread = LIBC.recv(descriptor, byte, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT) > 0
    LIBC.close(descriptor)
    return unread


def receive(connection):
    piece = connection.recv(65536)
    if not piece:
        raise EOFError
    return piece
