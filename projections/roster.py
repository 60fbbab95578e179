"""值班表: who of a town is there, on leave, lent, on a scene or helping out, and who is on duty when."""

from typing import Any

from events import roster as r
from events.envelope import Recorded
from projections.view import INTEGER, MOMENT, TEXT, Rows, View


def joined(rows: Rows, recorded: Recorded, fact: r.RosterJoined) -> None:
    """入表."""
    known = rows.get(recorded.stream, fact.number) or ROSTER.row(
        roster=recorded.stream, town=fact.town, number=fact.number
    )
    changed = {"name": fact.name, "department": fact.department, "party_relation": fact.party_relation}
    rows.put({**known, **changed, "lent": 0})


def left(rows: Rows, recorded: Recorded, fact: r.RosterLeft) -> None:
    """离表."""
    rows.delete(recorded.stream, fact.number)


def lent(rows: Rows, recorded: Recorded, fact: r.MemberLent) -> None:
    """借出."""
    rows.change(recorded.stream, fact.number, lent=1, mobilisation=None, deployed_to=None, deployed_until=None)


def returned(rows: Rows, recorded: Recorded, fact: r.MemberReturned) -> None:
    """归队."""
    rows.change(recorded.stream, fact.number, lent=0)


def post_filled(rows: Rows, recorded: Recorded, fact: r.PostFilled) -> None:
    """任职."""
    _posts(rows, recorded, fact.number, fact, f"{fact.post}{f' {fact.platform}' * bool(fact.platform)} {fact.rank}")


def post_vacated(rows: Rows, recorded: Recorded, fact: r.PostVacated) -> None:
    """免职."""
    _posts(rows, recorded, fact.number, fact, None)


def leave_granted(rows: Rows, recorded: Recorded, fact: r.LeaveGranted) -> None:
    """请假: the one granted last."""
    rows.change(recorded.stream, fact.number, leave_from=fact.start, leave_until=fact.end)


def leave_begun(rows: Rows, recorded: Recorded, fact: r.LeaveBegun) -> None:
    """假期开始: with no turn-out any more."""
    rows.change(recorded.stream, fact.number, mobilisation=None)


def leave_ended(rows: Rows, recorded: Recorded, fact: r.LeaveEnded) -> None:
    """销假."""
    rows.change(recorded.stream, fact.number, leave_until=fact.at)


def taken(rows: Rows, recorded: Recorded, fact: r.PeopleTaken) -> None:
    """调用."""
    for number in fact.numbers:
        rows.change(recorded.stream, number, mobilisation=fact.mobilisation)


def freed(rows: Rows, recorded: Recorded, fact: r.PeopleFreed) -> None:
    """解除调用."""
    for number in fact.numbers:
        known = rows.get(recorded.stream, number)
        if known is not None and known["mobilisation"] == fact.mobilisation:
            rows.change(recorded.stream, number, mobilisation=None)


def deployed(rows: Rows, recorded: Recorded, fact: r.PersonDeployed) -> None:
    """统一调动."""
    rows.change(recorded.stream, fact.number, deployed_to=fact.department, deployed_until=fact.until)


def released(rows: Rows, recorded: Recorded, fact: r.PersonReleased) -> None:
    """调动结束."""
    rows.change(recorded.stream, fact.number, deployed_to=None, deployed_until=None)


def _posts(rows: Rows, recorded: Recorded, number: str, fact: r.PostFilled | r.PostVacated, held: str | None) -> None:
    """The posts of a person, each with its platform and rank, in one text."""
    known = rows.get(recorded.stream, number)
    if known is None:
        return
    post = f"{fact.post}{f' {fact.platform}' * bool(fact.platform)} "
    others = [other for other in (known["posts"] or "").split(", ") if other and not other.startswith(post)]
    rows.change(recorded.stream, number, posts=", ".join((*others, held) if held else others) or None)


def shift_set(rows: Rows, recorded: Recorded, fact: r.ShiftSet) -> None:
    """排班."""
    rows.put(
        SHIFTS.row(
            roster=recorded.stream,
            shift=fact.shift,
            town=fact.town,
            post=fact.post,
            platform=fact.platform,
            number=fact.number,
            start=fact.start,
            end=fact.end,
        )
    )


def shift_passed(rows: Rows, recorded: Recorded, fact: r.ShiftPassed) -> None:
    """换班、交接: who has it now; what is behind is in the log."""
    rows.change(recorded.stream, fact.shift, number=fact.to, start=fact.at)


def shift_removed(rows: Rows, recorded: Recorded, fact: r.ShiftRemoved) -> None:
    """取消排班."""
    rows.delete(recorded.stream, fact.shift)


def cover_checked(rows: Rows, recorded: Recorded, fact: r.CoverChecked) -> None:
    """值班检查: the newest look at a town's next day."""
    for gap in fact.gaps:
        gap_row: dict[str, Any] = {"roster": recorded.stream, "post": gap.post, "platform": gap.platform}
        rows.put(GAPS.row(**gap_row, start=gap.start, end=gap.end, town=fact.town, told_at=recorded.meta.recorded_at))


ROSTER = View(
    name="roster",
    version=2,
    purpose="who of a town is there, away, on a scene or helping out 值班表",
    key=("roster", "number"),
    columns={
        "roster": TEXT,
        "number": TEXT,
        "town": TEXT,
        "name": TEXT,
        "department": TEXT,
        "party_relation": TEXT,
        "posts": TEXT,
        "lent": INTEGER,
        "leave_from": MOMENT,
        "leave_until": MOMENT,
        "mobilisation": TEXT,
        "deployed_to": TEXT,
        "deployed_until": MOMENT,
    },
    indexes=(("town", "department"),),
    folds={
        "roster.joined.v1": joined,
        "roster.left.v1": left,
        "roster.member-lent.v1": lent,
        "roster.member-returned.v1": returned,
        "roster.post-filled.v1": post_filled,
        "roster.post-vacated.v1": post_vacated,
        "roster.leave-granted.v1": leave_granted,
        "roster.leave-begun.v1": leave_begun,
        "roster.leave-ended.v1": leave_ended,
        "roster.people-taken.v1": taken,
        "roster.people-freed.v1": freed,
        "roster.person-deployed.v1": deployed,
        "roster.person-released.v1": released,
    },
)

SHIFTS = View(
    name="shifts",
    version=1,
    purpose="who is on duty for which post from when until when 排班",
    key=("roster", "shift"),
    columns={
        "roster": TEXT,
        "shift": TEXT,
        "town": TEXT,
        "post": TEXT,
        "platform": TEXT,
        "number": TEXT,
        "start": MOMENT,
        "end": MOMENT,
    },
    indexes=(("town", "end"),),
    folds={
        "roster.shift-set.v1": shift_set,
        "roster.shift-passed.v1": shift_passed,
        "roster.shift-removed.v1": shift_removed,
    },
)

GAPS = View(
    name="gaps",
    version=1,
    purpose="hours without cover, as they were told before they came 无人值班",
    key=("roster", "post", "platform", "start"),
    columns={
        "roster": TEXT,
        "post": TEXT,
        "platform": TEXT,
        "start": MOMENT,
        "end": MOMENT,
        "town": TEXT,
        "told_at": MOMENT,
    },
    indexes=(("town", "end"),),
    folds={"roster.cover-checked.v1": cover_checked},
    names_nobody=True,
)
