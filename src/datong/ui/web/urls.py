from __future__ import annotations

from django.urls import path

from datong.ui.web import views

app_name = "ui"
urlpatterns = [
    path("design/", views.show_design, name="design"),
    path("me/", views.show_me, name="me"),
    path("preferences/theme", views.choose_theme, name="theme"),
]
