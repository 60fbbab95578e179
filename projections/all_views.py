"""The list of all views: a new one is a file beside this and a line here."""

from projections.approvals import APPROVAL_ROUNDS, APPROVALS, MILESTONES
from projections.board import BOARD
from projections.calls import CALLS
from projections.cases import CASES
from projections.files import FILES
from projections.launch_attempts import LAUNCH_ATTEMPTS
from projections.legs import LEGS
from projections.mobilisations import MOBILISATIONS, RESPONDERS
from projections.notices import NOTICES
from projections.party import PARTY_ORGS
from projections.people import PEOPLE
from projections.recusals import RECUSALS
from projections.reports import REPORTS
from projections.roster import GAPS, ROSTER, SHIFTS
from projections.secondments import SECONDMENTS
from projections.timeline import TIMELINE
from projections.triage import TRIAGE
from projections.view import View
from projections.workload import WORKLOAD

VIEWS: tuple[View, ...] = (
    REPORTS,
    CASES,
    TIMELINE,
    CALLS,
    LEGS,
    FILES,
    BOARD,
    TRIAGE,
    WORKLOAD,
    NOTICES,
    PEOPLE,
    SECONDMENTS,
    PARTY_ORGS,
    ROSTER,
    SHIFTS,
    GAPS,
    MOBILISATIONS,
    RESPONDERS,
    RECUSALS,
    LAUNCH_ATTEMPTS,
    APPROVALS,
    APPROVAL_ROUNDS,
    MILESTONES,
)
