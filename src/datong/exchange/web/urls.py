from __future__ import annotations

from django.urls import path

from datong.exchange.web import views

app_name = "exchange"
urlpatterns = [
    path("exchange/request/<str:resource_id>", views.ask_for_access, name="ask"),
    path("exchange/requests/", views.list_requests, name="requests"),
    path("exchange/requests/<str:request_id>/", views.show_request, name="request"),
    path("exchange/requests/<str:request_id>/decision", views.decide_request, name="decide"),
    path("exchange/requests/<str:request_id>/withdrawal", views.withdraw, name="withdraw"),
    path("exchange/grants/", views.list_grants, name="grants"),
    path("exchange/grants/<str:grant_id>/", views.show_grant, name="grant"),
    path("exchange/grants/<str:grant_id>/revocation", views.revoke, name="revoke"),
    path("exchange/grants/<str:grant_id>/notice", views.answer_notice, name="notice"),
    path("exchange/receipts/<int:log_index>/", views.show_receipt, name="receipt"),
]
