"""The parts of response bodies that several features share."""

from pydantic import BaseModel


class AgencyName(BaseModel):
    code: str
    name: str | None
