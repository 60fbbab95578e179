"""入座: in the demo anybody takes a role without a password, and the simulation leaves to them what is theirs."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import pytest

from events.call import AcknowledgeCall
from events.case import ApproveResult, ClassifyCase
from events.catalog import CATALOG
from events.envelope import Request
from events.person import RegisterPerson
from events.user import Unit, UserRole
from services.people.person import person_id
from services.people.user import NEEDS, User
from services.runtime.batch import Submission
from services.simulation.service import NAME, simulation
from services.web.gate import COOKIE, CSRF_HEADER
from services.web.seats import EMPTY_AFTER, SeatRole, Seats
from services.wiring import SERVICES
from tests.system.gated import DISTRICT, OTHER_VILLAGE, ROADS, VILLAGE, Gated, gated

ROLES: tuple[UserRole, ...] = get_args(UserRole)
NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with gated(tmp_path_factory.mktemp("demo"), demo=True, services=(*SERVICES, simulation(5))) as served:
        yield served


class Watch:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def seats(demo: Gated, watch: Watch) -> Seats:
    return Seats(demo.house, demo.window.acting, watch.now)


def sit(demo: Gated, role: str, **unit: str) -> tuple[int, Any, dict[str, str]]:
    """Take a seat: the status, the answer, and the headers with which the browser then comes."""
    answer = demo.client.post("/api/seats", json={"role": role, "unit": unit})
    session, body = answer.cookies.get(COOKIE), answer.json()
    demo.client.cookies.clear()
    csrf = body["user"]["csrf"] if answer.status_code == 201 else ""
    return answer.status_code, body, {"cookie": f"{COOKIE}={session}", CSRF_HEADER: csrf}


def unit_of(role: UserRole) -> dict[str, str]:
    own = {"town": VILLAGE.town, "village": VILLAGE.code, "platform": "P6", "department": ROADS.lead}
    return {part: own[part] for part in NEEDS.get(role, ("town",))}


def seated(role: UserRole, name: str = "seat.somebody", **unit: str) -> User:
    return User(name, "入座", (role,), Unit(**(unit or unit_of(role))))


def simulated(demo: Gated, case: str, kind: type[Request]) -> Submission:
    """What the simulation is about to do about a case."""
    with demo.house.log.reading() as cursor:
        waiting = cursor.execute("SELECT id, request FROM timers").fetchall()
    about = {case, demo.call(case, ROADS.lead)}
    for source_id, encoded in waiting:
        request = CATALOG.decode_request(bytes(encoded))
        if isinstance(request, kind) and about & {getattr(request, "case", ""), getattr(request, "call", "")}:
            return Submission(source_id, request, "clock", remembered=False)
    raise AssertionError(f"expected the simulation to wait with {kind.__name__}, found nothing")


# Sitting down


@pytest.mark.parametrize("role", get_args(SeatRole))
def test_everybody_may_sit_down_and_is_logged_in_then(demo: Gated, role: UserRole) -> None:
    status, body, headers = sit(demo, role, **unit_of(role))

    assert status == 201
    assert body["user"]["roles"] == [role]
    here = demo.client.get("/api/session", headers=headers).json()
    assert (here["demo"], here["user"]) == (True, body["user"])


@pytest.mark.parametrize("role", sorted({*ROLES} - {*get_args(SeatRole)}))
def test_nobody_sits_where_he_could_lock_the_others_out(demo: Gated, role: UserRole) -> None:
    status, body, _ = sit(demo, role, **unit_of(role))

    assert status == 400
    assert f"Invalid enum value '{role}'" in body["detail"]


def test_who_sits_down_again_has_the_same_seat(demo: Gated) -> None:
    (_, first, _), (_, again, _) = (sit(demo, "reviewer", town=VILLAGE.town) for _ in range(2))

    assert first["user"]["name"] == again["user"]["name"]


def test_each_town_has_a_seat_of_its_own(demo: Gated) -> None:
    found = [sit(demo, "command_centre", town=town.code) for town in DISTRICT.towns]

    assert [status for status, _, _ in found] == [201] * len(DISTRICT.towns)
    assert len({body["user"]["name"] for _, body, _ in found}) == len(DISTRICT.towns)


def test_who_sits_acts_as_whoever_has_the_role(demo: Gated) -> None:
    case, _ = demo.report()
    _, body, headers = sit(demo, "department_officer", town=VILLAGE.town, department=ROADS.lead)
    act = {"request": "call.acknowledge.v1", "call": demo.call(case, ROADS.lead), "department": ROADS.lead}

    answer = demo.client.post("/api/acts", json=act, headers=headers)

    assert answer.status_code == 200, answer.text
    by = [fact.fact.by for fact in demo.house.log.stream(act["call"]) if hasattr(fact.fact, "by")]
    assert by == [body["user"]["person"]]


@pytest.mark.parametrize(
    ("role", "unit", "reason"),
    [
        ("department_officer", {"town": VILLAGE.town}, "department: expected one for the role department_officer"),
        ("command_centre", {"town": "nowhere"}, "town: expected one of"),
        ("department_officer", {"town": VILLAGE.town, "department": "D99"}, "department: expected one of"),
    ],
)
def test_a_seat_that_the_district_does_not_have_is_refused(
    demo: Gated, role: str, unit: dict[str, str], reason: str
) -> None:
    status, body, _ = sit(demo, role, **unit)

    assert status == 422
    assert reason in body["detail"]


@pytest.mark.parametrize("body", [{}, {"role": "god"}, {"role": "reviewer", "unit": {"town": 1}}, {"role": None}, []])
def test_what_is_no_seat_is_refused(demo: Gated, body: Any) -> None:
    headers = {"content-type": "application/json"}

    assert demo.client.post("/api/seats", json=body, headers=headers).status_code == 400


def test_outside_a_demo_there_are_no_seats(tmp_path_factory: pytest.TempPathFactory) -> None:
    with gated(tmp_path_factory.mktemp("real")) as served:
        answer = served.client.post("/api/seats", json={"role": "administrator"})

        assert answer.status_code == 404
        assert served.house.users() == []
        assert served.client.get("/api/session").json()["demo"] is False


# What the simulation leaves to people


def test_what_somebody_who_sits_here_could_do_is_left_to_them(demo: Gated, seats: Seats) -> None:
    case, _ = demo.report()
    acknowledge = simulated(demo, case, AcknowledgeCall)
    empty = seats.plays(acknowledge)

    seats.seen(seated("department_officer"))

    assert (empty, seats.plays(acknowledge)) == (False, True)


@pytest.mark.parametrize(
    "user",
    [
        seated("reviewer"),
        seated("department_officer", town=VILLAGE.town, department="D30"),
        seated("department_officer", town=OTHER_VILLAGE.town, department=ROADS.lead),
    ],
    ids=lambda user: f"{user.roles[0]} {user.unit.town} {user.unit.department}",
)
def test_what_nobody_who_sits_here_could_do_the_simulation_does(demo: Gated, seats: Seats, user: User) -> None:
    case, _ = demo.report()

    seats.seen(user)

    assert not seats.plays(simulated(demo, case, AcknowledgeCall))


def test_a_seat_from_which_nobody_asks_for_anything_is_empty_after_a_while(
    demo: Gated, seats: Seats, watch: Watch
) -> None:
    case, _ = demo.report()
    acknowledge = simulated(demo, case, AcknowledgeCall)
    seats.seen(seated("department_officer"))

    watch.at = NOON + EMPTY_AFTER
    still_there = seats.plays(acknowledge)
    watch.at += timedelta(seconds=1)
    gone = seats.plays(acknowledge)
    seats.seen(seated("department_officer"))

    assert (still_there, gone, seats.plays(acknowledge)) == (True, False, True)


def test_who_stands_up_leaves_the_seat_to_the_simulation(demo: Gated, seats: Seats) -> None:
    case, _ = demo.report()
    seats.seen(seated("department_officer"))

    seats.left(seated("department_officer"))

    assert not seats.plays(simulated(demo, case, AcknowledgeCall))


def test_who_logs_in_with_a_password_sits_on_no_seat(demo: Gated, seats: Seats) -> None:
    case, _ = demo.report()

    seats.seen(seated("department_officer", name="wang"))

    assert not seats.plays(simulated(demo, case, AcknowledgeCall))


def test_what_the_services_and_people_ask_for_is_never_left_to_anybody(demo: Gated, seats: Seats) -> None:
    case, _ = demo.report()
    request = simulated(demo, case, AcknowledgeCall).request
    seats.seen(seated("department_officer"))

    for source_id in ("act/wang/1", "timer:x", f"reaction:{NAME}x:1", "reaction:platforms:1"):
        assert not seats.plays(Submission(source_id, request, "clock", remembered=False))


def test_who_sits_for_personnel_finds_the_people_that_there_are(demo: Gated, seats: Seats) -> None:
    seats.seen(seated("personnel"))
    somebody = {"number": "LD-D15-9", "name": "李敏", "employer": "六都镇", "town": VILLAGE.town, "department": "D15"}
    wanted = RegisterPerson(person=person_id("LD-D15-9"), since=date(1998, 7, 1), by="personnel-1", **somebody)

    assert not seats.plays(Submission(f"reaction:{NAME}:1", wanted, "clock", remembered=False))


def test_what_is_about_nothing_known_is_left_to_nobody(demo: Gated, seats: Seats) -> None:
    seats.seen(seated("command_centre"))
    seats.seen(seated("reviewer", name="seat.other"))

    for request in (ClassifyCase(case="0" * 32, matter="602", by="x"), ApproveResult(case="", by="x")):
        assert not seats.plays(Submission(f"reaction:{NAME}:1", request, "clock", remembered=False))


def test_the_seats_of_the_window_are_those_that_people_have_taken(demo: Gated) -> None:
    case, _ = demo.report()
    acknowledge = simulated(demo, case, AcknowledgeCall)

    _, _, headers = sit(demo, "department_officer", town=VILLAGE.town, department=ROADS.lead)
    taken = demo.window.seats.plays(acknowledge)
    demo.client.delete("/api/session", headers=headers)

    assert (taken, demo.window.seats.plays(acknowledge)) == (True, False)
