from __future__ import annotations

from django.urls import path

from datong.portal.web import views

app_name = "portal"
urlpatterns = [
    path("", views.show_home, name="home"),
    path("oversight/audit/", views.list_audit, name="audit"),
]
