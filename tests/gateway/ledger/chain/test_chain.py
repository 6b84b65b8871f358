from sqlalchemy import make_url

from gateway.ledger.chain.chain import claim, connected, outcome
from gateway.ledger.chain.seals import seal
from gateway.ledger.records import AccessRecord
from tests.gateway.ledger.ledgers import Store, exchange
from tests.support.waiting import eventually


async def test_outcome_of_a_broken_off_batch_is_read_from_the_chain(store: Store) -> None:
    url, made = make_url(store.url), exchange()
    record = AccessRecord.of(made)
    async with connected(url) as first, connected(url) as second:
        chain = await claim(first)
        batch = seal(
            [record.canonical()],
            chain=chain.name,
            after=chain.head,
            at=record.at,
            key=store.key,
        )
        await chain.append(batch, [record], record.at)
        unwritten = seal(
            [record.canonical()],
            chain=chain.name,
            after=batch.anchor(),
            at=record.at,
            key=store.key,
        )
        assert await outcome(second, chain.name, chain.backend, batch)
        assert not await outcome(second, chain.name, chain.backend, unwritten)
        # Whoever asks has ended the other side first: it can no longer change the answer.
        await eventually(lambda: chain.lost)
        assert (await claim(second)).head == batch.anchor()
