"""用户、人员: which requests about users and people are decided."""

from events.person import (
    ApproveSecondment,
    ConsentToSecondment,
    EndSecondment,
    MissReturn,
    MovePerson,
    RefuseSecondment,
    RegisterPerson,
    RequestSecondment,
    StartSecondment,
    TransferPartyRelation,
)
from events.user import AddUser, DisableUser
from services.decisions import Service, Stream, on_one_stream
from services.people import person, user

_ABOUT_PEOPLE = (
    RegisterPerson,
    MovePerson,
    TransferPartyRelation,
    RequestSecondment,
    ConsentToSecondment,
    ApproveSecondment,
    RefuseSecondment,
    StartSecondment,
    MissReturn,
    EndSecondment,
)

SERVICE = Service(
    name="people",
    streams={"user": Stream(user.evolve), "person": Stream(person.evolve, person.timers)},
    handlers={
        **{request: on_one_stream("user", user.decide) for request in (AddUser, DisableUser)},
        **{request: on_one_stream("person", person.decide) for request in _ABOUT_PEOPLE},
    },
)
