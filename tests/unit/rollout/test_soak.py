"""The soak time, with a clock that only a wait moves."""

from __future__ import annotations

from rollout.soak import soak


class Clock:
    def __init__(self):
        self.now = 100.0

    def wait(self, seconds):
        self.now += seconds

    def __call__(self):
        return self.now


def looks(clock, failing_at=None, costs=1.0):
    seen = []

    def look():
        number = len(seen)
        seen.append(clock.now - 100.0)
        clock.now += costs
        return {"hosts": {"web1": {"failures": ["no pong"] if number == failing_at else []}}}

    return seen, look


def test_it_looks_until_the_time_is_over():
    clock = Clock()
    seen, look = looks(clock)
    document = soak(look, 10, 4, clock=clock, wait=clock.wait)
    assert seen == [0, 4, 8, 10]
    assert document["hosts"]["web1"]["failures"] == []
    assert document["soaked"] == 11


def test_the_first_failure_ends_it():
    clock = Clock()
    seen, look = looks(clock, failing_at=1)
    document = soak(look, 60, 4, clock=clock, wait=clock.wait)
    assert seen == [0, 4]
    assert document["hosts"]["web1"]["failures"] == ["4 s into the soak time: no pong"]


def test_looks_that_take_longer_than_the_interval_follow_each_other():
    clock = Clock()
    seen, look = looks(clock, costs=7.0)
    soak(look, 15, 4, clock=clock, wait=clock.wait)
    assert seen == [0, 7, 14, 21]
