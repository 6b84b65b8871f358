"""List the operations of identity_service."""

from gateway.operations.model import (
    MIB,
    QuotaClass,
    Service,
    administer,
    administer_by_post,
    read,
    write,
)

IDENTITY_OPERATIONS = (
    write(
        "/oauth/token",
        Service.IDENTITY,
        quota_class=QuotaClass.TOKEN,
        public=True,
        credentials=True,
    ),
    read("/.well-known/jwks.json", Service.IDENTITY, public=True),
    read("/.well-known/oauth-authorization-server", Service.IDENTITY, public=True, by_host=True),
    write(
        "/identity/v1/verifications",
        Service.IDENTITY,
        quota_class=QuotaClass.VERIFICATION,
        personal=True,
    ),
    administer("GET", "/identity/v1/agencies", Service.IDENTITY),
    administer_by_post("/identity/v1/agencies", Service.IDENTITY),
    administer("GET", "/identity/v1/agencies/{code}", Service.IDENTITY),
    administer_by_post("/identity/v1/agencies/{code}/reopening", Service.IDENTITY),
    administer("GET", "/identity/v1/clients", Service.IDENTITY),
    administer_by_post("/identity/v1/clients", Service.IDENTITY),
    administer("GET", "/identity/v1/clients/{client_id}", Service.IDENTITY),
    administer_by_post("/identity/v1/clients/{client_id}/keys", Service.IDENTITY),
    administer("DELETE", "/identity/v1/clients/{client_id}/keys/{kid}", Service.IDENTITY),
    administer_by_post("/identity/v1/clients/{client_id}/deactivation", Service.IDENTITY),
    administer_by_post("/identity/v1/clients/{client_id}/reactivation", Service.IDENTITY),
    administer("GET", "/identity/v1/grants", Service.IDENTITY),
    administer_by_post("/identity/v1/grants", Service.IDENTITY, body_limit=MIB),
    administer("GET", "/identity/v1/grants/{grant_id}", Service.IDENTITY),
    administer_by_post("/identity/v1/grants/{grant_id}/revocation", Service.IDENTITY),
)
