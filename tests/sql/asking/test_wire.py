"""The form of what goes over the wire: addresses and turns."""

from __future__ import annotations

import threading
import time

import pytest

from luciola.http.address import shown
from luciola.sql.asking.address import place_of
from luciola.sql.asking.pace import Pace, Stopped, rest


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://host:8000", "http://host:8000/v1/chat/completions"),
        ("http://host:8000/v1/", "http://host:8000/v1/chat/completions"),
        ("https://host/api/v3", "https://host/api/v3/chat/completions"),
        ("https://host/v1/chat/completions", "https://host/v1/chat/completions"),
        ("https://host/v1/completions", "https://host/v1/chat/completions"),
        ("https://host/d?version=2", "https://host/d/chat/completions?version=2"),
    ],
)
def test_an_address_may_be_given_with_or_without_its_end(url: str, place: str) -> None:
    assert place_of(url, chat=True) == place
    assert place_of(url, chat=False) == place.replace("/chat/", "/")


def test_a_query_which_may_hold_a_key_is_not_shown() -> None:
    assert shown("https://host/v1/completions?key=secret") == "https://host/v1/completions"


def test_who_rests_wakes_up_when_the_work_is_given_up() -> None:
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        rest(30, stop)
    assert time.monotonic() - began < 5


def test_a_pause_holds_those_who_wait_for_their_turn_already() -> None:
    """The second turn comes after 0.06 s; a pause of 0.2 s that begins meanwhile moves it."""
    pace, stop = Pace(requests_per_minute=1000), threading.Event()
    began = time.monotonic()
    pace.wait_for_turn(0, stop)
    threading.Timer(0.02, pace.pause, (0.2,)).start()
    pace.wait_for_turn(0, stop)
    assert time.monotonic() - began >= 0.2
