"""HTTP in and out: parse, call one use case, answer."""

from identity_service.agencies import routes as agencies
from identity_service.clients import routes as clients
from identity_service.grants import rights_list as rights
from identity_service.grants import routes as grants
from identity_service.persons import routes as verifications
from identity_service.tokens import routes as tokens

ROUTERS = (
    verifications.router,
    tokens.router,
    agencies.router,
    clients.router,
    grants.router,
    rights.router,
)

__all__ = ["ROUTERS"]
