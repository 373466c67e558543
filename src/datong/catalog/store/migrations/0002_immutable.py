"""A contract version is never changed or deleted, by raw SQL either; a resource keeps its id and its agency."""

from django.db import migrations

GUARD = """
create function catalog_contract_version_guard() returns trigger language plpgsql as $$
begin
    raise exception 'contract versions are never changed or deleted' using errcode = 'insufficient_privilege';
end $$;
create trigger catalog_contract_version_fixed before update or delete on catalog_contractversion
    for each row execute function catalog_contract_version_guard();
create trigger catalog_contract_version_kept before truncate on catalog_contractversion
    for each statement execute function catalog_contract_version_guard();

create function catalog_resource_guard() returns trigger language plpgsql as $$
begin
    if new.id <> old.id or new.agency_id <> old.agency_id then
        raise exception 'a resource keeps its id and its agency' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger catalog_resource_fixed before update on catalog_resource
    for each row execute function catalog_resource_guard();
"""

NO_GUARD = """
drop trigger catalog_resource_fixed on catalog_resource;
drop function catalog_resource_guard();
drop trigger catalog_contract_version_kept on catalog_contractversion;
drop trigger catalog_contract_version_fixed on catalog_contractversion;
drop function catalog_contract_version_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]
    operations = [migrations.RunSQL(GUARD, NO_GUARD)]
