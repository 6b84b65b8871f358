from sqlalchemy import make_url

from gateway.ledger.chain.chain import acquire_chain, connect_ledger_database, is_batch_committed
from gateway.ledger.chain.seals import seal_record_batch
from tests.gateway.ledger.ledgers import Store, draft
from tests.support.waiting import eventually


async def test_outcome_of_a_broken_off_batch_is_read_from_the_chain(store: Store) -> None:
    url, made = make_url(store.url), draft()
    record = made.build_record()
    async with connect_ledger_database(url) as first, connect_ledger_database(url) as second:
        chain = await acquire_chain(first)
        batch = seal_record_batch(
            [record.encode_canonical_json()],
            chain=chain.name,
            after=chain.head,
            at=record.at,
            key=store.key,
        )
        await chain.append_sealed_batch(batch, [record], record.at)
        unwritten = seal_record_batch(
            [record.encode_canonical_json()],
            chain=chain.name,
            after=batch.compute_own_anchor(),
            at=record.at,
            key=store.key,
        )
        assert await is_batch_committed(second, chain.name, chain.backend, batch)
        assert not await is_batch_committed(second, chain.name, chain.backend, unwritten)
        # Whoever asks has ended the other side first: it can no longer change the answer.
        await eventually(lambda: chain.is_lost)
        assert (await acquire_chain(second)).head == batch.compute_own_anchor()
