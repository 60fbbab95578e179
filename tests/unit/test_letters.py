"""Who hears what of a fact: keys, owed letters, and for each department its own part and nothing of the others."""

import json
from typing import Any

import pytest
from msgspec import structs

from events import mobilisation
from events.call import CallCompleted, CallIssued, CallReleased, DepartmentsCalled
from events.carried import edge_of, recorded_of
from events.edge import SENT, LegCalled, TurnOutCalled, TurnOutReleased
from events.envelope import Fact, Recorded, kind_of
from events.schema import NEVER_TOLD
from services.messaging.letters import Addresses, Letter
from services.rules.book import RuleBook
from tests.golden import samples

HEARD = ("call.issued.v1", "case.result-submitted.v1")
LINK = "https://window/"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FIRSTS = {
    "district": "district.configured.v1",
    "launch": "launch.list-published.v1",
    "report": "report.submitted.v1",
    "reporter": "reporter.reported.v1",
    "case": "case.opened.v1",
    "call": "call.issued.v1",
    "outcome": "outcome.drafted.v1",
    "user": "user.added.v1",
    "person": "person.registered.v1",
    "roster": "roster.joined.v1",
    "mobilisation": "mobilisation.ordered.v1",
    "approval": "approval.round-opened.v1",
}
OWN = {
    "call.departments-called.v1": ("D15", "D08"),
    "call.acknowledged.v1": ("D15",),
    "call.reported-in.v1": ("D15",),
    "call.reporter-contacted.v1": ("D15",),
    "call.noted.v1": ("D15",),
    "call.proof-attached.v1": ("D15",),
    "call.result-filed.v1": ("D15",),
    "call.clock-missed.v1": ("D15",),
    "call.due-extended.v1": ("D15",),
    "call.escalated.v1": ("D15",),
    "call.completed.v1": ("X5",),
    "call.released.v1": ("D08", "X5"),
    "call.alerted.v1": ("D15",),
    "call.delivered.v1": ("D15",),
    "call.delivery-failed.v1": ("D15",),
    "approval.round-opened.v1": ("D16", "X5"),
    "approval.opinion-filed.v1": ("D16",),
    "approval.material-requested.v1": ("D16",),
    "approval.material-supplied.v1": ("D16",),
    "approval.opinion-missed.v1": ("D16",),
}
"""The departments that hear of each golden fact themselves."""

EVERYTHING = [pytest.param(name, fact, id=name) for name, fact in samples.FACTS.items()]


@pytest.fixture(scope="module")
def addresses() -> Addresses:
    return Addresses(RuleBook(samples.DISTRICT), HEARD, LINK)


def recorded(name: str, fact: Fact, version: int = 3) -> Recorded:
    stream = samples.CALL if kind_of(name) == "call" else samples.CASE
    meta = structs.replace(samples.META, trace=TRACE, actor="officer-D15", causation="dept.ld.d15/7")
    return Recorded(417, stream, version, name, meta, fact)


def letters(addresses: Addresses, name: str, fact: Fact | None = None, **first: Any) -> list[Letter]:
    begins = FIRSTS[kind_of(name)]
    beginning = recorded(begins, structs.replace(samples.FACTS[begins], **first), 1)
    return list(addresses.letters(recorded(name, fact or samples.FACTS[name]), beginning))


@pytest.mark.parametrize(("name", "fact"), EVERYTHING)
def test_everybody_hears_of_a_fact_once_and_of_secret_ones_nobody(addresses: Addresses, name: str, fact: Fact) -> None:
    kind, said = kind_of(name), name.removesuffix(".v1")
    town = "YA" if kind in ("district", "launch") else "LD"
    platform = "P4" if kind == "call" else "all"

    told = [letter for letter in letters(addresses, name) if f".all.{said}" in letter.key]

    if kind in NEVER_TOLD:
        assert told == []
        return
    assert [(letter.key, letter.message_id, letter.owed) for letter in told] == [
        (f"{town}.{platform}.all.{said}", recorded(name, fact).id, name in HEARD)
    ]


def test_a_call_at_the_district_is_told_under_the_districts_own_letters(addresses: Addresses) -> None:
    at_district = structs.replace(samples.FACTS["call.issued.v1"], town="445303", level="district")

    told = letters(addresses, "call.issued.v1", at_district, town="445303", level="district")

    assert [letter.key for letter in told] == ["YA.P4.all.call.issued"]


@pytest.mark.parametrize(("name", "fact"), EVERYTHING)
def test_what_is_told_to_all_is_the_fact_itself(addresses: Addresses, name: str, fact: Fact) -> None:
    for letter in [] if kind_of(name) in NEVER_TOLD else letters(addresses, name)[:1]:
        told = recorded_of(letter.event)

        assert structs.replace(told, fact=fact) == recorded(name, fact)
        assert told.fact == fact or kind_of(name) == "report"


FROM_THE_TOWN = mobilisation.Responder("LD-0042", "D15", samples.ROSTER)
NEIGHBOUR = mobilisation.Responder("LD-0043", "D08", samples.ROSTER)
FROM_THE_DISTRICT = mobilisation.Responder("YA-0001", "B07", samples.DISTRICT_ROSTER)
PEOPLE = (FROM_THE_TOWN, FROM_THE_DISTRICT, NEIGHBOUR)


@pytest.mark.parametrize(
    ("name", "changes", "what", "why"),
    [
        ("mobilisation.responders-called.v1", {"responders": PEOPLE}, "responders.called", None),
        ("mobilisation.stood-down.v1", {"freed": PEOPLE}, "responders.released", "stood_down"),
    ],
)
def test_each_department_hears_which_of_its_own_people_turn_out_and_may_go(
    rules: RuleBook, name: str, changes: dict[str, Any], what: str, why: str | None
) -> None:
    told = letters(Addresses(rules, HEARD), name, structs.replace(samples.FACTS[name], **changes))

    assert [letter.key for letter in told] == [f"LD.P4.D15.{what}", f"YA.P4.B07.{what}", f"LD.P4.D08.{what}"]
    for letter, responder in zip(told, PEOPLE, strict=True):
        said = edge_of(letter.event, SENT)
        assert isinstance(said, TurnOutCalled | TurnOutReleased)
        assert (said.department, said.numbers) == (responder.department, (responder.number,))
        assert getattr(said, "why", None) == why
        others = {other.number for other in PEOPLE} - {responder.number}
        assert not any(other.encode() in (letter.event.data or b"") for other in others)
        assert letter.owed


def test_who_came_uncalled_is_not_called_afterwards(addresses: Addresses) -> None:
    came = structs.replace(samples.FACTS["mobilisation.responders-called.v1"], pools=(), muster=None)

    assert letters(addresses, "mobilisation.responders-called.v1", came) == []


def test_whose_department_is_recused_may_go(addresses: Addresses) -> None:
    (told,) = letters(addresses, "mobilisation.department-recused.v1")

    said = edge_of(told.event, SENT)
    assert isinstance(said, TurnOutReleased)
    assert (told.key, said.numbers, said.why) == ("LD.P4.D15.responders.released", ("LD-0042",), "recused")


@pytest.mark.parametrize(("name", "fact"), EVERYTHING)
def test_the_departments_that_a_fact_concerns_are_owed_a_letter_each_and_no_other_is(
    addresses: Addresses, name: str, fact: Fact
) -> None:
    own = letters(addresses, name)[1:]
    platform = "P4" if kind_of(name) == "call" else "all"

    assert [(letter.key, letter.message_id, letter.owed) for letter in own] == [
        (f"LD.{platform}.{department}.{name.removesuffix('.v1')}", f"{recorded(name, fact).id}.{department}", True)
        for department in OWN.get(name, ())
    ]


def test_the_list_above_names_every_fact_that_says_departments() -> None:
    said = {name for name, fact in samples.FACTS.items() if name.startswith("call.") and name != "call.issued.v1"}
    asked = {name for name, fact in samples.FACTS.items() if kind_of(name) == "approval" and hasattr(fact, "item")}

    assert said | asked | {"approval.round-opened.v1"} == set(OWN)


@pytest.mark.parametrize("name", OWN)
def test_a_department_hears_nothing_of_the_others(addresses: Addresses, name: str) -> None:
    everybody = {"D15", "D08", "D16", "D27-1", "X5"}
    for letter in letters(addresses, name)[1:]:
        own = letter.message_id.rpartition(".")[2]
        written = json.dumps([letter.event.data.decode(), letter.event.id, letter.event.extensions])  # type: ignore[arg-type]  # a letter has data

        assert own in written
        for other in everybody - {own}:
            assert other not in written
            assert other.lower() not in written


def test_a_leg_tells_its_department_all_that_it_needs(addresses: Addresses) -> None:
    issued, called = samples.FACTS["call.issued.v1"], samples.FACTS["call.departments-called.v1"]
    assert isinstance(issued, CallIssued)
    assert isinstance(called, DepartmentsCalled)

    letter = letters(addresses, "call.departments-called.v1")[1]

    leg = called.legs[0]
    assert edge_of(letter.event, SENT) == LegCalled(
        call=samples.CALL,
        case=called.case,
        town="445303100",
        village=issued.village,
        platform="P4",
        department="D15",
        role=leg.role,
        required=leg.required,
        matter="401",
        matter_zh="非法采矿",
        handling_class=called.handling_class,
        level=issued.level,
        attempt=issued.attempt,
        called_at=called.called_at,
        acknowledge=leg.acknowledge,
        result=leg.result,
        arrive=leg.arrive,
        contact=leg.contact,
        link=f"{LINK}#case={called.case}",
    )
    assert (letter.event.id, letter.event.subject) == (f"{samples.CALL}:3.D15", samples.CALL)
    assert letter.event.time == samples.META.recorded_at
    assert letter.event.extensions == {
        "position": 417,
        "correlation": samples.META.correlation,
        "configuration": samples.META.configuration,
        "traceparent": TRACE,
    }


def test_a_leg_without_a_window_has_no_link() -> None:
    letter = letters(Addresses(RuleBook(samples.DISTRICT), HEARD), "call.departments-called.v1")[1]

    leg = edge_of(letter.event, SENT)
    assert isinstance(leg, LegCalled)
    assert leg.link == ""


def test_who_is_released_hears_of_that_alone(addresses: Addresses) -> None:
    completed = letters(addresses, "call.completed.v1")[1]
    released = letters(addresses, "call.released.v1")

    for letter, own in ((completed, "X5"), (released[1], "D08"), (released[2], "X5")):
        fact = recorded_of(structs.replace(letter.event, id=letter.event.id.removesuffix(f".{own}"))).fact
        match fact:
            case CallCompleted():
                assert (fact.released, fact.handlers, fact.reply) == ((own,), (), None)
            case CallReleased():
                assert fact.departments == (own,)
            case _:
                pytest.fail(f"expected a fact that releases, found {fact}")
        assert set(letter.event.extensions) == {"position", "correlation", "configuration", "traceparent"}


def test_no_letter_tells_which_reports_belong_to_one_pseudonym(addresses: Addresses) -> None:
    for name in samples.FACTS:
        for letter in letters(addresses, name):
            assert samples.REPORTER.encode() not in letter.event.data


def test_what_happens_in_no_town_that_is_known_is_told_under_the_districts_name(addresses: Addresses) -> None:
    assert letters(addresses, "case.closed.v1", town="445303999")[0].key == "YA.all.all.case.closed"
    assert letters(addresses, "report.accepted.v1", town="")[0].key == "YA.all.all.report.accepted"


def test_each_letter_of_a_fact_has_an_id_of_its_own(addresses: Addresses) -> None:
    for name in samples.FACTS:
        ids = [letter.message_id for letter in letters(addresses, name)]
        assert len(ids) == len(set(ids))
