"""What the unit tests share: a past in which nothing has happened yet."""

import pytest

from services.rules.book import RuleBook
from tests.unit.past import Past


@pytest.fixture
def past(rules: RuleBook) -> Past:
    return Past(rules)
