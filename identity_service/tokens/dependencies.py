from typing import Annotated

from fastapi import Depends, Request

from identity_service.tokens.use_cases import TokenDesk


async def _get_token_desk(request: Request) -> TokenDesk:
    desk: TokenDesk = request.app.state.token_desk
    return desk


TokenDeskDep = Annotated[TokenDesk, Depends(_get_token_desk)]
