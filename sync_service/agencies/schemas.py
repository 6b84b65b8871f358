from pydantic import BaseModel


class AgencyOut(BaseModel):
    code: str
    name: str | None
