"""Properties that outsiders put on messages of RabbitMQ: whatever stands in them, the link over which we hear lives on.

The broker passes on what the library underneath cannot read, such as text that is no UTF-8. The library ends the link
over it, and the broker sends the same message again, for ever: one sender could silence the door of all. Mended here
by hooks into the library's own reading: such a message arrives like any other, and says that it cannot be read.
"""

from pamqp.commands import Basic
from pamqp.header import ContentHeader

UNREADABLE = "hujiao-unreadable"
"""In the headers of a message whose properties cannot be read: why not."""

_SHOWN = 200


def read_all() -> None:
    """From now on this process reads every message. Once more changes nothing."""
    ContentHeader.unmarshal = _read_properties  # type: ignore[method-assign]  # there is no other hook
    Basic.Deliver.unmarshal = _read_delivery  # type: ignore[method-assign,assignment]  # the same


_library_reads = ContentHeader.unmarshal
_library_reads_delivery = Basic.Deliver.unmarshal


def _read_properties(self: ContentHeader, data: bytes) -> None:
    try:
        _library_reads(self, data)
    except Exception as error:  # noqa: BLE001  # outsiders choose the bytes, and with them the error
        # class, weight and size of the body were read first: the frames that follow are understood
        self.properties = Basic.Properties(headers={UNREADABLE: str(error)[:_SHOWN]})


def _read_delivery(self: Basic.Deliver, data: bytes) -> None:
    try:
        _library_reads_delivery(self, data)
    except UnicodeDecodeError:
        self.routing_key = ""  # the last field, the sender's own choice; everything before it was read
