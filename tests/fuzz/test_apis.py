"""Whatever an API is asked, it answers as it describes; nothing breaks it."""

import pytest

from gateway.operations.table import OPERATIONS
from tests.conftest import MORE
from tests.fuzz.apis import Apis
from tests.fuzz.strategies import ask

SERVICES = ["identity", "dossier", "sync", "gateway"]
EXAMPLES = 5
# A service grants each operation that it is asked for; the gateway, which is asked for those of all
# a few times each, may miss as many.
MISSED = 1 / 10
# In as many of the stories, at the least, something is granted after something else was.
LED_ON = 1 / 3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 * MORE)]


@pytest.mark.parametrize("service", SERVICES)
def test_every_answer_is_one_that_is_described(apis: Apis, service: str) -> None:
    own = {name for name, each in OPERATIONS.items() if each.service == service}
    everything = set(OPERATIONS) if service == "gateway" else own
    report = ask(apis, service, examples=EXAMPLES * MORE, passed_on=everything - own)
    print(service, dict(report.asked), dict(sorted(report.statuses.items())))  # noqa: T201
    print("granted:", dict(report.granted.most_common()))  # noqa: T201
    assert not report.failures, str(report)
    assert not report.errors, str(report)
    assert report.operations >= everything
    assert own.isdisjoint(report.unanswered)
    assert len(report.unanswered) <= MISSED * len(everything)
    assert sum(len(story) > 1 for story in report.stories) >= LED_ON * len(report.stories) > 0
    assert not {status for status in report.statuses if status >= 500}
