from __future__ import annotations

from django.urls import path

from datong.catalog.web import search_views, views

app_name = "catalog"
urlpatterns = [
    path("resources/", search_views.list_resources, name="resources"),
    path("resources/suggest", search_views.suggest_words, name="suggest"),
    path("resources/<str:resource_id>/", views.show_resource, name="resource"),
    path("resources/<str:resource_id>/contract", views.show_contract, name="contract"),
]
