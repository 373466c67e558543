from django.apps import AppConfig


class StandardsConfig(AppConfig):
    name = "datong.standards.store"
    label = "standards"
    verbose_name = "数据标准"
