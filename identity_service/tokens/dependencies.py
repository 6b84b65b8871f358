from typing import Annotated

from fastapi import Depends, Request

from identity_service.tokens.use_cases import TokenResources


async def _get_token_resources(request: Request) -> TokenResources:
    resources: TokenResources = request.app.state.token_resources
    return resources


TokenResourcesDep = Annotated[TokenResources, Depends(_get_token_resources)]
