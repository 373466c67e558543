from django.apps import AppConfig


class ControlConfig(AppConfig):
    """Last of the Django apps: once all models are loaded, the parts are wired."""

    name = "datong.app.control"
    label = "control"

    def ready(self) -> None:
        from datong.app.wiring import wire

        wire()
