"""The base of response bodies that are made from entities."""

from pydantic import BaseModel, ConfigDict


class ResponseModel(BaseModel):
    """A response body, or a part of one, that is read from the attributes of an entity."""

    model_config = ConfigDict(from_attributes=True)
