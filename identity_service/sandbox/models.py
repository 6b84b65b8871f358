"""Define the table of the progress of loading synthetic people."""

from sqlalchemy.orm import Mapped, mapped_column

from identity_service.database import Base


class PeopleLoad(Base):
    """A row is the number of people held of one seed; numbers are unique within one seed."""

    __tablename__ = "people_load"

    seed: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    loaded: Mapped[int]
