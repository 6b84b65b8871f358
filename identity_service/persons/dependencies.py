from typing import Annotated

from fastapi import Depends, Request

from identity_service.persons.guesses.limiter import GuessLimiter
from identity_service.persons.sources import Source


async def _get_source(request: Request) -> Source:
    source: Source = request.app.state.source
    return source


async def _get_guesses(request: Request) -> GuessLimiter:
    guesses: GuessLimiter = request.app.state.guesses
    return guesses


SourceDep = Annotated[Source, Depends(_get_source)]
GuessLimiterDep = Annotated[GuessLimiter, Depends(_get_guesses)]
