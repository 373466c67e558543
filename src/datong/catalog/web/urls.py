from __future__ import annotations

from django.urls import path

from datong.catalog.web import views

app_name = "catalog"
urlpatterns = [
    path("resources/", views.list_resources, name="resources"),
    path("resources/<str:resource_id>/", views.show_resource, name="resource"),
    path("resources/<str:resource_id>/contract", views.show_contract, name="contract"),
]
