"""The list of everything the language knows: wire name -> struct, with encoding, decoding and upcasts.

A fact that is not listed here cannot be stored. Names are for ever: a struct may be renamed or moved, its
wire name never. The schemas of `events.schema` are made from this list.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import msgpack

from events import (
    approval,
    call,
    case,
    district,
    launch,
    mobilisation,
    outcome,
    person,
    report,
    reporter,
    roster,
    user,
)
from events.envelope import Fact, Meta, Request

FACTS: Mapping[str, type[Fact]] = {
    "district.configured.v1": district.DistrictConfigured,
    "launch.list-published.v1": launch.LaunchListPublished,
    "report.submitted.v1": report.ReportSubmitted,
    "report.accepted.v1": report.ReportAccepted,
    "report.linked.v1": report.ReportLinked,
    "report.refused.v1": report.ReportRefused,
    "report.file-attached.v1": report.FileAttached,
    "report.erased.v1": report.ReportErased,
    "reporter.reported.v1": reporter.ReporterReported,
    "case.opened.v1": case.CaseOpened,
    "case.report-linked.v1": case.CaseReportLinked,
    "case.triage-queued.v1": case.CaseTriageQueued,
    "case.classified.v1": case.CaseClassified,
    "case.department-recused.v1": case.CaseDepartmentRecused,
    "case.village-handling-started.v1": case.CaseVillageHandlingStarted,
    "case.village-resolved.v1": case.CaseVillageResolved,
    "case.escalated.v1": case.CaseEscalated,
    "case.calls-issued.v1": case.CaseCallsIssued,
    "case.engaged.v1": case.CaseEngaged,
    "case.call-completed.v1": case.CaseCallCompleted,
    "case.district-called.v1": case.CaseDistrictCalled,
    "case.district-call-refused.v1": case.CaseDistrictCallRefused,
    "case.launch-waiver-granted.v1": case.LaunchWaiverGranted,
    "case.handed-down.v1": case.CaseHandedDown,
    "case.hand-down-consented.v1": case.CaseHandDownConsented,
    "case.result-submitted.v1": case.CaseResultSubmitted,
    "case.result-sent-back.v1": case.CaseResultSentBack,
    "case.resolved.v1": case.CaseResolved,
    "case.followed-up.v1": case.CaseFollowedUp,
    "case.rework-ordered.v1": case.CaseReworkOrdered,
    "case.review-reopened.v1": case.CaseReviewReopened,
    "case.closed.v1": case.CaseClosed,
    "case.reopened.v1": case.CaseReopened,
    "case.due-extended.v1": case.CaseDueExtended,
    "call.issued.v1": call.CallIssued,
    "call.departments-called.v1": call.DepartmentsCalled,
    "call.acknowledged.v1": call.CallAcknowledged,
    "call.reported-in.v1": call.DepartmentReportedIn,
    "call.reporter-contacted.v1": call.ReporterContacted,
    "call.noted.v1": call.CallNoted,
    "call.proof-attached.v1": call.ProofAttached,
    "call.result-filed.v1": call.CallResultFiled,
    "call.clock-missed.v1": call.CallClockMissed,
    "call.due-extended.v1": call.CallDueExtended,
    "call.escalated.v1": call.CallEscalated,
    "call.completed.v1": call.CallCompleted,
    "call.released.v1": call.CallReleased,
    "call.alerted.v1": call.CallAlerted,
    "call.delivered.v1": call.CallDelivered,
    "call.delivery-failed.v1": call.CallDeliveryFailed,
    "outcome.drafted.v1": outcome.OutcomeDrafted,
    "outcome.published.v1": outcome.OutcomePublished,
    "outcome.withheld.v1": outcome.OutcomeWithheld,
    "user.added.v1": user.UserAdded,
    "user.disabled.v1": user.UserDisabled,
    "person.registered.v1": person.PersonRegistered,
    "person.moved.v1": person.PersonMoved,
    "person.party-relation-transferred.v1": person.PartyRelationTransferred,
    "person.secondment-requested.v1": person.SecondmentRequested,
    "person.secondment-consented.v1": person.SecondmentConsented,
    "person.secondment-approved.v1": person.SecondmentApproved,
    "person.secondment-refused.v1": person.SecondmentRefused,
    "person.secondment-started.v1": person.SecondmentStarted,
    "person.secondment-overdue.v1": person.SecondmentOverdue,
    "person.overdue-told.v1": person.OverdueTold,
    "person.secondment-ended.v1": person.SecondmentEnded,
    "roster.joined.v1": roster.RosterJoined,
    "roster.left.v1": roster.RosterLeft,
    "roster.member-lent.v1": roster.MemberLent,
    "roster.member-returned.v1": roster.MemberReturned,
    "roster.post-filled.v1": roster.PostFilled,
    "roster.post-vacated.v1": roster.PostVacated,
    "roster.party-org-formed.v1": roster.PartyOrgFormed,
    "roster.party-org-dissolved.v1": roster.PartyOrgDissolved,
    "roster.party-secretary-named.v1": roster.PartySecretaryNamed,
    "roster.shift-set.v1": roster.ShiftSet,
    "roster.shift-passed.v1": roster.ShiftPassed,
    "roster.shift-removed.v1": roster.ShiftRemoved,
    "roster.leave-granted.v1": roster.LeaveGranted,
    "roster.leave-begun.v1": roster.LeaveBegun,
    "roster.leave-ended.v1": roster.LeaveEnded,
    "roster.people-taken.v1": roster.PeopleTaken,
    "roster.people-freed.v1": roster.PeopleFreed,
    "roster.person-deployed.v1": roster.PersonDeployed,
    "roster.person-released.v1": roster.PersonReleased,
    "roster.cover-checked.v1": roster.CoverChecked,
    "mobilisation.ordered.v1": mobilisation.MobilisationOrdered,
    "mobilisation.responders-called.v1": mobilisation.RespondersCalled,
    "mobilisation.responders-confirmed.v1": mobilisation.RespondersConfirmed,
    "mobilisation.responder-declined.v1": mobilisation.ResponderDeclined,
    "mobilisation.responder-dropped.v1": mobilisation.ResponderDropped,
    "mobilisation.department-recused.v1": mobilisation.RespondersRecused,
    "mobilisation.mustered.v1": mobilisation.RespondersMustered,
    "mobilisation.reached.v1": mobilisation.MusterReached,
    "mobilisation.short.v1": mobilisation.MusterShort,
    "mobilisation.stood-down.v1": mobilisation.StoodDown,
    "mobilisation.reviewed.v1": mobilisation.MobilisationReviewed,
    "mobilisation.review-extended.v1": mobilisation.MobilisationReviewExtended,
    "mobilisation.review-missed.v1": mobilisation.MobilisationReviewMissed,
    "approval.round-opened.v1": approval.ApprovalRoundOpened,
    "approval.opinion-filed.v1": approval.OpinionFiled,
    "approval.material-requested.v1": approval.MaterialRequested,
    "approval.material-supplied.v1": approval.MaterialSupplied,
    "approval.opinion-missed.v1": approval.OpinionMissed,
    "approval.round-closed.v1": approval.ApprovalRoundClosed,
    "approval.decided.v1": approval.ApprovalDecided,
    "approval.milestone-reached.v1": approval.MilestoneReached,
}

REQUESTS: tuple[type[Request], ...] = (
    report.SubmitReport,
    report.LinkReportToCase,
    report.RefuseReport,
    report.AttachFile,
    report.EraseReport,
    case.OpenCase,
    case.LinkReport,
    case.JoinReport,
    case.ClassifyCase,
    case.RecuseDepartment,
    case.IssueCalls,
    case.HandleInVillage,
    case.ResolveInVillage,
    case.EscalateCase,
    case.CallDistrict,
    case.GrantLaunchWaiver,
    case.HandDown,
    case.ConsentToHandDown,
    case.EngageCase,
    case.SubmitResult,
    case.ApproveResult,
    case.SendBackResult,
    case.ExplainCase,
    case.FollowUp,
    case.CloseCase,
    case.ReopenCase,
    case.RecountCaseDues,
    case.ExtendPromise,
    call.CallDepartments,
    call.ReleaseCall,
    call.AcknowledgeCall,
    call.ReportIn,
    call.ContactReporter,
    call.NoteProgress,
    call.AttachProof,
    call.FileResult,
    call.MissClock,
    call.RecountDues,
    call.AlertDepartment,
    call.NoteDelivery,
    call.NoteDeliveryFailure,
    call.MissDelivery,
    outcome.DraftOutcome,
    outcome.PublishOutcome,
    outcome.WithholdOutcome,
    district.ConfigureDistrict,
    launch.PublishLaunchList,
    user.AddUser,
    user.DisableUser,
    person.RegisterPerson,
    person.MovePerson,
    person.TransferPartyRelation,
    person.RequestSecondment,
    person.ConsentToSecondment,
    person.ApproveSecondment,
    person.RefuseSecondment,
    person.StartSecondment,
    person.MissReturn,
    person.NoteOverdueTold,
    person.EndSecondment,
    roster.JoinRoster,
    roster.LeaveRoster,
    roster.FillPost,
    roster.VacatePost,
    roster.FormPartyOrg,
    roster.DissolvePartyOrg,
    roster.NamePartySecretary,
    roster.SetShift,
    roster.PassShift,
    roster.RemoveShift,
    roster.GrantLeave,
    roster.BeginLeave,
    roster.EndLeave,
    roster.DeployPerson,
    roster.ReleasePerson,
    roster.CheckCover,
    mobilisation.OrderMobilisation,
    mobilisation.ConfirmResponders,
    mobilisation.DeclineResponder,
    mobilisation.RecuseResponders,
    mobilisation.Muster,
    mobilisation.MissMuster,
    mobilisation.DropResponder,
    mobilisation.StandDown,
    mobilisation.ReviewMobilisation,
    mobilisation.RecountMobilisationReview,
    mobilisation.MissMobilisationReview,
    approval.OpenApproval,
    approval.FileOpinion,
    approval.RequestMaterial,
    approval.SupplyMaterial,
    approval.OpenNextRound,
    approval.MissOpinions,
    approval.DecideApproval,
    approval.ReachMilestone,
)

Upcast = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTS: Mapping[str, tuple[str, Upcast]] = {}
"""Old wire name -> (the name it is read as, how its fields change). Chains are followed to the end.

Empty until a released fact has to change its meaning; a golden file of the old form stays in the tests.
"""


class UnknownFact(Exception):
    """The log holds a wire name that this program does not know: it is older than the log. Upgrade it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"expected a fact of the catalog, found {name!r}: this program is older than the log")


class Catalog:
    """Encodes and decodes facts and requests; all decoders are built once.

    Tests build their own with other upcasts; everybody else uses `CATALOG`.
    """

    def __init__(
        self,
        facts: Mapping[str, type[Fact]] = FACTS,
        requests: tuple[type[Request], ...] = REQUESTS,
        upcasts: Mapping[str, tuple[str, Upcast]] = UPCASTS,
    ) -> None:
        self._names = {struct: name for name, struct in facts.items()}
        self._encoder = msgpack.Encoder()
        self._decoders = {name: msgpack.Decoder(tuple[Meta, struct]) for name, struct in facts.items()}  # type: ignore[valid-type]  # the type is made at run time
        self._json_decoders = {name: msgspec.json.Decoder(struct) for name, struct in facts.items()}
        self._raw = msgpack.Decoder(tuple[msgspec.Raw, dict[str, Any]])
        self._structs = dict(facts)
        self._upcasts = dict(upcasts)
        self._requests = msgpack.Decoder(union_of(requests))

    def name(self, fact: Fact) -> str:
        """The wire name of a fact."""
        return self._names[type(fact)]

    def encode(self, meta: Meta, fact: Fact) -> bytes:
        """The bytes that are stored: msgpack of ``[meta, fact]``, both as maps without default values."""
        return self._encoder.encode((meta, fact))

    def decode(self, name: str, state: bytes) -> tuple[str, Meta, Fact]:
        """The current name, origin and fact of stored bytes, upcast from older versions.

        Raises:
            UnknownFact: for a name that is neither in the catalog nor upcast to one.
            msgspec.MsgspecError: for bytes that are not what the name promises.
        """
        decoder = self._decoders.get(name)
        if decoder is not None:
            meta, fact = decoder.decode(state)
            return name, meta, fact
        return self._decode_old(name, state)

    def _decode_old(self, name: str, state: bytes) -> tuple[str, Meta, Fact]:
        raw_meta, fields = self._raw.decode(state)
        name, fact = self._upcast(name, fields)
        return name, msgpack.decode(raw_meta, type=Meta), fact

    def _upcast(self, name: str, fields: dict[str, Any]) -> tuple[str, Fact]:
        while name in self._upcasts:
            name, upcast = self._upcasts[name]
            fields = upcast(fields)
        if name not in self._structs:
            raise UnknownFact(name)
        return name, msgspec.convert(fields, self._structs[name])

    def encode_json(self, fact: Fact) -> bytes:
        """A fact as others read it: JSON, without default values and without its origin."""
        return msgspec.json.encode(fact)

    def decode_json(self, name: str, data: bytes) -> tuple[str, Fact]:
        """The current name and the fact of `encode_json`, upcast from older versions.

        Raises:
            UnknownFact: for a name that is neither in the catalog nor upcast to one.
            msgspec.MsgspecError: for JSON that is not what the name promises.
        """
        decoder = self._json_decoders.get(name)
        if decoder is not None:
            return name, decoder.decode(data)
        if name not in self._upcasts:
            raise UnknownFact(name)
        return self._upcast(name, msgspec.json.decode(data, type=dict[str, Any]))

    def encode_request(self, request: Request) -> bytes:
        """A request as timers and the inbox's hash know it: tagged msgpack."""
        return self._encoder.encode(request)

    def decode_request(self, data: bytes) -> Request:
        """The request of `encode_request`.

        Raises:
            msgspec.MsgspecError: naming the field, what was expected and what was found.
        """
        request: Request = self._requests.decode(data)
        return request


def union_of(requests: tuple[type[Request], ...]) -> Any:
    """The union of request structs, told apart by their ``request`` tag."""
    union: Any = requests[0]
    for request in requests[1:]:
        union = union | request
    return union


CATALOG = Catalog()
