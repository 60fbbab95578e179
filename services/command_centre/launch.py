"""The launch list (启动清单): for which matters a town may call the district. Each list holds until the next begins.

Source: the reform of Yun'an, where a town calls the district "by the items of the launch list". Until one is published
the configuration is the list, its version 0.
"""

from datetime import date, datetime

from msgspec import Struct, structs

from events.envelope import Fact
from events.ids import PREFIX, child_id
from events.launch import CONDITIONS, LaunchItem, LaunchListPublished, PublishLaunchList
from services.decisions import Rejected
from services.rules.book import RuleBook
from services.rules.calendar import SHANGHAI

STREAM = child_id("launch", "0" * PREFIX)


class Lists(Struct, frozen=True):
    """Every list that was published, the oldest first."""

    published: tuple[LaunchListPublished, ...] = ()


class InForce(Struct, frozen=True):
    """The list that holds at some moment; version 0 is the configuration's."""

    version: int
    items: tuple[LaunchItem, ...]
    effective_from: date | None = None
    citation: str = ""

    def item(self, matter: str) -> LaunchItem | None:
        """The line about a matter, if there is one."""
        return next((item for item in self.items if item.matter == matter), None)


def evolve(state: Lists | None, fact: LaunchListPublished) -> Lists:
    """Fold one fact of the launch stream."""
    return Lists((*(state.published if state else ()), fact))


def in_force(state: Lists | None, now: datetime, rules: RuleBook) -> InForce:
    """The list that holds at ``now``: the newest that has begun."""
    today = now.astimezone(SHANGHAI).date()
    for fact in reversed(state.published if state else ()):
        if fact.effective_from <= today:
            return InForce(fact.version, fact.items, fact.effective_from, fact.citation)
    return InForce(0, configured(rules))


def configured(rules: RuleBook) -> tuple[LaunchItem, ...]:
    """The list that a configuration itself is: its matters with their bureaus, as far as it has these."""
    return tuple(
        LaunchItem(
            matter=matter.code,
            bureau=matter.district_lead,
            conditions=CONDITIONS if matter.launch == "condition" else (),
        )
        for matter in rules.district.matters
        if matter.launch != "no" and rules.bureau(matter.district_lead) is not None
    )


def earliest(state: Lists | None, now: datetime) -> date:
    """The first day, in Asia/Shanghai, from which a new list may hold: today, and none before that of the newest."""
    published = state.published if state else ()
    return max([now.astimezone(SHANGHAI).date(), *(fact.effective_from for fact in published[-1:])])


def decide(state: Lists | None, request: PublishLaunchList, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """Publish a list, to hold from a day that has not begun before the one of the list before it."""
    if request.launch != STREAM:
        raise Rejected(f"launch: expected the one launch list {STREAM}, found {request.launch}")
    published = state.published if state else ()
    new = LaunchListPublished(
        version=len(published) + 1,
        items=request.items,
        effective_from=request.effective_from,
        citation=request.citation,
        by=request.by,
    )
    if published and structs.replace(new, version=len(published), by=published[-1].by) == published[-1]:
        return ()
    faults = [fault for n, item in enumerate(request.items, 1) for fault in _faults(n, item, rules)]
    matters = [item.matter for item in request.items]
    faults += [f"items: expected matter {code} once, found it again" for code in sorted(_doubled(matters))]
    if faults:
        raise Rejected("; ".join(faults))
    first = earliest(state, now)
    if request.effective_from < first:
        raise Rejected(f"effective_from: expected {first} or later, found {request.effective_from}")
    return (new,)


def platform_of(item: LaunchItem, rules: RuleBook) -> str:
    """The platform of the district that is called for a line.

    Raises:
        Rejected: when the configuration has changed since, and has the bureau or the platform no more.
    """
    bureau = rules.bureau(item.bureau)
    platform = item.platform or (bureau.platform if bureau else "")
    if bureau is None or not _at_district(platform, rules):
        raise Rejected(f"launch list: expected a bureau and platform of the district, found {item.bureau} {platform}")
    return platform


def _faults(n: int, item: LaunchItem, rules: RuleBook) -> list[str]:
    faults = []
    if item.matter not in rules.matters:
        faults.append(f"item {n}: matter: expected a code of the catalogue, found {item.matter!r}")
    if rules.bureau(item.bureau) is None:
        faults.append(f"item {n}: bureau: expected one of the district, found {item.bureau!r}")
    if item.platform and not _at_district(item.platform, rules):
        faults.append(f"item {n}: platform: expected one that stands at the district, found {item.platform!r}")
    return faults


def _at_district(code: str, rules: RuleBook) -> bool:
    platform = rules.platforms.get(code)
    return platform is not None and "district" in platform.levels


def _doubled(codes: list[str]) -> set[str]:
    return {code for code in codes if codes.count(code) > 1}
