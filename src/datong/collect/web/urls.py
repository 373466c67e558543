from __future__ import annotations

from django.urls import path

from datong.collect.web import infer_views, sources_urls, views

app_name = "collect"
urlpatterns = [
    *sources_urls.urlpatterns,
    path("contracts/infer", infer_views.infer_contract, name="infer"),
    path("resources/<str:resource_id>/collect", views.collect_file, name="collect"),
    path("resources/<str:resource_id>/collect/attention", views.show_attention, name="attention"),
    path("runs/", views.list_runs, name="runs"),
    path("runs/<str:run_id>/", views.show_run, name="run"),
    path("runs/<str:run_id>/progress", views.show_progress, name="progress"),
    path("runs/<str:run_id>/decision", views.decide_run, name="decide"),
    path("runs/<str:run_id>/changes", views.show_changes, name="changes"),
    path("runs/<str:run_id>/quarantine.csv", views.download_quarantine, name="quarantine"),
]
