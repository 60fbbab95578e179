"""Our own command, run in the process of the test: what it said, and how it would have ended."""

import io
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from services.cli.main import _explain, app


class Said(NamedTuple):
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one line of JSON that it must be."""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1
        return json.loads(self.out)


Hujiao = Callable[..., Said]
"""``hujiao("case", receipt, "--json")``; what is ``typed`` comes from standard input."""


@pytest.fixture
def hujiao(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Hujiao:
    def run(*tokens: object, typed: str = "") -> Said:
        capsys.readouterr()
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        try:
            status = int(app([str(token) for token in tokens], exit_on_error=False) or 0)
        except Exception as error:  # noqa: BLE001  # what the command line does with it is under test
            status = int(_explain(error))
        said = capsys.readouterr()
        return Said(status, said.out, said.err)

    return run
