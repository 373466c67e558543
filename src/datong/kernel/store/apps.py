from django.apps import AppConfig


class KernelConfig(AppConfig):
    name = "datong.kernel.store"
    label = "kernel"
    verbose_name = "内核"
