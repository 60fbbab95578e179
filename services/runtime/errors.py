"""Errors by what the caller should do about them; a decision's own `Rejected` stands with the decisions."""


class HujiaoError(Exception):
    """Something that the person at the keyboard can understand and act on."""


class Conflict(HujiaoError):
    """The same source id came before with other content. Never retry: send it under an id of its own."""


class Erased(HujiaoError):
    """The key of these words is destroyed; nobody can read or write under it again."""


class Busy(HujiaoError):
    """Another process serves this data directory. Ask that one, or stop it first."""


class Ended(HujiaoError):
    """Something that should go on for ever ended by itself. Whoever supervises the process starts it anew."""


class Damaged(HujiaoError):
    """The log is not what its seals say. Stop, keep the files, and restore a backup."""
