"""Every scene that is played: small alphabets of requests, each about one part of the work.

Requests are those of the sample district; their moments are those at which the timers before them fire.
"""

from tests.machines.explore import Scene
from tests.machines.scenes_of_approvals import APPROVALS, JOINED
from tests.machines.scenes_of_cases import ALERTS, CASES, CLOCKS, LEGS, LEVELS, OUTCOMES, RECUSALS, REPORTS
from tests.machines.scenes_of_people import LEAVES, PEOPLE, TURN_OUTS, USERS

SCENES: tuple[Scene, ...] = (
    REPORTS,
    JOINED,
    CASES,
    LEVELS,
    RECUSALS,
    LEGS,
    CLOCKS,
    ALERTS,
    OUTCOMES,
    APPROVALS,
    TURN_OUTS,
    LEAVES,
    PEOPLE,
    USERS,
)
