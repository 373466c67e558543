from __future__ import annotations

from django.urls import path

from datong.quality.assess.web import views

app_name = "conformance"
urlpatterns = [
    path("resources/<str:resource_id>/conformance", views.show_conformance, name="resource"),
    path("resources/<str:resource_id>/conformance/<str:report_number>/", views.show_report, name="report"),
    path(
        "resources/<str:resource_id>/conformance/<str:report_number>/report.<str:report_file>",
        views.download_report,
        name="file",
    ),
]
