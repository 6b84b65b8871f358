"""Whatever an API is asked, it answers as it describes; nothing breaks it."""

import pytest

from gateway.upstreams import OPERATIONS
from tests.conftest import MORE
from tests.fuzz.apis import Apis
from tests.fuzz.asking import IN_TURN, ask

SERVICES = ["identity", "dossier", "sync", "gateway"]
EXAMPLES = 5
# What needs something that was made before, and never finds it at random.
REACHED = {
    "GET /sync/v1/indicators/{indicator}",
    "POST /dossier/v1/dossiers/{code}/transitions",
    "POST /dossier/v1/dossiers/{code}/progress",
    "POST /dossier/v1/dossiers/{code}/payments",
    "POST /dossier/v1/dossiers/{code}/results",
    "POST /identity/v1/clients/{client_id}/deactivation",
    "DELETE /identity/v1/clients/{client_id}/keys/{kid}",
    "POST /identity/v1/grants/{grant_id}/revocation",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 * MORE)]


@pytest.mark.parametrize("service", SERVICES)
def test_every_answer_is_one_that_is_described(apis: Apis, service: str) -> None:
    own = {name for name, each in OPERATIONS.items() if each.service == service}
    everything = set(OPERATIONS) if service == "gateway" else own
    report = ask(apis, service, examples=EXAMPLES * MORE, passed_on=everything - own)
    print(service, dict(report.asked), dict(sorted(report.statuses.items())))  # noqa: T201
    in_turn, wanted = report.granted[IN_TURN], REACHED & everything
    print("in turn:", {name: in_turn[name] for name in sorted(wanted)})  # noqa: T201
    print("never granted:", *report.unanswered, sep="\n  ")  # noqa: T201
    assert not report.failures, str(report)
    assert not report.errors, str(report)
    assert report.operations >= everything
    assert not wanted.intersection(report.unanswered)
    assert wanted & in_turn.keys()
    assert not {status for status in report.statuses if status >= 500}
