"""Tables of standards: editions and what stands in them. Nothing is ever changed or deleted: migration 0001."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from datong.kernel import clock, ids


def _edition_id() -> str:
    return ids.new_id("std")


class EditionRow(models.Model):
    """One imported edition. `digest` is that of its canonical form (`snapshot.encode_edition`)."""

    id = models.TextField(primary_key=True, default=_edition_id)
    kind = models.TextField()
    name = models.TextField()
    edition = models.TextField()
    title_zh = models.TextField()
    title_en = models.TextField(default="")
    source = models.TextField(default="")
    valid_from = models.DateField(null=True)
    valid_to = models.DateField(null=True)
    covers_from = models.DateField(null=True)
    covers_to = models.DateField(null=True)
    confirmed = models.BooleanField(default=True)
    entries_count = models.PositiveIntegerField()
    digest = models.TextField()
    imported_by = models.TextField()
    imported_by_name = models.TextField(default="")
    imported_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "standards_edition"
        ordering: ClassVar = ["imported_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="standards_edition_once", fields=["kind", "name", "edition"]),
            models.CheckConstraint(
                name="standards_edition_span",
                condition=models.Q(valid_to__isnull=True)
                | models.Q(valid_from__isnull=True)
                | models.Q(valid_from__lt=models.F("valid_to")),
            ),
        ]


class CodeRow(models.Model):
    """One code for a time; `position` keeps the edition's order."""

    edition = models.ForeignKey(EditionRow, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveIntegerField()
    code = models.TextField()
    title_zh = models.TextField()
    title_en = models.TextField(default="")
    parent = models.TextField(default="")
    note = models.TextField(default="")
    valid_from = models.DateField(null=True)
    valid_to = models.DateField(null=True)

    class Meta:
        db_table = "standards_code"
        ordering: ClassVar = ["edition", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="standards_code_position_once", fields=["edition", "position"])
        ]
        indexes: ClassVar = [models.Index(name="standards_code_lookup", fields=["code", "edition"])]


class SuccessionRow(models.Model):
    edition = models.ForeignKey(EditionRow, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveIntegerField()
    code = models.TextField()
    to_code = models.TextField()
    on = models.DateField()
    kind = models.TextField()
    note = models.TextField(default="")

    class Meta:
        db_table = "standards_succession"
        ordering: ClassVar = ["edition", "position"]


class ElementRow(models.Model):
    """One data element of an edition."""

    edition = models.ForeignKey(EditionRow, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveIntegerField()
    identifier = models.TextField()
    name = models.TextField()
    title_zh = models.TextField()
    title_en = models.TextField(default="")
    definition = models.TextField(default="")
    type = models.TextField()
    form = models.TextField(default="")
    code_list = models.TextField(default="")
    identifier_kind = models.TextField(default="")
    pattern = models.TextField(default="")
    unit = models.TextField(default="")
    minimum = models.FloatField(null=True)
    maximum = models.FloatField(null=True)
    synonyms = ArrayField(models.TextField(), default=list)

    class Meta:
        db_table = "standards_element"
        ordering: ClassVar = ["edition", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="standards_element_once", fields=["edition", "identifier"])
        ]


def _report_id() -> str:
    return ids.new_id("cfr")


class ConformanceReportRow(models.Model):
    """A conformance assessment that was kept, with its documents as they were signed. Who assesses is `quality`."""

    id = models.TextField(primary_key=True, default=_report_id)
    number = models.TextField(unique=True)
    subject = models.TextField()
    """The resource's id: no foreign key, since standards lie below the catalogue."""
    title_zh = models.TextField()
    agency_id = models.TextField(default="")
    contract_version = models.TextField()
    version_id = models.TextField(default="")
    score = models.FloatField()
    result = models.TextField()
    """The assessment as canonical JSON: `digest` is the SHA-256 of these bytes."""
    digest = models.TextField()
    result_jws = models.TextField()
    html = models.TextField()
    html_jws = models.TextField()
    pdf = models.BinaryField(null=True)
    pdf_jws = models.TextField(default="")
    issued_by = models.TextField()
    issued_by_name = models.TextField(default="")
    issued_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "standards_conformance_report"
        ordering: ClassVar = ["-issued_at"]
        indexes: ClassVar = [models.Index(name="standards_report_subject", fields=["subject", "-issued_at"])]
