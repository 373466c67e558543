from __future__ import annotations

from django.urls import path

from datong.catalog.web import editor_views, lineage_views, responsibility_views, search_views, views

app_name = "catalog"
urlpatterns = [
    path("resources/", search_views.list_resources, name="resources"),
    path("resources/suggest", search_views.suggest_words, name="suggest"),
    path("resources/<str:resource_id>/", views.show_resource, name="resource"),
    path(
        "resources/<str:resource_id>/responsibility",
        responsibility_views.show_responsibility,
        name="resource_responsibility",
    ),
    path("responsibility/", responsibility_views.list_elements, name="responsibility"),
    path("responsibility/elements.csv", responsibility_views.export_elements, name="responsibility_csv"),
    path("responsibility/elements/<path:element_id>/claim", responsibility_views.claim_element, name="claim_element"),
    path(
        "responsibility/elements/<path:element_id>/decision", responsibility_views.decide_element, name="decide_element"
    ),
    path("responsibility/elements/<path:element_id>/", responsibility_views.show_element, name="element"),
    path("responsibility/fields/<str:field_id>/disown", responsibility_views.disown_field, name="disown_field"),
    path("responsibility/fields/<str:field_id>/decision", responsibility_views.decide_field, name="decide_field"),
    path("responsibility/fields/<str:field_id>/", responsibility_views.show_field, name="field"),
    path("resources/<str:resource_id>/lineage", lineage_views.show_lineage, name="lineage"),
    path("resources/<str:resource_id>/lineage.json", lineage_views.show_lineage_json, name="lineage_json"),
    path("resources/<str:resource_id>/contract", views.show_contract, name="contract"),
    path("resources/<str:resource_id>/edit", editor_views.edit_contract, name="edit"),
    path("resources/<str:resource_id>/edit/save", editor_views.save_contract, name="save"),
    path("resources/<str:resource_id>/edit/check", editor_views.check_contract, name="check"),
    path("resources/<str:resource_id>/template.xlsx", editor_views.get_template, name="template_of"),
    path("contracts/", editor_views.list_drafts, name="drafts"),
    path("contracts/new", editor_views.begin_contract, name="begin"),
    path("contracts/import", editor_views.import_workbook, name="import"),
    path("contracts/template.xlsx", editor_views.get_template, name="template"),
    path("contracts/drafts/<str:draft_id>/", editor_views.show_draft, name="draft"),
    path("contracts/drafts/<str:draft_id>/submit", editor_views.submit_draft, name="submit_draft"),
    path("contracts/drafts/<str:draft_id>/rebase", editor_views.rebase_draft, name="rebase_draft"),
    path("contracts/drafts/<str:draft_id>/discard", editor_views.discard_draft, name="discard_draft"),
    path("contracts/drafts/<str:draft_id>/decision", editor_views.decide_draft, name="decide_draft"),
]
