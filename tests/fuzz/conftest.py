"""The same examples each time in `make test`; `make fuzz` asks more of them."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.conftest import MORE, Databases
from tests.fuzz.apis import Apis, open_apis

settings.register_profile("fuzz", settings.get_profile("same"), max_examples=100 * MORE)
settings.load_profile("fuzz")


@pytest.fixture(scope="session")
def apis(postgres: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apis]:
    with open_apis(postgres, tmp_path_factory.mktemp("mesh")) as opened:
        yield opened
