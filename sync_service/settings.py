from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    name: str = "sync_service"
    port: int = 8103
    worker_port: int = 8203
