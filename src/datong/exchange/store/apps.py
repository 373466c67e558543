from django.apps import AppConfig


class ExchangeConfig(AppConfig):
    name = "datong.exchange.store"
    label = "exchange"
    verbose_name = "共享交换"
