"""办理记录: what departments, reviewers and reporters wrote about a case, opened for one who may read it."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct, structs

from events.approval import ApprovalDecided, ApprovalRoundOpened, MaterialRequested, OpinionFiled
from events.call import CallNoted, CallResultFiled
from events.case import (
    CaseDistrictCalled,
    CaseDistrictCallRefused,
    CaseHandedDown,
    CaseReopened,
    CaseResultSentBack,
    CaseVillageResolved,
    LaunchWaiverGranted,
)
from events.envelope import Recorded
from events.outcome import OutcomeDrafted
from events.private import Sealed
from services.runtime.errors import Erased
from services.runtime.vault import Vault

DRAFTS = (OutcomeDrafted,)
TO_THE_DISTRICT = (CaseDistrictCalled, CaseDistrictCallRefused, LaunchWaiverGranted, CaseHandedDown)
"""What town and district wrote to each other: the evidence for a call, the reason of a waiver or of handing down."""


class Written(Struct, frozen=True, omit_defaults=True):
    """What somebody wrote: ``what`` is the fact's wire name, ``reply`` the reply that is meant for the public.

    ``at`` is UTC. ``erased``: nobody can read it again.
    """

    at: datetime
    what: str
    by: str = ""
    department: str = ""
    text: str = ""
    reply: str = ""
    erased: bool = False


def open_written(
    facts: Iterable[Recorded],
    vault: Vault,
    who: str,
    purpose: str,
    at: datetime,
    only: tuple[type[Any], ...] = (object,),
) -> list[Written]:
    """Everything that was written in these facts, in their order; each opening is recorded before it is made.

    ``only`` are the kinds of facts that are opened, as `DRAFTS` for whoever decides what is published.
    """
    return [
        _opened(recorded, boxes, vault, who, purpose, at)
        for recorded in facts
        for boxes in _boxes(recorded.fact)
        if isinstance(recorded.fact, only)
    ]


def _boxes(fact: Any) -> Iterator[dict[str, Sealed | None]]:
    """What is encrypted in a fact, by the field of `Written` in which it is shown."""
    match fact:
        case CallNoted():
            yield {"text": fact.note}
        case CallResultFiled():
            yield {"text": fact.account, "reply": fact.reply}
        case CaseResultSentBack() | CaseReopened() | LaunchWaiverGranted() | CaseHandedDown():
            yield {"text": fact.reason}
        case CaseVillageResolved():
            yield {"text": fact.account, "reply": fact.reply}
        case CaseDistrictCalled() | CaseDistrictCallRefused() if fact.evidence is not None:
            yield {"text": fact.evidence}
        case OpinionFiled() if fact.conditions is not None:
            yield {"text": fact.conditions}
            if fact.new_facts is not None:
                yield {"text": fact.new_facts}
        case MaterialRequested():
            yield {"text": fact.pieces}
        case ApprovalRoundOpened() if fact.remedied is not None:
            yield {"text": fact.remedied}
        case ApprovalDecided() if fact.reason is not None:
            yield {"text": fact.reason}
        case OutcomeDrafted():
            yield {"reply": fact.reply}


def _opened(
    recorded: Recorded, boxes: dict[str, Sealed | None], vault: Vault, who: str, purpose: str, at: datetime
) -> Written:
    fact: Any = recorded.fact
    known = Written(recorded.meta.recorded_at, recorded.name, getattr(fact, "by", ""), getattr(fact, "department", ""))
    try:
        words = {name: vault.open(box, str, who, purpose, at) for name, box in boxes.items() if box is not None}
    except Erased:
        return structs.replace(known, erased=True)
    return structs.replace(known, **words)
