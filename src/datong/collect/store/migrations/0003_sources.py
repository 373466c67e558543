from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

import datong.collect.store.source_models
import datong.kernel.clock


class Migration(migrations.Migration):
    dependencies: ClassVar = [("collect", "0002_runs"), ("kernel", "0001_initial")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="Source",
            fields=[
                (
                    "id",
                    models.TextField(
                        default=datong.collect.store.source_models._source_id, primary_key=True, serialize=False
                    ),
                ),
                ("resource_id", models.TextField()),
                ("resource_title", models.TextField()),
                (
                    "agency",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="kernel.agency"
                    ),
                ),
                ("title", models.TextField()),
                ("kind", models.TextField()),
                ("options", models.JSONField(default=dict)),
                ("sealed", models.BinaryField(default=b"")),
                ("secret_names", models.JSONField(default=list)),
                ("schedule", models.TextField(default="")),
                ("after_resource", models.TextField(default="")),
                ("enabled", models.BooleanField(default=False)),
                ("revision", models.IntegerField(default=1)),
                ("cursor", models.JSONField(default=dict)),
                ("seen", models.BinaryField(default=b"")),
                ("failures_in_row", models.IntegerField(default=0)),
                ("last_failure", models.JSONField(null=True)),
                ("case_id", models.TextField(null=True)),
                ("checked_at", models.DateTimeField(null=True)),
                ("fetched_at", models.DateTimeField(null=True)),
                ("due_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=datong.kernel.clock.now)),
                ("removed_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["resource_id"], name="collect_source_of_resource"),
                    models.Index(condition=models.Q(("enabled", True)), fields=["due_at"], name="collect_source_due"),
                    models.Index(
                        condition=models.Q(("enabled", True)), fields=["after_resource"], name="collect_source_after"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Fetch",
            fields=[
                (
                    "id",
                    models.TextField(
                        default=datong.collect.store.source_models._fetch_id, primary_key=True, serialize=False
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="collect.source"
                    ),
                ),
                ("trigger", models.TextField(default="hand")),
                ("state", models.TextField(default="fetching")),
                ("started_by", models.TextField()),
                ("started_by_name", models.TextField()),
                ("started_at", models.DateTimeField(default=datong.kernel.clock.now)),
                ("finished_at", models.DateTimeField(null=True)),
                ("attempts", models.IntegerField(default=0)),
                ("job_id", models.TextField(null=True)),
                ("filename", models.TextField(default="")),
                ("rows", models.BigIntegerField(null=True)),
                ("bytes", models.BigIntegerField(default=0)),
                ("run_id", models.TextField(null=True)),
                ("run_number", models.TextField(default="")),
                ("cursor", models.JSONField(default=dict)),
                ("seen", models.BinaryField(default=b"")),
                ("has_more", models.BooleanField(default=False)),
                ("failure", models.JSONField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["source", "-started_at"], name="collect_fetch_of_source"),
                    models.Index(fields=["run_id"], name="collect_fetch_of_run"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["fetching", "landed"])),
                        fields=("source",),
                        name="collect_fetch_one_at_a_time",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SourceFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="collect.source"
                    ),
                ),
                (
                    "fetch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="collect.fetch"
                    ),
                ),
                ("name", models.TextField()),
                ("bytes", models.BigIntegerField()),
                ("modified_ns", models.BigIntegerField()),
                ("digest", models.TextField()),
                ("state", models.TextField(default="landed")),
            ],
            options={
                "indexes": [models.Index(fields=["source", "name"], name="collect_file_of_source")],
            },
        ),
    ]
