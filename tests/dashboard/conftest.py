"""The application in process and a workshop that moves its jobs along, as the API's tests have them."""

from tests.api.conftest import _plain_logs, app, artifact, client, server, services, settings, workshop

__all__ = ["_plain_logs", "app", "artifact", "client", "server", "services", "settings", "workshop"]
