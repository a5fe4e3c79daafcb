"""Attacks by clients of the SMTP port, with honest people beside them."""

from collections.abc import Iterator

import pytest

from tests.support.abuse.table import SENDER, Abuse
from tests.support.abuse.trial import Trial, of, trials


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    with trials(tmp_path_factory.mktemp("abuse")) as found:
        yield found


@pytest.mark.parametrize("abuse", of(SENDER))
def test_honest_people_notice_nothing_of(abuse: Abuse, trial: Trial) -> None:
    trial.run(abuse)
