"""Bytes once written are read for ever: golden files, upcasts and names that nobody knows."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.call import CallIssued
from events.case import CaseClassified, CaseClosed
from events.catalog import CATALOG, FACTS, REQUESTS, Catalog, UnknownFact
from events.district import DistrictConfigured
from events.envelope import Fact, Meta, Request
from events.mobilisation import ResponderDropped
from events.report import ReportAccepted
from tests.golden import samples

FACT_SAMPLES = [pytest.param(name, fact, id=name) for name, fact in samples.FACTS.items()]
REQUEST_SAMPLES = [pytest.param(tag, request, id=tag) for tag, request in samples.REQUESTS.items()]
ALL_SAMPLES = [*samples.FACTS.items(), *samples.REQUESTS.items()]


def tag_of(request: type[Request]) -> str:
    return str(request.__struct_config__.tag)


@pytest.mark.parametrize(("name", "fact"), FACT_SAMPLES)
def test_the_bytes_of_a_released_fact_decode_to_what_it_said(name: str, fact: Fact) -> None:
    stored = (samples.GOLDEN / f"{name}.msgpack").read_bytes()

    assert CATALOG.decode(name, stored) == (name, samples.META, fact)


@pytest.mark.parametrize(("name", "fact"), FACT_SAMPLES)
def test_a_fact_is_encoded_as_it_always_was(name: str, fact: Fact) -> None:
    stored = (samples.GOLDEN / f"{name}.msgpack").read_bytes()

    assert CATALOG.encode(samples.META, fact) == stored
    assert CATALOG.name(fact) == name


@pytest.mark.parametrize(("tag", "request_"), REQUEST_SAMPLES)
def test_the_bytes_of_a_waiting_request_decode_to_what_it_wants_and_back(tag: str, request_: Request) -> None:
    stored = (samples.GOLDEN / f"{tag}.request.msgpack").read_bytes()

    assert CATALOG.decode_request(stored) == request_
    assert CATALOG.encode_request(request_) == stored


@pytest.mark.parametrize(
    ("file", "sample"),
    [
        *(pytest.param(f"{name}.json", fact, id=name) for name, fact in samples.FACTS.items()),
        *(pytest.param(f"{tag}.request.json", request, id=tag) for tag, request in samples.REQUESTS.items()),
    ],
)
def test_the_readable_form_says_the_same(file: str, sample: Fact | Request) -> None:
    readable = (samples.GOLDEN / file).read_bytes()

    assert msgspec.json.decode(readable, type=type(sample)) == sample


def test_every_name_of_the_catalog_has_a_sample_of_its_own_struct() -> None:
    assert {name: type(fact) for name, fact in samples.FACTS.items()} == dict(FACTS)
    assert {tag: type(request) for tag, request in samples.REQUESTS.items()} == {tag_of(r): r for r in REQUESTS}


def test_every_sample_has_its_files_and_no_file_is_left_over() -> None:
    files = {file.name for file in samples.GOLDEN.iterdir() if file.suffix in {".msgpack", ".json"}}

    assert files == samples.contents().keys()


@pytest.mark.parametrize(("name", "sample"), [pytest.param(*item, id=item[0]) for item in ALL_SAMPLES])
def test_a_sample_fills_in_every_field_so_that_every_field_is_kept(name: str, sample: Fact | Request) -> None:
    said = set(msgspec.to_builtins(sample))

    assert said >= set(type(sample).__struct_encode_fields__)


def test_samples_are_written_where_they_are_missing_and_never_over_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "GOLDEN", tmp_path)
    (tmp_path / "case.closed.v1.msgpack").write_bytes(b"as it was")

    written = samples.write_missing()

    assert (tmp_path / "case.closed.v1.msgpack").read_bytes() == b"as it was"
    assert set(written) == samples.contents().keys() - {"case.closed.v1.msgpack"}
    assert samples.write_missing() == []


class Closed(Fact, frozen=True, kw_only=True):
    """A made-up third version of the end of a case."""

    reason: str
    closed_by: str
    words: int = 0


def old_bytes(fields: dict[str, Any]) -> bytes:
    return msgspec.msgpack.encode([samples.META, fields])


@pytest.fixture
def catalog_of_three_versions() -> Catalog:
    return Catalog(
        facts={"case.closed.v3": Closed},
        upcasts={
            "case.closed.v1": (
                "case.closed.v2",
                lambda fields: {"closed_by": fields["by"], "reason": fields["reason"]},
            ),
            "case.closed.v2": ("case.closed.v3", lambda fields: {**fields, "words": len(fields["reason"])}),
        },
    )


def test_an_old_version_is_upcast_step_by_step_to_the_one_of_today(catalog_of_three_versions: Catalog) -> None:
    first = CATALOG.encode(samples.META, CaseClosed(reason="solved", by="clerk"))
    second = old_bytes({"reason": "solved", "closed_by": "clerk"})

    expected = ("case.closed.v3", samples.META, Closed(reason="solved", closed_by="clerk", words=6))
    assert catalog_of_three_versions.decode("case.closed.v1", first) == expected
    assert catalog_of_three_versions.decode("case.closed.v2", second) == expected


def test_the_version_of_today_is_not_upcast(catalog_of_three_versions: Catalog) -> None:
    today = Closed(reason="solved", closed_by="clerk", words=1)

    stored = catalog_of_three_versions.encode(samples.META, today)

    assert catalog_of_three_versions.decode("case.closed.v3", stored) == ("case.closed.v3", samples.META, today)


@pytest.mark.parametrize("name", ["case.closed.v9", "case.merged.v1", "", "CaseClosed"])
def test_a_name_that_nobody_knows_raises_unknown_fact(name: str) -> None:
    with pytest.raises(UnknownFact, match="older than the log") as unknown:
        CATALOG.decode(name, old_bytes({}))

    assert repr(name) in str(unknown.value)


def test_an_upcast_to_a_name_that_nobody_knows_raises_unknown_fact() -> None:
    catalog = Catalog(upcasts={"case.closed.v0": ("case.closed.v7", lambda fields: fields)})

    with pytest.raises(UnknownFact, match=r"case\.closed\.v7"):
        catalog.decode("case.closed.v0", old_bytes({}))


def test_bytes_that_are_not_what_their_name_promises_are_an_error() -> None:
    with pytest.raises(msgspec.ValidationError, match="reason"):
        CATALOG.decode("case.closed.v1", old_bytes({"by": "clerk"}))


def test_a_configuration_from_before_there_were_senders_is_read_as_one_without_any() -> None:
    before = msgspec.structs.replace(samples.DISTRICT, hotlines=(), terminals=())
    stored = CATALOG.encode(samples.META, DistrictConfigured(hash="0123456789ab", district=before))

    _, _, fact = CATALOG.decode("district.configured.v1", stored)

    assert b"hotlines" not in stored
    assert b"terminals" not in stored
    assert isinstance(fact, DistrictConfigured)
    assert fact.district == before


def test_a_case_and_a_call_from_before_there_were_levels_are_read_as_ones_of_the_town() -> None:
    classified = {"matter": "401", "town": "445303100", "handling_class": "U1", "visibility": "public", "by": "sender"}
    due = {"by": samples.SOON, "rule": "matter 401 promised 24h"}
    issued = {"case": "c", "town": "445303100", "platform": "P4", "attempt": 1, "level": "town", "village": ""}
    issued |= {"matter": "401", "handling_class": "U1", "legs": []}

    case = CATALOG.decode("case.classified.v1", old_bytes(classified | {"result": due}))[2]
    call = CATALOG.decode("call.issued.v1", old_bytes(issued | {"result": due}))[2]

    assert isinstance(case, CaseClassified)
    assert case.village == ""
    assert isinstance(call, CallIssued)
    assert (call.acknowledge, call.arrive) == ("", "")


def test_who_was_dropped_before_the_rest_was_counted_is_read_without_a_count() -> None:
    dropped = {"case": "c", "town": "445303100", "platform": "P4", "number": "LD-0042"}

    fact = CATALOG.decode("mobilisation.responder-dropped.v1", old_bytes(dropped))[2]

    assert isinstance(fact, ResponderDropped)
    assert (fact.count, fact.short) == (None, False)


def test_a_field_added_later_by_a_newer_program_is_read_over() -> None:
    newer = old_bytes({"reason": "solved", "by": "clerk", "mood": "good"})

    assert CATALOG.decode("case.closed.v1", newer)[2] == CaseClosed(reason="solved", by="clerk")


def test_a_request_with_an_unknown_field_or_tag_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `mood`"):
        CATALOG.decode_request(msgspec.msgpack.encode({"request": "call.release.v1", "call": "x", "mood": "good"}))
    with pytest.raises(msgspec.ValidationError, match=r"call\.forget\.v1"):
        CATALOG.decode_request(msgspec.msgpack.encode({"request": "call.forget.v1", "call": "x"}))


def test_default_values_take_no_room_in_the_log() -> None:
    meta = Meta(recorded_at=samples.REPORTED, causation="x", actor="y")

    fields = msgspec.msgpack.decode(CATALOG.encode(meta, ReportAccepted(case="c")))

    assert fields == [{"recorded_at": samples.REPORTED, "causation": "x", "actor": "y"}, {"case": "c"}]
