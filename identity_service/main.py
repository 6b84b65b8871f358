from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from identity_service.clients.problems import TokenRefused
from identity_service.persons.guesses.limiter import GuessLimiter
from identity_service.persons.sources import SOURCES
from identity_service.routes import ROUTERS
from identity_service.settings import Settings
from identity_service.tokens.routes import as_oauth_has_it
from identity_service.tokens.signing_keys import SigningKeys
from identity_service.tokens.use_cases import TokenDesk
from shared.runtime.app import create_service


def create_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def resources(app: FastAPI) -> AsyncIterator[None]:
        keys = SigningKeys(app.state.sessions, settings.key_encryption_key)
        app.state.guesses = GuessLimiter(app.state.sessions, settings)
        app.state.token_desk = TokenDesk(settings, keys)
        async with SOURCES[settings.source](settings) as app.state.source:
            yield

    app = create_service(
        settings,
        title="Identity",
        prefix="/identity/v1",
        routers=ROUTERS,
        resources=resources,
        call_key=settings.call_key,
    )
    app.add_exception_handler(TokenRefused, as_oauth_has_it)
    return app
