"""HTTP in and out: parse, call one use case, answer."""

from identity_service.routes import agencies, clients, grants, rights, tokens, verifications

ROUTERS = (
    verifications.router,
    tokens.router,
    agencies.router,
    clients.router,
    grants.router,
    rights.router,
)

__all__ = ["ROUTERS"]
