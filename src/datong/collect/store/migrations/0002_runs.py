from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("collect", "0001_initial"), ("kernel", "0003_audit_reading")]
    operations: ClassVar = [
        migrations.AddField("run", "accepted", models.JSONField(default=list)),
        migrations.AddField("run", "bill", models.JSONField(null=True)),
        migrations.AddField("run", "bill_differences", models.JSONField(default=list)),
        migrations.AddField("run", "blocks", models.JSONField(default=list)),
        migrations.AddField("run", "changes", models.JSONField(default=list)),
        migrations.AddField("run", "landed_gone_at", models.DateTimeField(null=True)),
        migrations.AddField("run", "notes", models.JSONField(default=list)),
        migrations.AddField("run", "origin_cursor", models.JSONField(default=dict)),
        migrations.AddField("run", "origin_kind", models.TextField(default="upload")),
        migrations.AddField("run", "origin_source", models.TextField(default="")),
        migrations.AddField("run", "rows_written", models.JSONField(default=dict)),
        migrations.AddIndex("run", models.Index(fields=["agency", "digest"], name="collect_run_of_file")),
        migrations.AddIndex(
            "run",
            models.Index(
                fields=["finished_at"],
                name="collect_run_landed",
                condition=models.Q(landed_gone_at__isnull=True),
            ),
        ),
    ]
