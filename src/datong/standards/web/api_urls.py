from __future__ import annotations

from django.urls import path

from datong.standards.web import api

app_name = "standards-api"
urlpatterns = [
    path("standards/", api.list_editions, name="editions"),
    path("standards/lists/<slug:list_name>", api.show_list, name="list"),
    path("standards/elements/<str:element_id>", api.show_element, name="element"),
    path("standards/divisions/<str:division_code>", api.show_division, name="division"),
]
