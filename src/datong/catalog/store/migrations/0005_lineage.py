from typing import ClassVar

import django.core.serializers.json
from django.db import migrations, models

import datong.kernel.clock


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("catalog", "0004_search"),
    ]

    operations: ClassVar = [
        migrations.RemoveField(model_name="resource", name="search_text"),
        migrations.CreateModel(
            name="LineageEdge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("job", models.TextField()),
                ("source", models.TextField()),
                ("source_title", models.JSONField(default=list)),
                ("source_column", models.TextField()),
                ("target", models.TextField()),
                ("target_title", models.JSONField(default=list)),
                ("target_column", models.TextField()),
                ("kind", models.TextField()),
                ("detail", models.JSONField(default=list)),
                ("masks", models.BooleanField(default=False)),
                ("run_id", models.TextField()),
                ("at", models.DateTimeField(default=datong.kernel.clock.now)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["source", "source_column"], name="catalog_lineage_source"),
                    models.Index(fields=["target", "target_column"], name="catalog_lineage_target"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("job", "source", "source_column", "target", "target_column", "kind"),
                        name="catalog_lineage_edge_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LineageEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("job", models.TextField()),
                ("run_id", models.TextField(unique=True)),
                ("event", models.JSONField(encoder=django.core.serializers.json.DjangoJSONEncoder)),
                ("at", models.DateTimeField(default=datong.kernel.clock.now)),
                ("sent_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField(default=datong.kernel.clock.now)),
            ],
            options={
                "ordering": ["id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("sent_at__isnull", True)), fields=["id"], name="catalog_lineage_unsent"
                    )
                ],
            },
        ),
    ]
