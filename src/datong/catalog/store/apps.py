from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "datong.catalog.store"
    label = "catalog"
    verbose_name = "信息资源目录"
