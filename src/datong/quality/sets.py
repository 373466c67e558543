"""DuckDB SQL of the checks that need other rows or other tables: one select each, named steps, values written out.

The shape of the answer is that of `contracts.SetCheck`. Other tables are views that the caller has registered under
`Reference.relation`, typed as in the lake.
"""

# ruff: noqa: S608 - names go through sql.name_sql, values through sql.literal_sql

from __future__ import annotations

from collections.abc import Callable, Mapping

from datong.quality.contracts import Bound, CheckKind, ColumnPlan, Operator, RuleUnsupported, SetCheck
from datong.quality.sql import Literals, literal_sql, name_sql, typed_sql, value_sql

DUCKDB_TYPES = {
    "string": "varchar",
    "integer": "bigint",
    "number": "double",
    "date": "date",
    "timestamp": "timestamptz",
    "boolean": "boolean",
}
PSI_FLOOR = 0.0001
"""The least share of a bin, so that an empty one does not make the index infinite."""


def set_check_sql(check: SetCheck, rows: str, *, is_typed: bool) -> str:
    """The select of a set check over the relation `rows`."""
    given = f"with given as ({_given_sql(check, rows, is_typed=is_typed)})"
    if check.kind not in _WRITERS:
        raise RuleUnsupported(f"A {check.kind} check looks at one row.", check=check.id)
    return f"{given}{_WRITERS[check.kind](check)}"


def _given_sql(check: SetCheck, rows: str, *, is_typed: bool) -> str:
    """The rows under check with their columns typed: `ordinal` and the check's columns."""
    bindings = Literals()
    columns = [
        f"{name_sql(plan.name) if is_typed else typed_sql(plan, value_sql(plan, bindings), bindings)} "
        f"as {name_sql(plan.name)}"
        for plan in check.plans
    ]
    return f"select {', '.join(['ordinal', *columns])} from {bindings.over(rows)}"


def _present_sql(names: tuple[str, ...]) -> str:
    return " and ".join(f"{name_sql(name)} is not null" for name in names)


def _foreign_key_sql(check: SetCheck) -> str:
    """Rows whose whole key is there and occurs nowhere in the other table."""
    relation, targets = check.references[0].relation, check.params["targets"]
    wanted = ", ".join(
        f"try_cast({name_sql(target)} as {_type_of(check, own)}) as {name_sql(own)}"
        for own, target in zip(check.columns, targets, strict=True)
    )
    keys = ", ".join(map(name_sql, check.columns))
    return (
        f",\nknown as (select distinct {wanted} from {relation}),\n"
        f"asked as (select ordinal, {keys} from given where {_present_sql(check.columns)})\n"
        f"select ordinal from asked anti join known using ({keys})"
    )


def _cross_table_sql(check: SetCheck) -> str:
    """Rows that have a partner of the same key and do not agree with it."""
    keys, targets = check.params["keys"], check.params["targets"]
    same = " and ".join(
        f"given.{name_sql(own)} = try_cast(other.{name_sql(target)} as {_type_of(check, own)})"
        for own, target in zip(keys, targets, strict=True)
    )
    own = check.params["own"]
    theirs = f"try_cast(other.{name_sql(check.params['theirs'])} as {_type_of(check, own)})"
    return (
        f",\nbroken as (select ordinal from given join {check.references[0].relation} as other on {same}\n"
        f"  where not (given.{name_sql(own)} {check.params['operator']} {theirs}))\n"
        "select distinct ordinal from broken"
    )


def _type_of(check: SetCheck, name: str) -> str:
    return DUCKDB_TYPES[next(plan.logical_type for plan in check.plans if plan.name == name)]


def _duplicate_sql(check: SetCheck) -> str:
    """All but the last row of each repeated key: the surplus rows."""
    keys = ", ".join(map(name_sql, check.columns))
    return (
        f"\nselect ordinal from given where {_present_sql(check.columns)}\n"
        f"qualify row_number() over (partition by {keys} order by ordinal desc) > 1"
    )


def _row_change_sql(check: SetCheck) -> str:
    """The change of the row count against the mean of the versions before, in percent of that mean."""
    counts, most = check.params["row_counts"], check.params["percent_max"]
    if not counts:
        return "\nselect 0.0::double as measured, false as is_broken from given limit 1"
    before = sum(counts) / len(counts)
    return (
        ",\ncounted as (select count(*) as n from given),\n"
        f"changed as (select case when {before!r} = 0 then case when n = 0 then 0.0 else 100.0 end\n"
        f"  else 100.0 * abs(n - {before!r}) / {max(before, 1e-9)!r} end::double as measured from counted)\n"
        f"select measured, measured > {float(most)!r} as is_broken from changed"
    )


def _drift_sql(check: SetCheck) -> str:
    """Population stability index Σ (p − q) ln(p / q) over bins of the version before.

    Numbers and dates fall into quantile bins of the version before, texts into its commonest values and the rest;
    missing values are a bin of their own. A share below `PSI_FLOOR` counts as that.
    """
    plan, bins = check.plans[0], int(check.params["bins"])
    name, relation = name_sql(plan.name), check.references[0].relation
    if plan.logical_type in ("integer", "number", "date", "timestamp"):
        value = f"epoch({name}::timestamp)" if plan.logical_type in ("date", "timestamp") else f"{name}::double"
        places = ", ".join(repr(i / bins) for i in range(1, bins))
        edges = f"(select list_distinct(quantile_cont({value}, [{places}])) as list from {relation})"
        bin_sql = "case when v is null then -1 else len(list_filter(edges.list, edge -> edge < v)) end"
    else:
        value = f"{name}::varchar"
        edges = (
            f"(select list(value) as list from (select {value} as value from {relation} where {name} is not null "
            f"group by all order by count(*) desc, value limit {bins * 2}))"
        )
        bin_sql = "case when v is null then -1 else coalesce(list_position(edges.list, v), 0) end"
    return (
        f",\nedges as {edges},\n"
        f"before as (select {bin_sql} as bin, count(*) as n\n"
        f"  from (select {value} as v from {relation}), edges group by 1),\n"
        f"after as (select {bin_sql} as bin, count(*) as n\n"
        f"  from (select {value} as v from given), edges group by 1),\n"
        f"shares as (select\n"
        f"  greatest(coalesce(before.n, 0) / (select sum(n) from before), {PSI_FLOOR}) as q,\n"
        f"  greatest(coalesce(after.n, 0) / (select sum(n) from after), {PSI_FLOOR}) as p\n"
        f"  from before full join after using (bin)),\n"
        f"measured as (select coalesce(sum((p - q) * ln(p / q)), 0.0)::double as measured from shares)\n"
        f"select round(measured, 4) as measured, measured > {float(check.params['psi_max'])!r} as is_broken\n"
        "from measured"
    )


def _table_fresh_sql(check: SetCheck) -> str:
    """Days since the newest value of the column; a table without one is not fresh."""
    newest = f"max({name_sql(check.column)})::date"
    as_of = literal_sql(check.params["as_of"])
    return (
        f",\naged as (select date_diff('day', {newest}, {as_of})::double as measured from given)\n"
        f"select measured, coalesce(measured > {int(check.params['days_max'])}, true) as is_broken from aged"
    )


def _query_sql(check: SetCheck) -> str:
    """The contract's own select, checked against the allow-list when the plan was compiled."""
    table, columns = name_sql(check.params["table"]), ", ".join(name_sql(plan.name) for plan in check.plans)
    return (
        f",\n{table} as (select {columns} from given),\n"
        f"answered as (select ({check.params['query'].rstrip().rstrip(';')})::double as measured)\n"
        f"select measured, coalesce(not {_bound_sql(check.bound, 'measured')}, true) as is_broken from answered"
    )


def _row_count_sql(check: SetCheck) -> str:
    broken = f"not {_bound_sql(check.bound, 'count(*)')}"
    return f"\nselect count(*)::double as measured, {broken} as is_broken from given"


def _bound_sql(bound: Bound | None, measured: str) -> str:
    """The bound as a condition on a measured value."""
    if bound is None:
        return f"({measured} = 0)"
    low, high = literal_sql(bound.low), literal_sql(bound.low if bound.high is None else bound.high)
    return {
        Operator.MUST_BE: f"({measured} = {low})",
        Operator.MUST_NOT_BE: f"({measured} <> {low})",
        Operator.GREATER: f"({measured} > {low})",
        Operator.GREATER_OR_EQUAL: f"({measured} >= {low})",
        Operator.LESS: f"({measured} < {low})",
        Operator.LESS_OR_EQUAL: f"({measured} <= {low})",
        Operator.BETWEEN: f"({measured} between {low} and {high})",
        Operator.NOT_BETWEEN: f"({measured} not between {low} and {high})",
    }[bound.operator]


def columns_read(checks: tuple[SetCheck, ...]) -> tuple[ColumnPlan, ...]:
    """The columns of the rows under check that these checks read, each once: what a caller must hold for them."""
    return tuple({plan.name: plan for check in checks for plan in check.plans}.values())


_WRITERS: Mapping[CheckKind, Callable[[SetCheck], str]] = {
    CheckKind.FOREIGN_KEY: _foreign_key_sql,
    CheckKind.CROSS_TABLE: _cross_table_sql,
    CheckKind.DUPLICATE: _duplicate_sql,
    CheckKind.ROW_COUNT: _row_count_sql,
    CheckKind.ROW_CHANGE: _row_change_sql,
    CheckKind.DRIFT: _drift_sql,
    CheckKind.TABLE_FRESH: _table_fresh_sql,
    CheckKind.SQL: _query_sql,
}
