"""The API is what its description says: no answer is a server's error, none is left undescribed."""

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import CHECKS

from services.people.authority import PAGES
from tests.system.gated import Gated, gated

EXAMPLES = 12
CHECKED = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
]
NOT_ASKED = ("/api/live",)
"""A stream has no end; tests of its own ask it."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with gated(tmp_path_factory.mktemp("openapi")) as house:
        house.report()
        yield house


@pytest.fixture(scope="module")
def everybody(house: Gated) -> dict[str, str]:
    """The headers of somebody who may look at everything and do much."""
    roles = sorted({role for roles in PAGES.values() for role in roles})
    return house.as_user(house.user(*roles, platform="P1", department="D01"))


def test_every_answer_is_one_that_is_described(url: str, everybody: dict[str, str]) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/schema/openapi.json")
    checks: list[Any] = [CHECKS.get_one(name) for name in CHECKED]
    asked = []

    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path in NOT_ASKED:
            continue
        asked.append(operation.label)

        @hypothesis.given(case=operation.as_strategy(), known=hypothesis.strategies.booleans())
        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        def holds(case: Any, known: bool) -> None:
            case.call_and_validate(headers=everybody if known else {}, checks=checks)

        holds()

    assert len(asked) > 25
