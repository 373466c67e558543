from django.apps import AppConfig


class LakeConfig(AppConfig):
    name = "datong.lake.store"
    label = "lake"
    verbose_name = "数据湖"
