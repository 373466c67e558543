from django.apps import AppConfig


class CasesConfig(AppConfig):
    name = "datong.cases.store"
    label = "cases"
    verbose_name = "办件"
