from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [("catalog", "0002_immutable")]
    operations: ClassVar = []
