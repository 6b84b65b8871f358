"""The OpenAPI document of a service: FastAPI's own, completed for its callers."""

from typing import Any

from fastapi import FastAPI

from shared.web.openapi.headers import add_headers
from shared.web.openapi.links import Described, add_links
from shared.web.openapi.names import (
    name_generic_schemas,
    read_operation_id,
    refer_to_named_schemas,
)
from shared.web.openapi.problems import add_problems


class DescribedService(FastAPI):
    """An application whose OpenAPI document contains problems, links and headers."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(generate_unique_id_function=read_operation_id, **settings)

    def openapi(self) -> Described:
        if not self.openapi_schema:
            document = refer_to_named_schemas(name_generic_schemas(super().openapi()))
            self.openapi_schema = add_headers(add_links(add_problems(document)))
        return self.openapi_schema
