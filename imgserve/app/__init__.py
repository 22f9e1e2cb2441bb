"""The server as an ASGI app: `uvicorn --factory imgserve.app:create_app`."""

from imgserve.app.main import app_of, build_app, check, create_app
from imgserve.app.services import Services, build_services

__all__ = ["Services", "app_of", "build_app", "build_services", "check", "create_app"]
