from django.apps import AppConfig


class CollectConfig(AppConfig):
    name = "datong.collect.store"
    label = "collect"
    verbose_name = "数据归集"
