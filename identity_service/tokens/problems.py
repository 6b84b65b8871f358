"""Define the expected errors of the token endpoint; each says how to correct the request."""

from identity_service.clients.problems import TokenRefused


class TokenRequestMalformed(TokenRefused):
    title = "The token request cannot be read"
    type = "/problems/token-request-malformed"
    error = "invalid_request"
    advice = "Send a form (application/x-www-form-urlencoded) with each field once."


class GrantTypeUnsupported(TokenRefused):
    title = "This grant type is not offered"
    type = "/problems/grant-type-unsupported"
    error = "unsupported_grant_type"
    advice = "Send grant_type=client_credentials."
