"""The identity service answers every request as its document describes; no request breaks it."""

import pytest

from tests.conftest import MORE
from tests.fuzz.apis import Apis
from tests.fuzz.described_answers import assert_answers_are_described

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 * MORE)]


def test_every_answer_is_one_that_is_described(apis: Apis) -> None:
    assert_answers_are_described(apis, "identity")
