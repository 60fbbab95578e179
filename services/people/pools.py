"""人员池: whose people are asked for a turn-out, in which order. Pure.

The people of the called departments come first, all of them: those departments turn out in any case. Others are asked
only as far as they are needed, and of the dispatched bodies only whose Party relation the town's committee has: those
are under its management (归口管理). The district's people come last, and only for a matter on the launch list.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from events.district import Matter
from events.mobilisation import Pool, Responder
from services.people.roster import Member, Roster
from services.rules.book import RuleBook


def call_up(
    matter: Matter,
    needed: int,
    rosters: Sequence[tuple[str, Roster | None]],
    recused: Collection[str],
    now: datetime,
    rules: RuleBook,
) -> list[tuple[Pool, Responder]]:
    """Who is called so that ``needed`` come: everybody free of the called departments, then as many more as it takes.

    ``rosters`` are the town's and the district's, each with its stream. Of a ``recused`` department nobody is called.
    """
    found: list[tuple[Pool, Responder]] = []
    for pool, stream, there in _pools(matter, rosters, now, rules):
        members = [member for member in there if member.department not in recused]
        wanted = members if pool == "called" else members[: max(0, needed - len(found))]
        found += [(pool, Responder(member.number, member.department, stream)) for member in wanted]
    return found


def _pools(
    matter: Matter, rosters: Sequence[tuple[str, Roster | None]], now: datetime, rules: RuleBook
) -> Iterator[tuple[Pool, str, list[Member]]]:
    (town, local), *others = rosters
    free = (local or Roster()).free(now)
    called = (matter.lead, *matter.assists)
    platform = rules.departments[matter.lead].platform
    yield "called", town, [member for code in called for member in free if member.department == code]
    more = [member for member in free if member.department not in called and _managed(member, rules)]
    home = [member for member in more if rules.departments[member.department].platform == platform]
    yield "platform", town, home
    yield "town", town, [member for member in more if member not in home]
    if matter.launch == "yes":
        for district, roster in others:
            yield "district", district, (roster or Roster()).free(now)


def _managed(member: Member, rules: RuleBook) -> bool:
    """Whether the town may send a person whose department is not called."""
    department = rules.departments.get(member.department)
    return department is not None and (department.kind == "town_office" or member.party_relation == "town_committee")
