"""`roster`: who of a town is there, who holds which post, who is on duty, and who helps out."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated

from cyclopts import App, Parameter

from events.district import Post
from events.envelope import Request
from events.roster import (
    DeployPerson,
    DissolvePartyOrg,
    EndLeave,
    FillPost,
    FormPartyOrg,
    GrantLeave,
    NamePartySecretary,
    PassShift,
    ReleasePerson,
    RemoveShift,
    SetShift,
    VacatePost,
)
from projections.queries import Questions
from services.cli.acting import Options, decide, tell
from services.cli.houses import DEFAULT_DATA, Data, Json, existing_house, town_code
from services.cli.screen import Exit, print_json, table
from services.people.roster import roster_of
from services.rules.calendar import SHANGHAI

roster = App(name="roster", help="值班表: a town's people, posts, shifts and leave. TOWN is a name, alias or code.")

Day = Annotated[date, Parameter(help="A day in Asia/Shanghai: 2026-12-01.")]
Start = Annotated[datetime, Parameter(help="From when on, in Asia/Shanghai unless it has an offset: 2026-12-01T20:00.")]
End = Annotated[datetime, Parameter(help="Until when, in Asia/Shanghai unless it has an offset.")]
Platform = Annotated[str, Parameter(help="The platform's code, of a post that is one platform's.")]

_PEOPLE = ("number", "name", "department", "posts", "lent", "leave_from", "leave_until", "deployed_to", "mobilisation")
_SHIFTS = ("shift", "post", "platform", "number", "name", "start", "end")
_PARTY = ("platform", "name", "since", "members", "secretary", "secretary_name")
_GAPS = ("post", "platform", "start", "end", "told_at")


def _decide(town: str, options: Options, make: Callable[[dict[str, str]], Request]) -> Exit:
    with existing_house(options.data) as house:
        code = town_code(house, town)
        answer = decide(house, make({"roster": roster_of(code), "town": code, "by": options.by}), options)
    return tell(answer, options)


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=SHANGHAI)


@roster.command
def show(town: str, *, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Show who is there, the shifts to come, the hours without cover, and the platforms' Party organisations."""
    with existing_house(data) as house:
        code, now = town_code(house, town), max(house.clock.now(), house.ledger.recorded_at)
        questions = Questions(house.views.database)
        found = {
            "people": questions.roster(code),
            "shifts": questions.shifts(code, now),
            "gaps": questions.gaps(code, now),
            "party": questions.party_organisations(
                {one.code: one.platform for one in house.ledger.rules.departments.values()},
                now.astimezone(SHANGHAI).date(),
                code,
            ),
        }
    if as_json:
        print_json(found)
        return Exit.DONE
    for title, columns in (("people", _PEOPLE), ("shifts", _SHIFTS), ("gaps", _GAPS), ("party", _PARTY)):
        table(title.capitalize(), columns, ([row[name] or "" for name in columns] for row in found[title]))
    return Exit.DONE


@roster.command
def party_org(town: str, platform: str, name: str, *, since: Day, options: Options) -> Exit:
    """平台党组织成立: record that a platform has a Party organisation since a day."""
    return _decide(town, options, lambda here: FormPartyOrg(**here, platform=platform, name=name, since=since))


@roster.command
def party_secretary(town: str, platform: str, number: str, *, since: Day, options: Options) -> Exit:
    """Record who is the secretary (书记) of a platform's Party organisation."""
    return _decide(
        town, options, lambda here: NamePartySecretary(**here, platform=platform, number=number, since=since)
    )


@roster.command
def dissolve_party_org(town: str, platform: str, *, on: Day, options: Options) -> Exit:
    """Record that a platform has its Party organisation no more from a day on."""
    return _decide(town, options, lambda here: DissolvePartyOrg(**here, platform=platform, on=on))


@roster.command
def post(
    town: str, post: Post, number: str, *, since: Day, platform: Platform = "", rank: int = 0, options: Options
) -> Exit:
    """任职: have a person hold a post, or be deputy number RANK of it."""
    return _decide(
        town,
        options,
        lambda here: FillPost(**here, post=post, number=number, since=since, platform=platform, rank=rank),
    )


@roster.command
def vacate(town: str, post: Post, number: str, *, on: Day, platform: Platform = "", options: Options) -> Exit:
    """免职: let a person hold a post no longer, from a day on."""
    return _decide(town, options, lambda here: VacatePost(**here, post=post, number=number, on=on, platform=platform))


@roster.command
def shift(
    town: str, shift: str, post: Post, number: str, *, start: Start, end: End, platform: Platform = "", options: Options
) -> Exit:
    """排班: put a person on duty for a post; SHIFT is your own name for it."""

    def make(here: dict[str, str]) -> Request:
        times = {"start": _aware(start), "end": _aware(end)}
        return SetShift(**here, shift=shift, post=post, number=number, platform=platform, **times)  # type: ignore[arg-type]  # two times

    return _decide(town, options, make)


@roster.command(name="pass")
def pass_shift(town: str, shift: str, to: str, *, options: Options) -> Exit:
    """换班、交接: give a shift to somebody else, or what is left of it."""
    return _decide(town, options, lambda here: PassShift(**here, shift=shift, to=to))


@roster.command
def remove(town: str, shift: str, *, options: Options) -> Exit:
    """Take a shift off the roster that has not begun."""
    return _decide(town, options, lambda here: RemoveShift(**here, shift=shift))


@roster.command
def leave(town: str, number: str, *, start: Start, end: End, options: Options) -> Exit:
    """请假: let a person be away."""
    return _decide(town, options, lambda here: GrantLeave(**here, number=number, start=_aware(start), end=_aware(end)))


@roster.command
def back(town: str, number: str, *, options: Options) -> Exit:
    """销假: record that a person is back from leave before it is over."""
    return _decide(town, options, lambda here: EndLeave(**here, number=number))


@roster.command
def deploy(town: str, number: str, department: str, *, until: End, options: Options) -> Exit:
    """统一调动: have a person help another department of the town for a bounded time."""
    return _decide(
        town, options, lambda here: DeployPerson(**here, number=number, department=department, until=_aware(until))
    )


@roster.command
def release(town: str, number: str, *, options: Options) -> Exit:
    """Let a deployed person work for the own department again."""
    return _decide(town, options, lambda here: ReleasePerson(**here, number=number))
