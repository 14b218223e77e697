"""Request smuggling: the sidecar and the app never disagree on where a message ends.

The cases are in smuggling/*.txt. Each request case runs in front of a strict app and of two
careless ones, in one write and byte by byte.
"""
import dataclasses
import pathlib

import pytest

from lax import MODES, Reader
from sidecar import read_to_end

FOLDER = pathlib.Path(__file__).parent / "smuggling"


@dataclasses.dataclass
class Case:
    name: str
    sent: bytes
    expected: list  # the parts of the `->` line


def unescape(line):
    return line.encode("latin-1").decode("unicode_escape").encode("latin-1")


def read_cases(path):
    cases, lines = [], None
    for line in path.read_text().splitlines():
        if line.startswith("== "):
            name, lines = line[3:], []
        elif line.startswith("-> "):
            sent = b"".join(unescape(text[:-1]) if text.endswith("\\") else unescape(text) + b"\r\n"
                            for text in lines)
            cases.append(Case(name, sent, [part.strip() for part in line[3:].split("|")]))
            lines = None
        elif lines is not None:
            lines.append(line)
    return cases


REQUESTS = read_cases(FOLDER / "requests.txt")
RESPONSES = read_cases(FOLDER / "responses.txt")


def by_name(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def send(connection, data, piecewise):
    try:
        if not piecewise:
            connection.sendall(data)
        for byte in data if piecewise else b"":
            connection.send(bytes((byte,)))
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before the last byte: what counts is what was answered


def read_answer(reader, method="GET"):
    """(status, fields, body) of the next final answer, framed as RFC 9112 has it."""
    status = 100
    while 100 <= status < 200 and status != 101:
        status = int(reader.line(True).split(b" ")[1])
        fields = {}
        while line := reader.line(True):
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
    if method == "HEAD" or status in (101, 204, 304):
        return status, fields, b""
    if fields.get(b"transfer-encoding") == b"chunked":
        body = b""
        while size := int(reader.line(True), 16):
            body += reader.take(size + 2)[:-2]
        reader.line(True)
        return status, fields, body
    return status, fields, reader.take(int(fields[b"content-length"]))


def test_the_corpus_is_whole():
    assert len(REQUESTS) >= 120 and len(RESPONSES) >= 35
    for cases in (REQUESTS, RESPONSES):
        assert len({case.name for case in cases}) == len(cases)


@pytest.mark.parametrize("piecewise", (False, True), ids=("whole", "piecewise"))
@pytest.mark.parametrize("mode", MODES)
@by_name(REQUESTS)
def test_request(sidecar, app, case, mode, piecewise):
    app.begin(mode)
    forwarded = [part for part in case.expected if not part.isdigit() and part != "end"]
    refusal = next((int(part) for part in case.expected if part.isdigit()), None)
    with sidecar.connect(5) as connection:
        send(connection, case.sent, piecewise)
        if refusal is None and "end" not in case.expected:
            forwarded = forwarded + ["GET /witness 0"]
            send(connection, b"GET /witness HTTP/1.1\r\nHost: a\r\n\r\n", False)
        reader = Reader(connection)
        for one in forwarded:
            status, fields, body = read_answer(reader, one.split()[0])
            assert (status, body.decode("latin-1")) == (200, one)
        if refusal is not None:
            status, fields, body = read_answer(reader)
            assert status == refusal and fields[b"connection"] == b"close"
        if refusal is not None or "end" in case.expected:
            assert reader.data + read_to_end(connection) == b"", "something behind the last answer"
    assert not app.complaints, "the app was sent what is not HTTP"
    assert [f"{method} {target} {size}" for method, target, size in app.requests] == forwarded
    if chunk_case(case):
        # Its head may have gone on. This waits for the permit, so until the app is done with it.
        assert sidecar.ask_raw(b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    elif not forwarded:
        assert app.bytes == 0, "the app was sent a part of what was refused"


def chunk_case(case):
    """What is wrong with these shows only in the body, whose head may have gone on before."""
    return case.name.startswith(("chunk ", "last chunk", "trailer"))


@by_name(RESPONSES)
def test_response(sidecar, app, case):
    method, name = case.name.split(" ", 1)
    app.begin("strict", case.sent, script_ends=b"Content-Length: 18446744073709551619" in case.sent)
    with sidecar.connect(5) as connection:
        connection.sendall(f"{method} /case HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        reader = Reader(connection)
        expected, _, wanted_body = case.expected[0].partition(" ")
        try:
            status, fields, body = read_answer(reader, method)
        except (EOFError, ConnectionResetError):
            assert expected == "502" and cut_is_fair(case), "the answer was cut"
            status = None
        if status is not None:
            assert status == int(expected), body
            if status != 502:
                assert body.decode() == wanted_body
            else:
                assert b"evil" not in body
            closes = fields.get(b"connection") == b"close"
        else:
            closes = True
        if not closes:
            connection.sendall(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_answer(reader)[::2] == (200, b"GET /next 0")
        assert reader.data == b""
    answer = sidecar.ask_raw(b"GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nGET /other 0"), "another client got the rest"


def cut_is_fair(case):
    """An answer whose head is fine but whose chunks are not may have begun already."""
    return "chunk" in case.name or "trailer" in case.name


def test_a_get_whose_body_the_app_takes_for_a_request_poisons_nobody(sidecar, app):
    """CL.0: a server that ignores a GET's body answers twice; the second answer must reach none."""
    app.begin("ignores-bodies")
    smuggled = b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
    for turn in range(20):
        head = b"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(smuggled)
        with sidecar.connect(5) as attacker, sidecar.connect(5) as victim:
            attacker.sendall(head + smuggled)
            assert read_answer(Reader(attacker))[2] == b"GET /a 0"
            victim.sendall(b"GET /victim HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_answer(Reader(victim))[2] == b"GET /victim 0", turn


def test_a_refusal_of_what_was_expected_leaves_no_body_behind(sidecar, app):
    """Expect: an app that answers 417 and never reads the body would take it for a request."""
    smuggled = b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
    for expectation in (b"100-continue", b"y 100-continue", b"100-Continue, x"):
        app.begin("ignores-bodies")
        head = (b"POST /a HTTP/1.1\r\nHost: a\r\nExpect: %s\r\nContent-Length: %d\r\n\r\n"
                % (expectation, len(smuggled)))
        with sidecar.connect(5) as attacker, sidecar.connect(5) as victim:
            attacker.sendall(head + smuggled)
            assert read_answer(Reader(attacker))[2] == b"POST /a 0"
            victim.sendall(b"GET /victim HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_answer(Reader(victim))[2] == b"GET /victim 0", expectation
