from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

import datong.kernel.clock


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("catalog", "0005_lineage"),
        ("kernel", "0003_audit_reading"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="ElementAuthority",
            fields=[
                ("element", models.TextField(primary_key=True, serialize=False)),
                ("column_name", models.TextField()),
                ("since", models.DateTimeField(default=datong.kernel.clock.now)),
                ("decided_by", models.TextField()),
                ("decided_by_name", models.TextField()),
                ("case_id", models.TextField(default="")),
                (
                    "resource",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="catalog.resource"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ElementUse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("column_name", models.TextField()),
                ("column_title", models.TextField()),
                ("element", models.TextField()),
                (
                    "resource",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="catalog.resource"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["element"], name="catalog_element_use")],
                "constraints": [
                    models.UniqueConstraint(fields=("resource", "column_name"), name="catalog_element_use_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="FieldSource",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("column_name", models.TextField()),
                ("decided_at", models.DateTimeField(default=datong.kernel.clock.now)),
                ("decided_by", models.TextField()),
                ("case_id", models.TextField(default="")),
                (
                    "agency",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="kernel.agency"
                    ),
                ),
                (
                    "resource",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="catalog.resource"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("resource", "column_name"), name="catalog_field_source_once")
                ],
            },
        ),
    ]
