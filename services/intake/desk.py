"""The intake desk: turns a checked report line into a request, with receipt, pseudonyms and suggested matters.

What needs the resident's words or a key is done here, while they are in hand; nobody opens them again later.
"""

import hmac
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from events.edge import Attachment, ReportLine
from events.ids import stream_id
from events.report import MAX_ATTACHMENT_BYTES, AttachmentNote, ReportWords, SubmitReport, Suggestion
from services.intake.line import BadLine, check_line
from services.intake.matching import Matcher
from services.intake.receipt import make_receipt
from services.rules.book import RuleBook
from services.rules.calendar import SHANGHAI
from services.runtime.batch import Submission
from services.runtime.vault import Vault

PSEUDONYM_DIGITS = 20
LOOKS_BACK = timedelta(days=2)
"""Longer than the window in which the same story is recognised."""


class Desk:
    """Prepares reports for the ledger."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._matchers: dict[str, Matcher] = {}
        self._oldest_month = ""

    def submission(
        self,
        line: ReportLine,
        source: str,
        rules: RuleBook,
        received_at: datetime,
        folder: Path | None = None,
        trace: str = "",
    ) -> Submission:
        """The request for a report line that ``source`` sent. ``folder`` is where its attachments' paths start.

        ``trace`` is the W3C ``traceparent`` under which it came.

        Raises:
            BadLine: for a line that cannot be taken as it is.
        """
        check_line(line, rules, received_at)
        town = rules.villages[line.village].town if line.village else rules.town_by_name[line.town or ""].code
        report = stream_id("report", line.time, source, line.id)
        contents = [(attachment, _content(attachment, folder)) for attachment in line.attachments]
        title, text = line.title, line.text
        request = SubmitReport(
            report=report,
            source=source,
            record=line.id,
            receipt=make_receipt(self._vault.receipt_key(source), rules.towns[town].alias, source, line.id),
            channel=line.channel,
            town=town,
            village=line.village or "",
            reported_at=line.time,
            words=ReportWords(
                title=title,
                text=text,
                place=line.place or "",
                reporter=self._keyed(source, line.reporter) if line.reporter and not line.anonymous else "",
                point=line.point,
                contact=None if line.anonymous else line.contact,
                attachments=tuple(AttachmentNote(a.name, a.media_type, a.sha256, len(c)) for a, c in contents),
            ),
            reporters=self.pseudonyms(source, line.reporter, line.time) if line.reporter and not line.anonymous else (),
            anonymous=line.anonymous,
            appeal=line.appeal,
            matter=line.matter or "",
            suggestions=() if line.matter else self.suggestions(title, text, rules),
            complained_of=tuple(dict.fromkeys(line.complained_of)),
            attachments=len(line.attachments),
        )
        kept = tuple(content for _, content in contents)
        return Submission(f"{source}/{line.id}", request, actor=source, attachments=kept, trace=trace)

    def forget_reporters(self, recorded_at: datetime) -> None:
        """Destroy the pseudonyms' keys of months before the last, seen from the newest committed fact.

        Nobody can say any more who reported what in them. Only what is committed counts: a crash must find the
        keys that it needs to decide again.
        """
        oldest = f"{_months(recorded_at)[1]:%Y-%m}"
        if oldest > self._oldest_month:
            self._vault.destroy_pseudonyms_before(oldest)
            self._oldest_month = oldest

    def suggestions(self, title: str, text: str, rules: RuleBook) -> tuple[Suggestion, ...]:
        """Which matters the words speak for, as `Matcher.suggest` finds them."""
        return self._matcher(rules).suggest(title, text)

    def _matcher(self, rules: RuleBook) -> Matcher:
        matcher = self._matchers.get(rules.hash)
        if matcher is None:
            catalogue = {matter.code: (matter.strong, matter.words) for matter in rules.matters.values()}
            matcher = self._matchers[rules.hash] = Matcher(catalogue)
        return matcher

    def _keyed(self, source: str, reporter: str) -> str:
        return hmac.digest(self._vault.receipt_key(source), f"reporter/{reporter}".encode(), "sha256").hex()

    def pseudonyms(
        self, source: str, reporter: str, at: datetime, looks_back: timedelta = LOOKS_BACK
    ) -> tuple[str, ...]:
        """The reporter's streams in the month of ``at`` and, while somebody looks back into it, the month before.

        Months whose key is destroyed have none: nobody can say any more who reported what in them.
        """
        first, last_month = _months(at)
        months = [first] if at - first > looks_back else [first, last_month]
        pseudonyms = []
        for month in months:
            key = self._vault.pseudonym_key(f"{month:%Y-%m}")
            if key is not None:
                digest = hmac.digest(key, f"{source}/{reporter}".encode(), "sha256").hex()
                pseudonyms.append(stream_id("reporter", month)[:12] + digest[:PSEUDONYM_DIGITS])
        return tuple(pseudonyms)


def _content(attachment: Attachment, folder: Path | None) -> bytes:
    """The bytes of an attachment, checked."""
    content = attachment.data or _read(attachment, folder)
    found = sha256(content).hexdigest()
    if found != attachment.sha256:
        raise BadLine(f"attachments: expected {attachment.name} with SHA-256 {attachment.sha256}, found {found}")
    if len(content) > MAX_ATTACHMENT_BYTES:
        raise BadLine(
            f"attachments: expected at most {MAX_ATTACHMENT_BYTES} bytes for {attachment.name}, found {len(content)}"
        )
    return content


def _months(at: datetime) -> tuple[datetime, datetime]:
    """The beginning of the local month of ``at``, and of the month before."""
    first = at.astimezone(SHANGHAI).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first, (first - timedelta(days=1)).replace(day=1)


def _read(attachment: Attachment, folder: Path | None) -> bytes:
    if folder is None or not attachment.path:
        raise BadLine(f"attachments: expected the bytes of {attachment.name} in data, found none")
    try:
        path = (folder / attachment.path).resolve()
        if path.is_relative_to(folder.resolve()):
            return path.read_bytes()
    except (OSError, ValueError) as error:
        raise BadLine(f"attachments: expected a readable file, found {attachment.path!r}: {error}") from error
    raise BadLine(f"attachments: expected a path inside the folder of the lines, found {attachment.path!r}")
