"""Files over HTTP: who may send and read which, what is refused, and that nothing is left of an erased one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from litestar.testing import TestClient
from msgspec import structs

from events.call import ProofAttached
from events.file import MAX_FILE_BYTES, MAX_FILES
from events.report import EraseReport, FileAttached
from services.runtime.batch import Submission
from services.runtime.clock import SystemClock
from services.web.app import create_app
from services.web.window import Window
from services.wiring import House
from tests.flow.township import stored
from tests.system.gated import DISTRICT, OTHER_VILLAGE, ROADS, VIOLENCE, Gated, gated
from tests.unit.files import GPS_IFD, MP3, PDF, SOUNDS_AND_PAPERS, TAKEN_BY, exif_of, photo, picture
from tests.unit.test_attachments import HTML, REFUSED, png_of

LEAD, ASSISTING = ROADS.lead, ROADS.required[0]
ELSEWHERE = {"town": OTHER_VILLAGE.town, "village": OTHER_VILLAGE.code}

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with gated(tmp_path_factory.mktemp("files")) as served:
        yield served


@pytest.fixture(scope="module")
def officer(served: Gated) -> str:
    return served.user("department_officer", department=LEAD)


def attach(served: Gated, receipt: str, content: bytes, kind: str = "image/jpeg") -> Response:
    """What a resident's page sends."""
    headers = {"content-type": kind}
    answer = served.client.post(f"/api/receipts/{receipt}/files", content=content, headers=headers)
    served.settled()
    return answer


def prove(served: Gated, user: str, known: dict[str, str], content: bytes) -> Response:
    """What an officer's page sends."""
    headers = served.as_user(user) | {"content-type": "application/octet-stream"}
    path = f"/api/calls/{known['call']}/proof"
    answer = served.client.post(path, params={"department": known["department"]}, content=content, headers=headers)
    served.settled()
    return answer


def read(served: Gated, user: str, case: str, file: str) -> Response:
    return served.get(user, f"/api/files/{file}", case=case)


def facts_of(served: Gated, stream: str, kind: type) -> list[Any]:
    return [recorded.fact for recorded in served.house.log.stream(stream) if isinstance(recorded.fact, kind)]


def report_of(served: Gated, receipt: str) -> str:
    return str(served.window.receipts.report_with(receipt)["report"])


def boxes(served: Gated, stream: str) -> int:
    """How many files the vault holds of a stream."""
    return int(stored(served.house.vault, "SELECT count(*) FROM attachments WHERE stream=?", stream)[0][0])


def taken_up(served: Gated, officer: str, **fields: Any) -> tuple[str, dict[str, str]]:
    """A case whose lead has acknowledged, and the lead's part of its call."""
    case, _ = served.report(**fields)
    known = {"call": served.call(case, LEAD), "department": LEAD}
    assert served.act(officer, "call.acknowledge.v1", **known).status_code == 200
    return case, known


# A resident's files


def test_a_residents_photo_is_taken_and_opens_to_the_lead_without_where_it_was_taken(
    served: Gated, officer: str
) -> None:
    case, receipt = served.report()
    sent = photo()
    assert exif_of(sent).get_ifd(GPS_IFD)

    taken = attach(served, receipt, sent)

    assert taken.status_code == 201, taken.text
    told = taken.json()
    opened = read(served, officer, case, told["file"])
    assert (opened.status_code, opened.headers["content-type"]) == (200, "image/jpeg")
    assert told == {"file": told["file"], "media_type": "image/jpeg", "bytes": len(opened.content), "repeated": False}
    assert dict(exif_of(opened.content)) == {}
    assert TAKEN_BY.encode() not in opened.content


@pytest.mark.parametrize(("kind", "content"), SOUNDS_AND_PAPERS.items())
def test_sounds_and_documents_are_taken_for_what_they_are_whatever_they_are_called(
    served: Gated, officer: str, kind: str, content: bytes
) -> None:
    case, receipt = served.report()

    taken = attach(served, receipt, content, "text/html").json()
    opened = read(served, officer, case, taken["file"])

    assert (taken["media_type"], taken["bytes"]) == (kind, len(content))
    assert (opened.content, opened.headers["content-type"].partition(";")[0]) == (content, kind)
    assert opened.headers["content-disposition"].startswith("attachment")


def test_the_log_holds_neither_a_name_nor_bytes_and_the_files_hold_no_bytes_in_clear(
    served: Gated, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _, receipt = served.report()
    content = PDF + b"marker-of-a-document %%EOF"

    told = attach(served, receipt, content).json()

    fact = facts_of(served, report_of(served, receipt), FileAttached)[0]
    assert structs.asdict(fact) == {
        "case": served.window.receipts.report_with(receipt)["case"],
        "file": told["file"],
        "media_type": "application/pdf",
        "size": len(content),
    }
    assert not [file for file in served.house.folder.iterdir() if b"marker-of-a-document" in file.read_bytes()]


def test_the_same_file_again_is_the_same_file_and_the_same_photo_elsewhere_is_another(served: Gated) -> None:
    (_, receipt), (_, other) = served.report(), served.report()
    sent = photo()

    first, again, elsewhere = (attach(served, to, sent).json() for to in (receipt, receipt, other))

    assert again == {**first, "repeated": True}
    assert elsewhere["file"] != first["file"], "nobody can tell from the log that two have the same photo"
    report = report_of(served, receipt)
    assert (len(facts_of(served, report, FileAttached)), boxes(served, report)) == (1, 1)


def test_the_same_file_sent_many_times_at_once_is_one_file(served: Gated) -> None:
    _, receipt = served.report()

    with ThreadPoolExecutor(6) as senders:
        answers = list(senders.map(lambda _: attach(served, receipt, MP3), range(6)))

    assert [answer.status_code for answer in answers] == [201] * 6
    assert sorted(answer.json()["repeated"] for answer in answers) == [False] + [True] * 5
    assert boxes(served, report_of(served, receipt)) == 1


def test_a_report_has_so_many_files_and_no_more(served: Gated) -> None:
    _, receipt = served.report()
    files = [PDF + b"%d %%%%EOF" % n for n in range(MAX_FILES + 1)]

    answers = [attach(served, receipt, content) for content in files]

    assert [answer.status_code for answer in answers] == [201] * MAX_FILES + [422]
    assert f"at most {MAX_FILES} of one report, found {MAX_FILES} already" in answers[-1].json()["detail"]
    assert attach(served, receipt, files[0]).json()["repeated"] is True
    assert boxes(served, report_of(served, receipt)) == MAX_FILES, "nothing is kept of what was refused"


def test_the_views_count_files_and_the_timeline_tells_of_them(served: Gated, officer: str) -> None:
    case, receipt = served.report()
    taken = attach(served, receipt, photo()).json()

    found = served.get(officer, f"/api/cases/{case}").json()

    assert [(row["attachments"], row["files"]) for row in found["reports"]] == [(0, 1)]
    listed = [(row["file"], row["media_type"], row["size"], row["report"]) for row in found["files"]]
    assert listed == [(taken["file"], "image/jpeg", taken["bytes"], report_of(served, receipt))]
    told = [(row["what"], row["detail"]) for row in found["timeline"]]
    assert ("report.file-attached.v1", "image/jpeg") in told
    position = found["timeline"][-1]["position"]
    assert served.get(officer, f"/api/cases/{case}", position=position).json()["files"] == found["files"]


# What is refused


def nothing_kept(served: Gated, receipt: str) -> bool:
    report = report_of(served, receipt)
    return facts_of(served, report, FileAttached) == [] and boxes(served, report) == 0


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED)
def test_what_is_disguised_is_refused_whatever_it_calls_itself(served: Gated, content: bytes) -> None:
    _, receipt = served.report()

    answers = [attach(served, receipt, content, kind) for kind in ("image/jpeg", "application/pdf")]

    assert [answer.status_code for answer in answers] == [415, 415]
    assert "expected a JPEG, PNG or WebP image" in answers[0].json()["detail"]
    assert nothing_kept(served, receipt)


def test_a_photo_with_a_page_behind_it_is_taken_without_the_page(served: Gated, officer: str) -> None:
    case, receipt = served.report()

    taken = attach(served, receipt, picture() + HTML).json()

    assert HTML not in read(served, officer, case, taken["file"]).content


@pytest.mark.parametrize("told", [True, False], ids=["with its length", "in pieces"])
def test_a_file_that_is_too_large_is_refused(served: Gated, told: bool) -> None:
    _, receipt = served.report()
    large = PDF.ljust(MAX_FILE_BYTES + 1)
    pieces: Any = large if told else (large[at : at + 65_536] for at in range(0, len(large), 65_536))

    answer = attach(served, receipt, pieces)

    assert answer.status_code == 413
    assert f"expected at most {MAX_FILE_BYTES} bytes, found" in answer.json()["detail"]
    assert nothing_kept(served, receipt)


def test_the_largest_file_is_taken_whole(served: Gated, officer: str) -> None:
    case, receipt = served.report()
    largest = PDF.ljust(MAX_FILE_BYTES - 6, b" ") + b"%%EOF\n"

    taken = attach(served, receipt, largest).json()

    assert taken["bytes"] == MAX_FILE_BYTES
    assert read(served, officer, case, taken["file"]).content == largest


def test_an_image_of_too_many_pixels_is_refused(served: Gated) -> None:
    _, receipt = served.report()

    answer = attach(served, receipt, png_of(20_000, 20_000))

    assert (answer.status_code, "pixels" in answer.json()["detail"]) == (413, True)


def test_a_broken_photo_is_refused(served: Gated) -> None:
    _, receipt = served.report()

    answer = attach(served, receipt, photo(size=(300, 300))[:1500])

    assert (answer.status_code, "can be decoded" in answer.json()["detail"]) == (422, True)
    assert nothing_kept(served, receipt)


@pytest.mark.parametrize("receipt", ["LD23456789ABC", "x" * 500, "..%2f..", "%00"])
def test_without_a_receipt_of_ours_nothing_is_taken(served: Gated, receipt: str) -> None:
    answer = attach(served, receipt, photo())

    assert answer.status_code in (400, 404), answer.text


def test_after_the_case_is_closed_nothing_is_taken(served: Gated) -> None:
    case, receipt = served.report(matter=None, title="一件事", text="说不清的事。")
    clerk = served.user("intake_clerk")
    refusal = {"ground": "not_genuine", "advice": "不属实。"}
    assert served.act(clerk, "report.refuse.v1", case=case, **refusal).status_code == 200
    assert served.phase(case) == "closed"

    answer = attach(served, receipt, photo())

    assert answer.status_code == 422
    assert "expected one that is open, found it closed" in answer.json()["detail"]
    assert nothing_kept(served, receipt)


def test_who_tries_out_receipts_with_files_is_stopped(served: Gated) -> None:
    _, receipt = served.report()
    app = create_app(Window(served.house, served.window.front, lambda: True, demo=False), lookups_a_minute=3)

    with TestClient(app) as client:
        path = f"/api/receipts/{receipt}/files"
        found = [client.post(path, content=b"x").status_code for _ in range(5)]

    assert found == [415] * 3 + [429] * 2


# A department's proof


def test_a_departments_proof_is_taken_and_its_own_part_counts_it(served: Gated, officer: str) -> None:
    case, known = taken_up(served, officer)

    first, again = prove(served, officer, known, photo()), prove(served, officer, known, photo())

    assert (first.status_code, again.status_code) == (201, 201), first.text
    assert again.json() == {**first.json(), "repeated": True}
    fact = facts_of(served, known["call"], ProofAttached)[0]
    assert (fact.department, fact.by, fact.case) == (LEAD, served.person(officer), case)
    assert boxes(served, case) == 1
    found = served.get(officer, f"/api/cases/{case}").json()
    assert {leg["department"]: leg["proofs"] for leg in found["legs"] if leg["call"] == known["call"]}[LEAD] == 1
    assert [(row["department"], row["file"]) for row in found["files"]] == [(LEAD, first.json()["file"])]
    assert "call.proof-attached.v1" in {row["what"] for row in found["timeline"]}
    opened = read(served, officer, case, first.json()["file"])
    assert dict(exif_of(opened.content)) == {}


def test_another_department_and_every_other_role_may_attach_no_proof(served: Gated, officer: str) -> None:
    _, known = taken_up(served, officer)
    others = {
        "another department": served.user("department_officer", department=ASSISTING),
        "another town": served.user("department_officer", department=LEAD, **ELSEWHERE),
        "an analyst": served.user("analyst"),
        "a reviewer": served.user("reviewer"),
        "the command centre": served.user("command_centre"),
    }

    answers = {who: prove(served, name, known, photo()).status_code for who, name in others.items()}

    assert answers == dict.fromkeys(others, 403)
    assert prove(served, "", known, photo()).status_code == 401
    assert facts_of(served, known["call"], ProofAttached) == []


def test_who_may_not_attach_is_told_before_the_file_is_looked_at(served: Gated, officer: str) -> None:
    _, known = taken_up(served, officer)

    assert prove(served, served.user("analyst"), known, HTML).status_code == 403
    assert prove(served, officer, known, HTML).status_code == 415
    assert prove(served, officer, {**known, "call": "0" * 32}, photo()).status_code == 400
    assert prove(served, officer, {**known, "call": "..%2f.."}, photo()).status_code in (400, 404)
    assert prove(served, officer, {**known, "department": ""}, photo()).status_code == 403


def test_a_proof_wants_an_acknowledged_part_that_is_open(served: Gated, officer: str) -> None:
    case, _ = served.report()
    known = {"call": served.call(case, LEAD), "department": LEAD}

    early = prove(served, officer, known, photo())

    assert (early.status_code, "acknowledge first" in early.json()["detail"]) == (422, True)
    assert boxes(served, case) == 0


def test_a_department_has_so_many_proofs_and_no_more(served: Gated, officer: str) -> None:
    _, known = taken_up(served, officer)

    answers = [prove(served, officer, known, PDF + b"%d %%%%EOF" % n) for n in range(MAX_FILES + 1)]

    assert [answer.status_code for answer in answers] == [201] * MAX_FILES + [422]
    assert f"at most {MAX_FILES} of one department" in answers[-1].json()["detail"]


def test_a_proof_without_bytes_is_none(served: Gated, officer: str) -> None:
    case, known = taken_up(served, officer)
    offered = served.get(officer, f"/api/cases/{case}").json()["acts"]

    answer = served.act(officer, "call.attach-proof.v1", **known, media_type="image/jpeg", size=5, file="ab" * 32)

    assert {"request": "call.attach-proof.v1", **known} in offered
    assert answer.status_code == 422
    assert "expected the bytes of one beside the request, found 0" in answer.json()["detail"]


# Reading


@pytest.fixture(scope="module")
def kept(served: Gated, officer: str) -> tuple[str, str, str]:
    """A case in review with a resident's photo and the lead's proof: its id and theirs."""
    case, receipt = served.report()
    attached = attach(served, receipt, photo()).json()["file"]
    officers = {LEAD: officer, ASSISTING: served.user("department_officer", department=ASSISTING)}
    known = {"call": served.call(case, LEAD), "department": LEAD}
    assert served.act(officer, "call.acknowledge.v1", **known).status_code == 200
    proof = prove(served, officer, known, PDF).json()["file"]
    served.to_review(case, officers)
    return case, attached, proof


def test_files_open_to_whoever_may_open_the_words_now_and_to_nobody_else(
    served: Gated, officer: str, kept: tuple[str, str, str]
) -> None:
    case, attached, proof = kept
    people = {
        "a reviewer": served.user("reviewer"),
        "the department that has filed": officer,
        "a reviewer of another town": served.user("reviewer", **ELSEWHERE),
        "another department": served.user("department_officer", department="D01"),
        "a follow-up clerk before the review": served.user("follow_up_clerk"),
        "an analyst": served.user("analyst"),
        "the district": served.user("district_command"),
        "an administrator": served.user("administrator"),
        "nobody": "",
    }

    answers = {
        who: [read(served, name, case, file).status_code for file in (attached, proof)] for who, name in people.items()
    }
    words = {who: served.words(name, case).status_code for who, name in people.items()}

    assert answers == {who: [status, status] for who, status in words.items()}
    assert (answers["a reviewer"], answers["an analyst"], answers["nobody"]) == ([200] * 2, [403] * 2, [401] * 2)
    assert answers["another department"] == [403, 403]


def test_each_opening_is_recorded_with_who_and_what_for(served: Gated, kept: tuple[str, str, str]) -> None:
    case, attached, _ = kept
    reviewer, keeper = served.user("reviewer", person="审核甲"), served.user("privacy_officer")

    def openings() -> list[dict[str, str]]:
        rows = served.get(keeper, "/api/openings", limit=1000).json()["rows"]
        return [row for row in rows if row["who"] == f"审核甲 ({reviewer})"]

    read(served, served.user("analyst"), case, attached)
    before = openings()
    assert read(served, reviewer, case, attached).status_code == 200

    assert before == []
    assert [row["purpose"] for row in openings()] == [f"file {attached[:12]} of case {case}"]


def test_browsers_are_told_to_run_nothing_of_a_file_and_to_keep_no_copy(
    served: Gated, kept: tuple[str, str, str]
) -> None:
    case, attached, proof = kept
    reviewer = served.user("reviewer")

    image, document = (read(served, reviewer, case, file).headers for file in (attached, proof))

    for headers in (image, document):
        assert headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
    assert image["content-disposition"].startswith("inline")
    assert document["content-disposition"].startswith("attachment")


STRANGE = [
    *("..%2f..%2fetc%2fpasswd", "%2e%2e", "ab%00cd", "%0a" + "0" * 64, "0" * 64 + "%0a", "é" * 64),
    *("a" * 5000, "A" * 64, "g" * 64, "0" * 63),
]


@pytest.mark.parametrize("file", STRANGE)
def test_a_file_that_is_no_id_is_refused(served: Gated, kept: tuple[str, str, str], file: str) -> None:
    answer = read(served, served.user("reviewer"), kept[0], file)

    assert answer.status_code in (400, 404), answer.text


@pytest.mark.parametrize("case", ["", "..", "x" * 5000, "\0", "' OR 1=1 --"])
def test_a_case_that_is_none_opens_no_file(served: Gated, kept: tuple[str, str, str], case: str) -> None:
    assert read(served, served.user("reviewer"), case, kept[1]).status_code == 403


def test_a_file_opens_only_with_its_own_case(served: Gated, officer: str, kept: tuple[str, str, str]) -> None:
    mine, _ = served.report()

    assert read(served, officer, mine, kept[1]).status_code == 404
    assert read(served, officer, mine, "0" * 64).status_code == 404


def test_a_confidential_matters_files_open_to_its_named_handler_alone(served: Gated) -> None:
    case, receipt = served.report(matter=VIOLENCE.code)
    file = attach(served, receipt, photo()).json()["file"]
    handler, colleague = (served.user("department_officer", department=VIOLENCE.lead) for _ in range(2))
    known = {"call": served.call(case, VIOLENCE.lead), "department": VIOLENCE.lead}
    assert served.act(handler, "call.acknowledge.v1", **known).status_code == 200

    answers = [read(served, name, case, file).status_code for name in (handler, colleague, served.user("reviewer"))]

    assert answers == [200, 422, 403]


# A matter that demands proof


@pytest.fixture(scope="module")
def demanding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    matters = tuple(
        structs.replace(matter, closing_proof=True) if matter.code == ROADS.code else matter
        for matter in DISTRICT.matters
    )
    with gated(tmp_path_factory.mktemp("demanding"), district=structs.replace(DISTRICT, matters=matters)) as served:
        yield served


def test_where_the_matter_demands_it_the_lead_cannot_report_it_solved_without_proof(demanding: Gated) -> None:
    officer = demanding.user("department_officer", department=LEAD)
    _, known = taken_up(demanding, officer)
    result = {"solved": "yes", "account": "已修好。", "reply": "路面已修复。"}
    assert demanding.act(officer, "call.report-in.v1", **known, people=20).status_code in (200, 422)

    without = demanding.act(officer, "call.file-result.v1", **known, **result)
    assert prove(demanding, officer, known, photo()).status_code == 201
    with_proof = demanding.act(officer, "call.file-result.v1", **known, **result)

    assert without.status_code == 422
    assert without.json()["detail"].startswith("proof: expected a file of the lead's")
    assert with_proof.status_code == 200, with_proof.text


# Erasure and restart


def test_after_an_erasure_no_file_of_the_person_can_be_read_and_none_is_left(served: Gated, officer: str) -> None:
    case, receipt = served.report()
    attached = attach(served, receipt, photo()).json()["file"]
    known = {"call": served.call(case, LEAD), "department": LEAD}
    served.act(officer, "call.acknowledge.v1", **known)
    proof = prove(served, officer, known, photo()).json()["file"]
    report = report_of(served, receipt)
    assert [read(served, officer, case, file).status_code for file in (attached, proof)] == [200, 200]
    assert (boxes(served, report), boxes(served, case)) == (1, 1)

    served.house.erase(report, by="privacy-officer", reason="request")
    served.settled()

    assert (boxes(served, report), boxes(served, case)) == (0, 0), "the only reporter's case goes too"
    answers = [read(served, officer, case, file) for file in (attached, proof)]
    assert [answer.status_code for answer in answers] == [410, 410], answers[0].text
    again = attach(served, receipt, photo(orientation=3))
    assert again.status_code == 422
    assert "erased" in again.json()["detail"]
    late = prove(served, officer, known, PDF)
    assert (late.status_code, "erased" in late.json()["detail"]) == (422, True)
    assert (boxes(served, report), boxes(served, case)) == (0, 0)


def test_an_erasure_that_was_cut_off_takes_the_files_when_the_house_is_opened(tmp_path: Path) -> None:
    with gated(tmp_path) as served:
        _, receipt = served.report()
        attach(served, receipt, photo())
        report = report_of(served, receipt)
        erase = EraseReport(report=report, by="privacy-officer", reason="request")
        served.house.ledger.decide(Submission(f"erase/{report}", erase, "privacy-officer"))
        assert boxes(served, report) == 1

    with House(tmp_path / "data", SystemClock()) as again:
        left = stored(again.vault, "SELECT count(*) FROM attachments WHERE stream=?", report)

    assert left == [(0,)]


def test_files_are_read_after_a_restart(tmp_path: Path) -> None:
    with gated(tmp_path) as served:
        case, receipt = served.report()
        file = attach(served, receipt, PDF).json()["file"]

    with gated(tmp_path) as served:
        officer = served.user("department_officer", department=LEAD)
        again = attach(served, receipt, PDF).json()

        assert read(served, officer, case, file).content == PDF
        assert (again["file"], again["repeated"]) == (file, True)
