"""The claim that the fuzzer checks of each API: every answer is one that its document describes."""

from gateway.operations.table import OPERATIONS
from tests.conftest import MORE
from tests.fuzz.apis import Apis
from tests.fuzz.strategies import ask

EXAMPLES = 5
# A service grants each operation that it is asked for; the gateway, which is asked for those of all
# a few times each, may miss as many.
MISSED = 1 / 10
# In as many of the stories, at the least, something is granted after something else was.
LED_ON = 1 / 3


def assert_answers_are_described(apis: Apis, service: str) -> None:
    """Call each operation that `service` describes, alone and one after the other."""
    own = {name for name, each in OPERATIONS.items() if each.service == service}
    everything = set(OPERATIONS) if service == "gateway" else own
    report = ask(apis, service, examples=EXAMPLES * MORE, passed_on=everything - own)
    print(service, dict(report.asked), dict(sorted(report.statuses.items())))  # noqa: T201
    print("granted:", dict(report.granted.most_common()))  # noqa: T201
    assert not report.failures, str(report)
    assert not report.errors, str(report)
    assert report.operations >= everything, everything - report.operations
    assert own.isdisjoint(report.unanswered), report.unanswered
    assert len(report.unanswered) <= MISSED * len(everything), report.unanswered
    led_on = sum(len(story) > 1 for story in report.stories)
    assert led_on >= LED_ON * len(report.stories) > 0, report.stories
    faults = {status for status in report.statuses if status >= 500}
    assert not faults, faults
