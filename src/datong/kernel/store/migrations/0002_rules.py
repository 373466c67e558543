"""Rules that hold against raw SQL too: append-only audit, separated roles; the shared cache table."""

from django.db import migrations

AUDIT = """
create function kernel_audit_row_guard() returns trigger language plpgsql as $$
begin
    if tg_op in ('DELETE', 'TRUNCATE') then
        raise exception 'audit rows are never deleted' using errcode = 'insufficient_privilege';
    end if;
    if (to_jsonb(old) - '{seal_seq,log_index,entry_sha256}'::text[])
        is distinct from (to_jsonb(new) - '{seal_seq,log_index,entry_sha256}'::text[])
        or (old.seal_seq is not null and new.seal_seq is distinct from old.seal_seq)
        or (old.log_index is not null and new.log_index is distinct from old.log_index)
        or (old.entry_sha256 is not null and new.entry_sha256 is distinct from old.entry_sha256)
    then
        raise exception 'audit rows are never changed; sealing is written once' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger kernel_audit_row_fixed before update or delete on kernel_audit_row
    for each row execute function kernel_audit_row_guard();
create trigger kernel_audit_row_kept before truncate on kernel_audit_row
    for each statement execute function kernel_audit_row_guard();
"""

ROLES = """
create function kernel_role_pair_allowed(one text, other text) returns boolean language sql immutable as $$
    select one = other or (least(one, other), greatest(one, other)) in (('approver', 'steward'), ('bureau', 'steward'))
$$;
create function kernel_role_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then
        if old.withdrawn_at is not null
            or (new.id, new.member_id, new.role, new.assigned_by_id, new.assigned_at)
                is distinct from (old.id, old.member_id, old.role, old.assigned_by_id, old.assigned_at)
        then
            raise exception 'a role assignment can only be withdrawn, once' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end if;
    perform 1 from kernel_member where id = new.member_id for update;
    if exists (
        select 1 from kernel_role_assignment held
        where held.member_id = new.member_id and held.withdrawn_at is null
            and not kernel_role_pair_allowed(held.role, new.role)
    ) then
        raise exception 'role % may not meet the roles already held', new.role using errcode = 'insufficient_privilege';
    end if;
    if new.assigned_by_id is null then
        if new.role not in ('operator', 'security', 'auditor')
            or exists (select 1 from kernel_role_assignment other where other.role = new.role)
        then
            raise exception 'only the first officers are assigned by nobody' using errcode = 'insufficient_privilege';
        end if;
    elsif new.assigned_by_id = new.member_id then
        raise exception 'nobody assigns a role to themselves' using errcode = 'insufficient_privilege';
    elsif not exists (
        select 1 from kernel_role_assignment officer
        where officer.member_id = new.assigned_by_id and officer.role = 'security' and officer.withdrawn_at is null
    ) then
        raise exception 'roles are assigned by a security officer' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger kernel_role_separated before insert or update on kernel_role_assignment
    for each row execute function kernel_role_guard();
create trigger kernel_role_history before delete on kernel_role_assignment
    for each row execute function kernel_audit_row_guard();
"""

CACHE = """
create table kernel_cache (
    cache_key varchar(255) primary key,
    value text not null,
    expires timestamp with time zone not null
);
create index kernel_cache_expires on kernel_cache (expires);
"""


class Migration(migrations.Migration):
    dependencies = [("kernel", "0001_initial")]
    operations = [
        migrations.RunSQL(AUDIT, migrations.RunSQL.noop),
        migrations.RunSQL(ROLES, migrations.RunSQL.noop),
        migrations.RunSQL(CACHE, "drop table kernel_cache"),
    ]
