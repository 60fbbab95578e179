"""联合出动: people of several departments sent to one scene, counted by name, as facts and requests of one turn-out."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from events.case import Due
from events.envelope import Fact, Request
from events.person import StaffNumber
from events.private import Sealed, Words
from events.report import Person

Numbers = Annotated[tuple[StaffNumber, ...], Meta(min_length=1, max_length=500)]
Pool = Literal["called", "platform", "town", "district"]
"""Whose people are asked, in this order: the called departments', the lead's platform's, the town's, the district's."""

Declined = Literal["ill", "on_other_duty", "unreachable", "other"]
"""生病、另有任务、联系不上、其他."""


class Responder(Struct, frozen=True):
    """A person who is called to the scene, by staff number, and the roster that they are taken from."""

    number: str
    department: str
    roster: str


class MobilisationFact(Fact, frozen=True, kw_only=True):
    """What every fact of a turn-out says: for which case, in which town, on which platform."""

    case: str
    town: str
    platform: str


class MobilisationOrdered(MobilisationFact, frozen=True, kw_only=True):
    """已下令: so many people at least are to be on the spot by ``muster``; their names are asked for at once.

    ``departments`` are those called for the case, the lead first; ``rosters`` the streams that people come from. Of
    departments that are ``recused`` from the case nobody comes.
    """

    matter: str
    village: str
    min_people: int
    departments: tuple[str, ...]
    rosters: tuple[str, ...]
    muster: Due
    by: str
    recused: tuple[str, ...] = ()


class RespondersCalled(MobilisationFact, frozen=True, kw_only=True):
    """已点名: these people of these pools are called, to be there by ``muster``.

    ``lacking`` is how many fewer that are than are needed. Without pools they came of themselves.
    """

    responders: tuple[Responder, ...]
    pools: tuple[Pool, ...]
    lacking: int = 0
    muster: Due | None = None


class RespondersConfirmed(MobilisationFact, frozen=True, kw_only=True):
    """已应召: they are on their way."""

    numbers: tuple[str, ...]
    by: str


class ResponderDeclined(MobilisationFact, frozen=True, kw_only=True):
    """不能到: the person cannot come, and is free for something else."""

    number: str
    ground: Declined
    by: str


class ResponderDropped(MobilisationFact, frozen=True, kw_only=True):
    """退出: the person belongs to the turn-out no longer: they are lent, on leave, or serve in another town.

    ``count`` is how many are on the spot now, of facts that say it; ``short`` is that there were enough until now.
    """

    number: str
    count: int | None = None
    short: bool = False


class RespondersRecused(MobilisationFact, frozen=True, kw_only=True):
    """回避: the department has no part in the turn-out any more; ``numbers`` of its people were with it.

    ``count`` is how many are on the spot without them; ``short`` is that there were enough until now.
    """

    department: str
    numbers: tuple[str, ...]
    count: int
    short: bool = False


class RespondersMustered(MobilisationFact, frozen=True, kw_only=True):
    """已到场: named people are on the spot; ``count`` is how many there are now, everybody counted once."""

    numbers: tuple[str, ...]
    by: str
    count: int
    late: bool = False


class MusterReached(MobilisationFact, frozen=True, kw_only=True):
    """集结完毕: as many are there as are needed at least."""

    count: int
    min_people: int
    late: bool = False


class MusterShort(MobilisationFact, frozen=True, kw_only=True):
    """集结不足: at the due time too few are there. With ``again`` more are called, until then; else nobody is left."""

    count: int
    min_people: int
    rosters: tuple[str, ...]
    again: Due | None = None


class StoodDown(MobilisationFact, frozen=True, kw_only=True):
    """已收队: everybody may go. ``count`` people were there; the turn-out is written up by ``review`` (补录).

    ``freed`` are all that the turn-out still had.
    """

    by: str
    count: int
    review: Due
    freed: tuple[Responder, ...] = ()


class MobilisationReviewed(MobilisationFact, frozen=True, kw_only=True):
    """已复盘: what was done and what was learned."""

    by: str
    note: Sealed
    late: bool = False


class MobilisationReviewExtended(MobilisationFact, frozen=True, kw_only=True):
    """期限顺延: by the calendar now in force it may be written up until ``due`` instead of ``was``; never earlier."""

    was: Due
    due: Due


class MobilisationReviewMissed(MobilisationFact, frozen=True, kw_only=True):
    """复盘逾期: nobody has written it up by its due time."""


class MobilisationRequest(Request, frozen=True, kw_only=True):
    """What is asked of a turn-out. ``rosters`` are the streams of the rosters that people are taken from."""

    mobilisation: str
    rosters: tuple[str, ...]


class OrderMobilisation(MobilisationRequest, frozen=True, kw_only=True, tag="mobilisation.order.v1"):
    """Have so many people turn out for a case, named from the pools at once."""

    case: str
    by: Person
    min_people: Annotated[int, Meta(ge=1, le=500)]


class ConfirmResponders(MobilisationRequest, frozen=True, kw_only=True, tag="mobilisation.confirm.v1"):
    """Say for a department who is on the way."""

    department: str
    numbers: Numbers
    by: Person


class DeclineResponder(MobilisationRequest, frozen=True, kw_only=True, tag="mobilisation.decline.v1"):
    """Say for a department who cannot come, and why."""

    department: str
    number: StaffNumber
    ground: Declined
    by: Person


class RecuseResponders(MobilisationRequest, frozen=True, kw_only=True, tag="mobilisation.recuse.v1"):
    """Sent when a department is recused from the case: its people leave, and no more of them are called."""

    department: str


class Muster(MobilisationRequest, frozen=True, kw_only=True, tag="mobilisation.muster.v1"):
    """Report named people in on the spot, also some who were not called. Nobody counts twice, or in two places.

    With a ``department`` all of them are of that department.
    """

    numbers: Numbers
    by: Person
    department: str = ""


class MissMuster(MobilisationRequest, frozen=True, kw_only=True, tag="mobilisation.miss-muster.v1"):
    """A timer's request when as many should be there as are needed; also sent when there are too few of them again."""


class DropResponder(Request, frozen=True, kw_only=True, tag="mobilisation.drop.v1"):
    """Sent when a person is with the turn-out who is lent, on leave, or serves in another town from now on."""

    mobilisation: str
    number: str


class StandDown(MobilisationRequest, frozen=True, kw_only=True, tag="mobilisation.stand-down.v1"):
    """Let everybody go; sent by itself when the case has its result."""

    by: Person


class ReviewMobilisation(Request, frozen=True, kw_only=True, tag="mobilisation.review.v1"):
    """Write up the turn-out."""

    PRIVATE: ClassVar[dict[str, str]] = {"note": "case"}

    mobilisation: str
    case: str
    by: Person
    note: Words


class RecountMobilisationReview(Request, frozen=True, kw_only=True, tag="mobilisation.recount-review.v1"):
    """Count anew until when a turn-out is written up; sent when another working calendar is in force."""

    mobilisation: str


class MissMobilisationReview(Request, frozen=True, kw_only=True, tag="mobilisation.miss-review.v1"):
    """A timer's request when a turn-out should have been written up."""

    mobilisation: str
