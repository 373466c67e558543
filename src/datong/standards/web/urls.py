from __future__ import annotations

from django.urls import path

from datong.standards.web import views

app_name = "standards"
urlpatterns = [
    path("standards/", views.show_home, name="home"),
    path("standards/elements/", views.list_elements, name="elements"),
    path("standards/elements/<str:element_id>/", views.show_element, name="element"),
    path("standards/lists/<slug:list_name>/", views.show_list, name="list"),
    path("standards/lists/<slug:list_name>/compare", views.compare_list, name="compare"),
    path("standards/lists/<slug:list_name>/codes/<str:list_code>/", views.show_code, name="code"),
    path("standards/divisions/", views.list_divisions, name="divisions"),
    path("standards/divisions/<str:division_code>/", views.show_division, name="division"),
    path("standards/import", views.import_standard, name="import"),
]
