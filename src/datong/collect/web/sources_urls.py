from __future__ import annotations

from django.urls import path

from datong.collect.web import sources_views as views

urlpatterns = [
    path("sources/", views.list_sources, name="sources"),
    path("resources/<str:resource_id>/sources/new", views.create_source, name="new_source"),
    path("sources/<str:source_id>/", views.show_source, name="source"),
    path("sources/<str:source_id>/edit", views.edit_source, name="edit_source"),
    path("sources/<str:source_id>/act", views.act_on_source, name="act_on_source"),
]
