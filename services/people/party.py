"""平台党组织: which Party organisation a platform of the town has since when, and who is its secretary. Pure.

Source: the reform of Yun'an, which formed a Party organisation in each platform and put the members of dispatched
bodies under the town Party committee's management (归口管理): those are its members.
"""

from datetime import datetime, timedelta
from typing import assert_never

from events.envelope import Fact
from events.roster import (
    DissolvePartyOrg,
    FormPartyOrg,
    NamePartySecretary,
    PartyOrgDissolved,
    PartyOrgFormed,
    PartySecretaryNamed,
)
from services.decisions import Rejected
from services.people.roster import PartyOrg, Roster
from services.people.rostering import LONGEST_SERVICE
from services.rules.book import RuleBook
from services.rules.calendar import SHANGHAI

Requests = FormPartyOrg | DissolvePartyOrg | NamePartySecretary


def decide(state: Roster | None, request: Requests, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """What the town's Party committee records of the Party organisations of its platforms."""
    state = state or Roster()
    day = request.on if isinstance(request, DissolvePartyOrg) else request.since
    if abs(day - now.date()) > LONGEST_SERVICE:
        raise Rejected(f"since: expected a day of somebody's service, found {day}")
    match request:
        case FormPartyOrg():
            return _form(state, request, rules)
        case DissolvePartyOrg():
            return _dissolve(state, request)
        case NamePartySecretary():
            return _name(state, request, now, rules)
        case _:
            assert_never(request)


def _form(state: Roster, request: FormPartyOrg, rules: RuleBook) -> tuple[PartyOrgFormed, ...]:
    level = "district" if request.town == rules.district.code else "town"
    here = sorted(code for code, platform in rules.platforms.items() if level in platform.levels)
    if request.platform not in here:
        raise Rejected(f"platform: expected one of {', '.join(here)}, found {request.platform!r}")
    formed = PartyOrgFormed(town=request.town, platform=request.platform, name=request.name, since=request.since)
    for org in state.party:
        if (org.platform, org.name, org.since) == (request.platform, request.name, request.since):
            return ()
        if org.platform == request.platform and request.since < org.until:
            raise Rejected(f"since: expected a day without one, found {org.name} since {org.since}")
    return (formed,)


def _dissolve(state: Roster, request: DissolvePartyOrg) -> tuple[PartyOrgDissolved, ...]:
    if any((org.platform, org.until) == (request.platform, request.on) for org in state.party):
        return ()
    org = state.party_org(request.platform, request.on - timedelta(days=1))
    if org is None:
        raise Rejected(f"on: expected a day after which {request.platform} has none any more, found {request.on}")
    return (PartyOrgDissolved(platform=request.platform, formed=org.since, on=request.on),)


def _name(
    state: Roster, request: NamePartySecretary, now: datetime, rules: RuleBook
) -> tuple[PartySecretaryNamed, ...]:
    org = state.party_org(request.platform, request.since)
    if org is None:
        raise Rejected(f"platform: expected one with a Party organisation on {request.since}, found {request.platform}")
    if request.since > now.astimezone(SHANGHAI).date():
        raise Rejected(f"since: expected a day that has come, found {request.since}")
    if request.number not in members(state, org, rules):
        raise Rejected(f"number: expected a member of {org.name}, found {request.number}")
    if org.secretary == request.number:
        return ()
    named = PartySecretaryNamed(platform=request.platform, formed=org.since, number=request.number, since=request.since)
    return (named,)


def members(state: Roster, org: PartyOrg, rules: RuleBook) -> list[str]:
    """Whose Party organisation it is, by number: of the platform's departments, under the town committee."""
    return sorted(
        member.number
        for member in state.members.values()
        if member.party_relation == "town_committee"
        and member.department in rules.departments
        and rules.departments[member.department].platform == org.platform
    )
