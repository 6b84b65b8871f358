"""What is used of aiokafka beyond what it promises."""

import pytest

from shared.messaging.kafka import open_consumer
from shared.settings import ServiceSettings
from tests.shared.event_flow import DOSSIERS


@pytest.mark.broker
async def test_a_members_place_is_where_open_consumer_gives_it_up(
    settings: ServiceSettings, key: str
) -> None:
    async with open_consumer(settings, [DOSSIERS], f"g-{key}") as consumer:
        place = getattr(consumer._coordinator, "_group_instance_id", None)
    assert place, "this aiokafka keeps the place elsewhere: a worker that ends would keep it too"
    assert consumer._coordinator._group_instance_id is None
