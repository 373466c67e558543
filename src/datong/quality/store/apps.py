from django.apps import AppConfig


class QualityConfig(AppConfig):
    name = "datong.quality.store"
    label = "quality"
    verbose_name = "数据质量"
