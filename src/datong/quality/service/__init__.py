"""The verbs of quality: report a version, open and close work orders, waive a rule, read the league."""

from datong.quality.service.league import find_league
from datong.quality.service.orders import escalate_overdue, find_orders, get_order, get_order_history
from datong.quality.service.reports import (
    find_reports,
    get_report,
    latest_report,
    record_run,
    render_report_html,
    render_report_pdf,
    trend_of,
)
from datong.quality.service.rows import find_failing_rows, run_on_engine, write_failing_rows_csv
from datong.quality.service.waivers import (
    end_waiver,
    find_waivable_rules,
    find_waived_rules,
    find_waivers,
    waive_rule,
)

__all__ = [
    "end_waiver",
    "escalate_overdue",
    "find_failing_rows",
    "find_league",
    "find_orders",
    "find_reports",
    "find_waivable_rules",
    "find_waived_rules",
    "find_waivers",
    "get_order",
    "get_order_history",
    "get_report",
    "latest_report",
    "record_run",
    "render_report_html",
    "render_report_pdf",
    "run_on_engine",
    "trend_of",
    "waive_rule",
    "write_failing_rows_csv",
]
