"""Synthetic people: a register of any size by seed.

Names, homes and dates are drawn; a number may by chance be a living person's, the rest is not.
"""

from collections.abc import Iterator
from itertools import islice

from identity_service.sandbox.generator.generator import Generator
from identity_service.sandbox.generator.person import Person
from identity_service.sandbox.generator.population import population

__all__ = ["Person", "generate"]


def generate(count: int, *, seed: int) -> Iterator[Person]:
    """The first `count` people of the register that `seed` names; a longer one begins the same.

    Numbers are unique within one seed. Flaws are put in as `population.yaml` says.
    """
    return islice(Generator(population(), seed=seed).people(), count)
