from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from identity_service.agencies import routes as agencies
from identity_service.agencies.use_cases import OperatorApprovals
from identity_service.clients import routes as clients
from identity_service.clients.problems import TokenRefused
from identity_service.clients.use_cases.approvals import StoredApprovals
from identity_service.clients.use_cases.client_grants import GivenGrants
from identity_service.grants import routes as grants
from identity_service.grants.use_cases.ending import StoredGrants
from identity_service.persons import routes as persons
from identity_service.persons.guesses.limiter import GuessLimiter
from identity_service.persons.sources import SOURCES
from identity_service.settings import Settings
from identity_service.tokens import routes as tokens
from identity_service.tokens.signing_keys import SigningKeys
from identity_service.tokens.use_cases import TokenResources
from shared.runtime.app import create_service

ROUTERS = (
    persons.router,
    tokens.router,
    agencies.router,
    clients.router,
    grants.router,
    grants.rights_router,
)


def create_app(settings: Settings) -> FastAPI:
    approvals: OperatorApprovals = StoredApprovals()
    client_grants: GivenGrants = StoredGrants()

    @asynccontextmanager
    async def resources(app: FastAPI) -> AsyncIterator[None]:
        keys = SigningKeys(app.state.sessions, settings.key_encryption_key)
        app.state.guesses = GuessLimiter(app.state.sessions, settings)
        app.state.token_resources = TokenResources(settings, keys)
        app.state.operator_approvals = approvals
        app.state.client_grants = client_grants
        async with SOURCES[settings.source](settings) as app.state.source:
            yield

    app = create_service(
        settings,
        title="Identity",
        prefix="/identity/v1",
        routers=ROUTERS,
        resources=resources,
        call_key=settings.call_key,
        examples=Path(__file__).with_name("examples.yaml"),
    )
    app.add_exception_handler(TokenRefused, tokens.answer_oauth_error)
    return app
