"""Drafts of contracts."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

import datong.catalog.store.draft_models
import datong.kernel.clock


class Migration(migrations.Migration):
    dependencies: ClassVar = [("kernel", "0002_rules"), ("catalog", "0002_immutable")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="ContractDraft",
            fields=[
                (
                    "id",
                    models.TextField(
                        default=datong.catalog.store.draft_models._draft_id, primary_key=True, serialize=False
                    ),
                ),
                ("resource_id", models.TextField()),
                ("title_zh", models.TextField(default="")),
                ("text", models.TextField()),
                ("base_version", models.TextField(null=True)),
                ("revision", models.PositiveIntegerField(default=1)),
                ("state", models.TextField(default="draft")),
                ("directory_code", models.TextField(default="")),
                ("saved_by", models.TextField()),
                ("saved_by_name", models.TextField(default="")),
                ("saved_at", models.DateTimeField(default=datong.kernel.clock.now)),
                ("submitted_by", models.TextField(default="")),
                ("case_id", models.TextField(default="")),
                ("reason", models.TextField(default="")),
                (
                    "agency",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="kernel.agency"
                    ),
                ),
            ],
            options={"ordering": ["-saved_at", "-id"]},
        ),
        migrations.AddConstraint(
            model_name="contractdraft",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("draft", "submitted"))),
                fields=("resource_id",),
                name="catalog_one_open_draft",
            ),
        ),
        migrations.AddConstraint(
            model_name="contractdraft",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["draft", "submitted", "approved", "refused", "discarded"])),
                name="catalog_draft_state",
            ),
        ),
    ]
