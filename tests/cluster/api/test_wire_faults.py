"""Tokens whose reviews meet refusals, resets and outages of the API server: nobody who is good is put
out, nobody is let in unasked, and the server is not hammered."""
import time

import pytest

from faults import FaultProxy
from wire import WELCOME
from wire_world import installed, running_world, say, say_once, set_stage  # noqa: F401
from world import RUN

PORT = 6447
REVIEWS = "/tokenreviews"


@pytest.fixture
def proxy():
    made = FaultProxy(RUN, port=PORT, administrator=False)
    yield made
    made.stop()


@pytest.fixture
def stage(request, tmp_path, proxy, installed):  # noqa: F811
    server = f"https://127.0.0.1:{PORT}"
    with running_world(request.node, tmp_path, server=server) as made:
        yield set_stage(made)


@pytest.mark.parametrize("fault", [
    {"status": 429, "retry_after": 1}, {"status": 500, "times": 3}, {"status": 503, "times": 2},
    {"cut": "before", "times": 2}, {"cut": "after", "times": 2},
], ids=lambda fault: "-".join(str(value) for value in fault.values()))
def test_who_is_good_is_let_in_after_what_the_review_meets(stage, proxy, fault):
    token = stage.token(stage.mine)
    met = proxy.inject("POST", REVIEWS, **fault)
    assert say(stage, token)[0] == WELCOME
    assert met.hits == met.times
    reviews = proxy.count("POST", REVIEWS)
    assert say(stage, token, epoch=8)[0] == WELCOME
    assert proxy.count("POST", REVIEWS) == reviews, "remembered"


def test_an_outage_puts_out_nobody_who_was_good_and_lets_in_nobody_else(stage, proxy):
    known, fresh = stage.token(stage.mine), stage.token(stage.theirs)
    assert say(stage, known)[0] == WELCOME
    theirs = {"replica": "theirs", "address": "10.89.250.2:8012"}
    proxy.outage()
    assert say(stage, known, epoch=8)[0] == WELCOME
    until = time.monotonic() + 5
    while time.monotonic() < until:
        assert say_once(stage, fresh, **theirs) is None, "to be asked for again"
    proxy.recover()
    assert say(stage, fresh, **theirs)[0] == WELCOME
