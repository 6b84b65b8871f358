from typing import Annotated

from fastapi import Depends, Request

from identity_service.settings import Settings


async def _get_settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


SettingsDep = Annotated[Settings, Depends(_get_settings)]
