"""A new installation in this process: the services behind the gateway, each with its database."""

from collections.abc import Mapping
from pathlib import Path

from fastapi import FastAPI

import dossier_service.main
import identity_service.main
import sync_service.main
from deploy.apart import run_apart
from identity_service.seed import seed
from shared.migrations import upgrade
from tests.conftest import Databases
from tests.dossier_service.conftest import make_settings as dossier_settings
from tests.identity_service.conftest import make_settings as identity_settings
from tests.sync_service.conftest import make_settings as sync_settings


def make_services(
    postgres: Databases, urls: Mapping[str, str], sandbox: Path
) -> Mapping[str, FastAPI]:
    """By their short names; `urls` are where they and the gateway will be."""
    near = {"identity_url": urls["identity"], "gateway_url": urls["gateway"]}
    identity = identity_settings(
        postgres.database_url("identity_service"), people=0, sandbox_file=sandbox, **near
    )
    upgrade(identity)
    run_apart(seed(identity))
    return {
        "identity": identity_service.main.create_app(identity),
        "dossier": dossier_service.main.create_app(dossier_settings(postgres, **near)),
        "sync": sync_service.main.create_app(sync_settings(postgres, **near)),
    }
