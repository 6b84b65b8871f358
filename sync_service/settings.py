from shared.settings import CallKey, ServiceSettings


class Settings(ServiceSettings):
    name: str = "sync_service"
    port: int = 8103
    worker_port: int = 8203
    call_key: CallKey
