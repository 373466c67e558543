from __future__ import annotations

from django.urls import path

from datong.quality.web import views

app_name = "quality"
urlpatterns = [
    path("quality/", views.list_orders, name="orders"),
    path("quality/orders/<str:order_id>/", views.show_order, name="order"),
    path("quality/league/", views.show_league, name="league"),
    path("quality/waivers/", views.list_waivers, name="waivers"),
    path("quality/waivers/<str:waiver_id>/end", views.end_waiver, name="end-waiver"),
    path("quality/reports/<str:report_id>/<str:report_form>", views.download_report, name="document"),
    path("resources/<str:resource_id>/quality/", views.show_report, name="report"),
    path("resources/<str:resource_id>/quality/waive", views.waive_rule, name="waive"),
    path("resources/<str:resource_id>/quality/rows/<str:rule_id>", views.show_rows, name="rows"),
    path("resources/<str:resource_id>/quality/rows/<str:rule_id>/csv", views.download_rows, name="rows-csv"),
]
