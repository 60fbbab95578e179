"""联合出动: how many were called, come and are needed for a case, and, for those who may know, who."""

from events import mobilisation as m
from events.envelope import Recorded
from projections.view import INTEGER, MOMENT, TEXT, Rows, View


def ordered(rows: Rows, recorded: Recorded, fact: m.MobilisationOrdered) -> None:
    """已下令."""
    rows.put(
        MOBILISATIONS.row(
            mobilisation=recorded.stream,
            case=fact.case,
            town=fact.town,
            platform=fact.platform,
            matter=fact.matter,
            village=fact.village,
            min_people=fact.min_people,
            phase="confirming",
            called=0,
            confirmed=0,
            mustered=0,
            ordered_at=recorded.meta.recorded_at,
            muster_due=fact.muster.by,
            position=recorded.position,
        )
    )


def responders_called(rows: Rows, recorded: Recorded, fact: m.RespondersCalled) -> None:
    """已点名."""
    _count(rows, recorded, called=len(fact.responders))


def confirmed(rows: Rows, recorded: Recorded, fact: m.RespondersConfirmed) -> None:
    """已应召."""
    _count(rows, recorded, confirmed=len(fact.numbers))


def mustered(rows: Rows, recorded: Recorded, fact: m.RespondersMustered) -> None:
    """已到场."""
    _change(rows, recorded, mustered=fact.count)


def reached(rows: Rows, recorded: Recorded, fact: m.MusterReached) -> None:
    """集结完毕."""
    _change(rows, recorded, phase="mustered", reached_at=recorded.meta.recorded_at)


def short(rows: Rows, recorded: Recorded, fact: m.MusterShort) -> None:
    """集结不足."""
    due = {"muster_due": fact.again.by} if fact.again is not None else {}
    _change(rows, recorded, phase="short", **due)


def stood_down(rows: Rows, recorded: Recorded, fact: m.StoodDown) -> None:
    """已收队."""
    _change(rows, recorded, phase="stood_down", stood_down_at=recorded.meta.recorded_at, review_due=fact.review.by)


def review_extended(rows: Rows, recorded: Recorded, fact: m.MobilisationReviewExtended) -> None:
    """期限顺延."""
    _change(rows, recorded, review_due=fact.due.by)


def reviewed(rows: Rows, recorded: Recorded, fact: m.MobilisationReviewed) -> None:
    """已复盘."""
    _change(rows, recorded, phase="reviewed", reviewed_at=recorded.meta.recorded_at)


def fewer(rows: Rows, recorded: Recorded, fact: m.ResponderDropped) -> None:
    """退出: who was on the spot counts no longer."""
    if fact.count is not None:
        _change(rows, recorded, mustered=fact.count)


def _count(rows: Rows, recorded: Recorded, **more: int) -> None:
    row = rows.get(recorded.stream)
    assert row is not None, "a turn-out begins with its order"
    _change(rows, recorded, **{name: row[name] + added for name, added in more.items()})


def _change(rows: Rows, recorded: Recorded, **values: object) -> None:
    rows.change(recorded.stream, position=recorded.position, **values)


def called(rows: Rows, recorded: Recorded, fact: m.RespondersCalled) -> None:
    """已点名: one row for each person."""
    for responder in fact.responders:
        rows.put(
            RESPONDERS.row(
                mobilisation=recorded.stream,
                number=responder.number,
                department=responder.department,
                town=fact.town,
                presence="called",
                called_at=recorded.meta.recorded_at,
            )
        )


def is_coming(rows: Rows, recorded: Recorded, fact: m.RespondersConfirmed) -> None:
    """已应召."""
    for number in fact.numbers:
        rows.change(recorded.stream, number, presence="confirmed")


def cannot_come(rows: Rows, recorded: Recorded, fact: m.ResponderDeclined) -> None:
    """不能到."""
    rows.change(recorded.stream, fact.number, presence="declined", ground=fact.ground)


def dropped(rows: Rows, recorded: Recorded, fact: m.ResponderDropped) -> None:
    """退出."""
    rows.change(recorded.stream, fact.number, presence="dropped")


def has_come(rows: Rows, recorded: Recorded, fact: m.RespondersMustered) -> None:
    """已到场."""
    for number in fact.numbers:
        rows.change(recorded.stream, number, presence="present", arrived_at=recorded.meta.recorded_at)


MOBILISATIONS = View(
    name="mobilisations",
    version=2,
    purpose="joint turn-outs: how many are needed, called and there 联合出动",
    key=("mobilisation",),
    columns={
        "mobilisation": TEXT,
        "case": TEXT,
        "town": TEXT,
        "platform": TEXT,
        "matter": TEXT,
        "village": TEXT,
        "phase": TEXT,
        "min_people": INTEGER,
        "called": INTEGER,
        "confirmed": INTEGER,
        "mustered": INTEGER,
        "ordered_at": MOMENT,
        "muster_due": MOMENT,
        "reached_at": MOMENT,
        "stood_down_at": MOMENT,
        "review_due": MOMENT,
        "reviewed_at": MOMENT,
        "position": INTEGER,
    },
    opaque=frozenset({"position"}),
    indexes=(("case",), ("town", "phase")),
    folds={
        "mobilisation.ordered.v1": ordered,
        "mobilisation.responders-called.v1": responders_called,
        "mobilisation.responders-confirmed.v1": confirmed,
        "mobilisation.responder-dropped.v1": fewer,
        "mobilisation.mustered.v1": mustered,
        "mobilisation.reached.v1": reached,
        "mobilisation.short.v1": short,
        "mobilisation.stood-down.v1": stood_down,
        "mobilisation.review-extended.v1": review_extended,
        "mobilisation.reviewed.v1": reviewed,
    },
)

RESPONDERS = View(
    name="responders",
    version=1,
    purpose="who was called to a turn-out, and who came 出动人员",
    key=("mobilisation", "number"),
    columns={
        "mobilisation": TEXT,
        "number": TEXT,
        "department": TEXT,
        "town": TEXT,
        "presence": TEXT,
        "ground": TEXT,
        "called_at": MOMENT,
        "arrived_at": MOMENT,
    },
    folds={
        "mobilisation.responders-called.v1": called,
        "mobilisation.responders-confirmed.v1": is_coming,
        "mobilisation.responder-declined.v1": cannot_come,
        "mobilisation.responder-dropped.v1": dropped,
        "mobilisation.mustered.v1": has_come,
    },
)
