"""The parts of response bodies that several features share."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

# Deadlines are reckoned in the time of the office; in answers all times are of one zone.
Instant = Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class ResponseModel(BaseModel):
    """A response body, or a part of one, that is read from the attributes of an entity."""

    model_config = ConfigDict(from_attributes=True)
