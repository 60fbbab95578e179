"""用户: which requests about users are decided."""

from events.user import AddUser, DisableUser
from services.decisions import Service, Stream, on_one_stream
from services.people import user

SERVICE = Service(
    name="people",
    streams={"user": Stream(user.evolve)},
    handlers={AddUser: on_one_stream("user", user.decide), DisableUser: on_one_stream("user", user.decide)},
)
