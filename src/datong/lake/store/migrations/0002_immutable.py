"""A version is never changed or deleted, by raw SQL either: it is what grants, receipts and releases point at."""

from django.db import migrations

GUARD = """
create function lake_version_guard() returns trigger language plpgsql as $$
begin
    raise exception 'versions are never changed or deleted' using errcode = 'insufficient_privilege';
end $$;
create trigger lake_version_fixed before update or delete on lake_version
    for each row execute function lake_version_guard();
create trigger lake_version_kept before truncate on lake_version
    for each statement execute function lake_version_guard();
"""

NO_GUARD = """
drop trigger lake_version_kept on lake_version;
drop trigger lake_version_fixed on lake_version;
drop function lake_version_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("lake", "0001_initial")]
    operations = [migrations.RunSQL(GUARD, NO_GUARD)]
