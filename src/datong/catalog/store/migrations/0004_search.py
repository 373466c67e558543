"""The search index. `datong resource reindex` writes the rows of resources that were there before it."""

from typing import ClassVar

import django.contrib.postgres.fields
import django.contrib.postgres.search
import django.db.models.deletion
from django.db import migrations, models

import datong.kernel.clock

INDEX = """
create index catalog_search_terms on catalog_searchentry using gin (terms, facets);
create index catalog_search_titles on catalog_searchentry using gin (title_terms, facets);
"""
DROP = "drop index catalog_search_terms; drop index catalog_search_titles;"


class Migration(migrations.Migration):
    dependencies: ClassVar = [("catalog", "0003_authoring")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="SearchEntry",
            fields=[
                (
                    "resource",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="catalog.resource",
                    ),
                ),
                ("title_text", models.TextField()),
                ("columns_text", models.TextField()),
                ("description_text", models.TextField()),
                ("title_terms", django.contrib.postgres.search.SearchVectorField()),
                ("terms", django.contrib.postgres.search.SearchVectorField()),
                ("facets", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                ("quality", models.FloatField(null=True)),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["-updated_at", "resource"], name="catalog_search_updated")],
            },
        ),
        migrations.CreateModel(
            name="SynonymGroup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "words",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None, unique=True),
                ),
                ("added_by", models.TextField()),
                ("added_at", models.DateTimeField(default=datong.kernel.clock.now)),
            ],
        ),
        migrations.RunSQL(INDEX, DROP),
    ]
