"""Load from many clients at once, every request accounted for."""
import asyncio
import collections
import dataclasses
import json
import time

from http1 import Connection, ask


@dataclasses.dataclass
class Account:
    """What came of the requests."""

    answers: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    failures: list = dataclasses.field(default_factory=list)  # (seconds, status or error, text)
    per_process: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    most_at_once: int = 0  # as the app itself counted, over all replicas

    def add(self, at, response):
        self.answers[response.status] += 1
        if response.status == 200:
            said = json.loads(response.body)
            self.per_process[said["pid"]] += 1
            self.most_at_once = max(self.most_at_once, said["max_in_flight"])
        else:
            self.failures.append((round(at, 3), response.status, response.body[:300]))

    def add_error(self, at, error):
        self.answers["broken"] += 1
        self.failures.append((round(at, 3), type(error).__name__, str(error)))

    @property
    def total(self):
        return sum(self.answers.values())

    @property
    def lost(self):
        return self.total - self.answers[200]


class Load:
    """Clients on keep-alive connections, each one request at a time, until told to stop.

    A client whose connection breaks counts that request as lost and goes on with a new one; it
    never sends a request again.
    """

    def __init__(self, address, host, path, clients, timeout=60, pause=0.0, body=b""):
        self.address, self.host, self.path = address, host, path
        self.timeout, self.pause, self.body = timeout, pause, body
        self.account = Account()
        self.started = time.monotonic()
        self._stopping = False
        self._tasks = [asyncio.create_task(self._client()) for _ in range(clients)]

    async def _client(self):
        connection = Connection(self.address)
        while not self._stopping:
            try:
                response = await asyncio.wait_for(
                    connection.ask(self.host, self.path, body=self.body,
                                   method="POST" if self.body else "GET"), self.timeout)
                self.account.add(time.monotonic() - self.started, response)
            except (OSError, EOFError, asyncio.TimeoutError) as error:
                self.account.add_error(time.monotonic() - self.started, error)
                connection.close()
                await asyncio.sleep(0.02)  # a refused connect must not spin
            if self.pause:
                await asyncio.sleep(self.pause)
        connection.close()

    async def stop(self):
        """Lets every client finish its request; the account."""
        self._stopping = True
        await asyncio.gather(*self._tasks)
        return self.account


class Arrivals:
    """So many requests a second, on a connection each, however long the answers take."""

    def __init__(self, address, host, path, rate, timeout=60):
        self.address, self.host, self.path, self.timeout = address, host, path, timeout
        self.rate = rate  # may be changed
        self.account = Account()
        self.started = time.monotonic()
        self._stopping = False
        self._requests = set()
        self._clock = asyncio.create_task(self._send())

    async def _send(self):
        due = time.monotonic()
        while not self._stopping:
            await asyncio.sleep(max(0, due - time.monotonic()))
            due += 1 / self.rate
            request = asyncio.create_task(self._request())
            self._requests.add(request)
            request.add_done_callback(self._requests.discard)

    async def _request(self):
        try:
            response = await asyncio.wait_for(ask(self.address, self.host, self.path), self.timeout)
            self.account.add(time.monotonic() - self.started, response)
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            self.account.add_error(time.monotonic() - self.started, error)

    async def stop(self):
        """Lets every request end; the account."""
        self._stopping = True
        await self._clock
        await asyncio.gather(*self._requests)
        return self.account


async def in_thread(function, *arguments):
    """Runs what blocks (a subprocess, a poll) beside the load."""
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


async def wait_for(what, probe, seconds=30, every=0.1):
    """As harness.wait_for, without stopping the load: probe blocks in a thread."""
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() > deadline
        last = await in_thread(probe)
        if last:
            return last
        assert not late, f"{what}: not within {seconds} s (last: {last!r})"
        await asyncio.sleep(every)
