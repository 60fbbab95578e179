"""The district stream: which configuration is in force. Loading changed content is itself a fact."""

from datetime import datetime

from events.district import ConfigureDistrict, DistrictConfigured
from events.envelope import Fact
from events.ids import PREFIX, child_id
from services.decisions import Service, Stream, on_one_stream
from services.rules.book import RuleBook

STREAM = child_id("district", "0" * PREFIX)


def evolve(state: str | None, fact: DistrictConfigured) -> str:
    """The hash of the configuration in force."""
    return fact.hash


def decide(state: str | None, request: ConfigureDistrict, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """Put changed content into force; the same content again is a repeat."""
    return () if state == request.hash else (DistrictConfigured(hash=request.hash, district=request.district),)


SERVICE = Service(
    name="configuration",
    streams={"district": Stream(evolve)},
    handlers={ConfigureDistrict: on_one_stream("stream", decide)},
)
