"""The exchange's verbs on the control side: ask, decide, serve, revoke, and read what was done."""

from datong.exchange.service.grants import find_grants, finish_revocations, get_grant, get_terms, revoke_grant
from datong.exchange.service.requests import (
    find_requests,
    get_request,
    offered_columns,
    offered_modes,
    request_access,
    withdraw_request,
)
from datong.exchange.service.serve import reconcile_serving, serve_grant, serve_keys, serve_resource
from datong.exchange.service.usage import count_usage, find_usage, fold_usage, summarise_usage

__all__ = [
    "count_usage",
    "find_grants",
    "find_requests",
    "find_usage",
    "finish_revocations",
    "fold_usage",
    "get_grant",
    "get_request",
    "get_terms",
    "offered_columns",
    "offered_modes",
    "reconcile_serving",
    "request_access",
    "revoke_grant",
    "serve_grant",
    "serve_keys",
    "serve_resource",
    "summarise_usage",
    "withdraw_request",
]
