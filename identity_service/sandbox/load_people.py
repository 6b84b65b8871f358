"""Load synthetic people and personas into the register, people by COPY in chunks."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import islice

import asyncpg
import structlog

from identity_service.sandbox.generator import Person, generate_people
from identity_service.sandbox.personas import read_personas
from identity_service.settings import Settings
from shared.codes.persons.folding import fold_accented, fold_bare
from shared.codes.persons.person_hash import hash_person
from shared.database.engine import CONNECT_S, connect_driver, render_driver_url
from shared.database.locks import PEOPLE_LOAD

log = structlog.get_logger()

CHUNK = 10_000
CHUNK_S = 120
_COLUMNS = ("person", "name_key", "bare_name_key", *Person._fields[2:], "told")

PersonRow = tuple[object, ...]
Progress = Callable[[int], None]


class AnotherSeedError(Exception):
    """Refuse to load people where the register holds another seed, with the same numbers."""


async def load_people(
    settings: Settings, count: int, *, seed: int, progress: Progress = lambda _: None
) -> int:
    """Load people of `seed` until the register holds `count`; return the number added.

    Each chunk is a transaction that also stores the progress, so that an interrupted load continues
    there. `progress` is called with the number held after each chunk.
    """
    connection = await _open_connection(settings)
    try:
        # A concurrent load would insert the same people.
        await connection.execute("SELECT pg_advisory_lock($1)", PEOPLE_LOAD)
        held = loaded = await _read_progress(connection, seed)
        if held >= count:
            return 0
        lacking = islice(generate_people(count, seed=seed), held, None)
        while chunk := [_build_row(person, settings.hash_key) for person in islice(lacking, CHUNK)]:
            loaded += len(chunk)
            await _load_chunk(connection, chunk, seed=seed, loaded=loaded)
            progress(loaded)
        return loaded - held
    finally:
        await connection.close()


async def load_personas(settings: Settings) -> None:
    rows = [_build_persona_row(name, settings.hash_key) for name in read_personas()]
    places = ", ".join(f"${number}" for number in range(1, len(_COLUMNS) + 1))
    statement = (
        f"INSERT INTO person ({', '.join(_COLUMNS)}) VALUES ({places}) ON CONFLICT DO NOTHING"  # noqa: S608 -- names of columns, from the code above
    )
    connection = await _open_connection(settings)
    try:
        await connection.executemany(statement, [row for row in rows if row])
    finally:
        await connection.close()


async def _open_connection(settings: Settings) -> asyncpg.Connection:
    return await connect_driver(
        render_driver_url(settings.database),
        timeout=CONNECT_S,
        command_timeout=CHUNK_S,
    )


async def _read_progress(connection: asyncpg.Connection, seed: int) -> int:
    row = await connection.fetchrow("SELECT seed, loaded FROM people_load")
    if row is None:
        return 0
    if row["seed"] != seed:
        raise AnotherSeedError(
            f"the register holds people of seed {row['seed']}: go on with that seed, or begin with"
            " an empty register"
        )
    return int(row["loaded"])


async def _load_chunk(
    connection: asyncpg.Connection, rows: Iterable[PersonRow], *, seed: int, loaded: int
) -> None:
    async with connection.transaction():
        await connection.copy_records_to_table("person", records=rows, columns=_COLUMNS)
        await connection.execute(
            "INSERT INTO people_load (seed, loaded) VALUES ($1, $2)"
            " ON CONFLICT (seed) DO UPDATE SET loaded = excluded.loaded",
            seed,
            loaded,
        )


def _build_row(person: Person, hash_key: bytes, fixed_result: str | None = None) -> PersonRow:
    digest = bytes.fromhex(hash_person(person.personal_number, hash_key))
    return (digest, *_fold_name(person.full_name), *person[2:], fixed_result)


# Names repeat: half of all people have one of the cached names.
@lru_cache(maxsize=100_000)
def _fold_name(full_name: str) -> tuple[str, str]:
    return fold_accented(full_name), fold_bare(full_name)


def _build_persona_row(name: str, hash_key: bytes) -> PersonRow | None:
    """Return the row of a persona, or None where the register must not hold it."""
    persona = read_personas()[name]
    if persona.has_fixed_result:
        # The record equals the claim, so that another claim does not get the fixed result.
        as_claimed = persona.model_copy(update={"answer": "MATCH"}).person
        assert as_claimed is not None
        return _build_row(as_claimed, hash_key, persona.answer)
    return _build_row(persona.person, hash_key) if persona.person else None
