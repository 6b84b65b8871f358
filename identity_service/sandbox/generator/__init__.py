"""Generate synthetic people: a register of any size, the same for each seed.

Names, homes and dates are random; a number may by chance be that of a living person.
"""

from collections.abc import Iterator
from itertools import islice

from identity_service.sandbox.generator.generator import Generator
from identity_service.sandbox.generator.person import Person
from identity_service.sandbox.generator.population import read_population

__all__ = ["Person", "generate"]


def generate_people(count: int, *, seed: int) -> Iterator[Person]:
    """Yield the first `count` people of `seed`; a longer register begins with the same people.

    Numbers are unique within one seed. `population.yaml` gives the shares of the flaws.
    """
    return islice(Generator(read_population(), seed=seed).draw_people(), count)
