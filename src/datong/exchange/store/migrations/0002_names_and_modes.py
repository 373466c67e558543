"""Who revoked a grant, by id; which mode a refused call wanted. Usage is folded anew: it is a copy of the log."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("exchange", "0001_initial")]

    operations: ClassVar = [
        migrations.AddField("grant", "revoked_by", models.TextField(default="")),
        migrations.AddField("usage", "wanted_mode", models.TextField(default="")),
        migrations.RunSQL(
            [
                "delete from exchange_usage",
                "update exchange_foldposition set next_index = 0 where reader = 'exchange.usage'",
            ],
            reverse_sql=migrations.RunSQL.noop,
        ),
    ]
