"""The pulse of a process: ready when every part is, and metrics whatever has become of the store behind the figures."""

import threading
import time
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.runtime import pulse as pulse_module
from services.runtime.pulse import Pulse

Samples = Mapping[tuple[str, tuple[str, ...]], float]


def samples(pulse: Pulse) -> Samples:
    return {
        (sample.name, tuple(value for name, value in sorted(sample.labels.items()) if name != "service")): sample.value
        for family in text_string_to_metric_families(pulse.metrics().decode())
        for sample in family.samples
    }


def test_a_process_is_ready_when_every_part_of_it_is_and_not_before_one_has_said_so() -> None:
    pulse = Pulse("relay")

    before = pulse.ready()
    pulse.there("store", up=True)
    with_one = pulse.ready()
    pulse.there("broker", up=False)

    assert (before, with_one, pulse.ready()) == (False, True, False)
    assert samples(pulse)["hujiao_ready", ("broker",)] == 0
    assert samples(pulse)["hujiao_ready", ("store",)] == 1


def test_a_figure_is_asked_for_whenever_somebody_looks() -> None:
    pulse, told = Pulse("relay"), iter((3.0, 2.0))
    pulse.figure("lag", lambda: next(told))

    first, second = samples(pulse), samples(pulse)

    assert first["hujiao_figure", ("lag", "")] == 3
    assert second["hujiao_figure", ("lag", "")] == 2


def test_of_what_many_have_everyone_is_told_and_who_has_none_left_is_told_no_more() -> None:
    pulse, told = Pulse("projections"), iter(({"LD.D07": 2.0, "LD.D08": 1.0}, {"LD.D08": 4.0}))
    pulse.figure("owed", lambda: next(told))

    first, second = samples(pulse), samples(pulse)

    assert first["hujiao_figure", ("owed", "LD.D07")] == 2
    assert ("hujiao_figure", ("owed", "LD.D07")) not in second
    assert second["hujiao_figure", ("owed", "LD.D08")] == 4


def test_a_figure_that_cannot_be_had_is_left_out_and_the_rest_is_told() -> None:
    pulse = Pulse("relay")
    pulse.figure("parked", lambda: 1.0)
    pulse.figure("lag", lambda: 1 / 0)
    pulse.there("store", up=False)

    found = samples(pulse)

    assert found["hujiao_figure", ("parked", "")] == 1
    assert ("hujiao_figure", ("lag", "")) not in found
    assert found["hujiao_ready", ("store",)] == 0


def test_nobody_waits_for_a_store_that_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse_module, "ASK_S", 0.05)
    pulse, back, asked = Pulse("relay"), threading.Event(), []

    def ask() -> float:
        asked.append(1)
        back.wait(10)
        return 5.0

    pulse.figure("lag", ask)
    pulse.count("sent")

    began = time.monotonic()
    without = [samples(pulse), samples(pulse)]
    took = time.monotonic() - began
    back.set()

    assert took < 5
    assert all(found["hujiao_done_total", ("sent",)] == 1 for found in without)
    assert all(("hujiao_figure", ("lag", "")) not in found for found in without)
    assert len(asked) == 1, "whoever is asked already is not asked again"
    deadline = time.monotonic() + 5
    while ("hujiao_figure", ("lag", "")) not in samples(pulse):
        assert time.monotonic() < deadline
