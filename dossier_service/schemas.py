"""The parts of response bodies that several features share."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

# Deadlines are computed in the time of the office; responses show all times in UTC.
Instant = Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class ResponseModel(BaseModel):
    """A response body, or a part of one, that is read from the attributes of an entity."""

    model_config = ConfigDict(from_attributes=True)
