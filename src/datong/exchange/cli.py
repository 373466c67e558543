"""`datong request …` and `datong grant …`: asking, deciding, revoking at a terminal."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from datong.exchange.contracts import GrantColumn, Mode, Treatment
from datong.exchange.requests import GrantView, RequestDraft, RequestView
from datong.kernel import clock
from datong.kernel.failures import BadInput, NotFound
from datong.kernel.ids import ResourceId, SystemId
from datong.kernel.terminal import ask_actor, print_json, print_table

As = Annotated[str, typer.Option("--as", metavar="MEMBER", help="The member who acts; the password is asked for.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    request = typer.Typer(help="Requests for access.", no_args_is_help=True)
    grant = typer.Typer(help="Grants.", no_args_is_help=True)
    app.add_typer(request, name="request")
    app.add_typer(grant, name="grant")
    request.command("submit")(submit_request)
    request.command("list")(list_requests)
    request.command("show")(show_request)
    request.command("approve")(approve_request)
    request.command("refuse")(refuse_request)
    grant.command("list")(list_grants)
    grant.command("show")(show_grant)
    grant.command("revoke")(revoke_grant)


def submit_request(
    resource: Annotated[str, typer.Argument(help="The resource's id.")],
    column: Annotated[list[str], typer.Option(help="NAME, NAME:compare, NAME:plain or NAME:masked; may be repeated.")],
    mode: Annotated[list[Mode], typer.Option(help="verify or batch; may be repeated.")],
    purpose: Annotated[str, typer.Option(help="The purpose's code, said again in every call.")],
    purpose_title: Annotated[str, typer.Option(help="The purpose in words.")],
    legal_basis: Annotated[str, typer.Option(help="Law and article.")],
    system: Annotated[str, typer.Option(help="The id of your system that will call.")],
    acting: As,
    until: Annotated[str, typer.Option(help="The last day, YYYY-MM-DD; without it, in 180 days.")] = "",
    as_json: AsJson = False,
) -> None:
    """Ask another agency for a resource (steward)."""
    from datong.exchange import service

    draft = RequestDraft(
        resource_id=ResourceId(resource),
        system_id=SystemId(system),
        modes=tuple(mode),
        columns=tuple(_read_column(text) for text in column),
        purpose=purpose,
        purpose_title=purpose_title,
        legal_basis=legal_basis,
        valid_until=_read_day(until) if until else clock.today() + timedelta(days=180),
    )
    _tell_request(service.request_access(ask_actor(acting), draft), as_json=as_json)


def list_requests(acting: As, as_json: AsJson = False) -> None:
    """The requests that concern your agency, newest first."""
    from datong.exchange import service

    found = service.find_requests(ask_actor(acting))
    if as_json:
        print_json([_plain(request) for request in found])
        return
    table = Table(Column("number", no_wrap=True), "resource", "by", "state", box=None)
    for request in found:
        table.add_row(request.number, request.resource_title, request.agency_name, request.state.value)
    print_table(table)


def show_request(number: Annotated[str, typer.Argument(help="Q-…")], acting: As, as_json: AsJson = False) -> None:
    """One request."""
    _tell_request(_find_request(number, acting)[1], as_json=as_json)


def approve_request(
    number: Annotated[str, typer.Argument(help="Q-…")],
    acting: As,
    note: Annotated[str, typer.Option(help="A note for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Approve a request (the owner's approver): it becomes a grant."""
    _decide(number, acting, "approve", note, as_json=as_json)


def refuse_request(
    number: Annotated[str, typer.Argument(help="Q-…")],
    reason: Annotated[str, typer.Argument(help="Why; the other agency reads it.")],
    acting: As,
    as_json: AsJson = False,
) -> None:
    """Refuse a request (the owner's approver); a reason is needed."""
    _decide(number, acting, "refuse", reason, as_json=as_json)


def list_grants(acting: As, as_json: AsJson = False) -> None:
    """The grants that your agency gave or holds, newest first."""
    from datong.exchange import service

    found = service.find_grants(ask_actor(acting))
    if as_json:
        print_json([_plain(grant) for grant in found])
        return
    table = Table(Column("number", no_wrap=True), "resource", "for", "until", "state", box=None)
    for grant in found:
        until = grant.valid_until.astimezone(clock.CIVIL_ZONE) - timedelta(seconds=1)
        table.add_row(grant.number, grant.resource_title, grant.agency_name, f"{until:%Y-%m-%d}", grant.state.value)
    print_table(table)


def show_grant(number: Annotated[str, typer.Argument(help="G-…")], acting: As, as_json: AsJson = False) -> None:
    """One grant."""
    _tell_grant(_find_grant(number, acting)[1], as_json=as_json)


def revoke_grant(
    number: Annotated[str, typer.Argument(help="G-…")],
    reason: Annotated[str, typer.Argument(help="Why; the other agency reads it.")],
    acting: As,
    as_json: AsJson = False,
) -> None:
    """Revoke a grant (the owner's approver): the next call under it is refused."""
    from datong.exchange import service

    actor, grant = _find_grant(number, acting)
    _tell_grant(service.revoke_grant(actor, grant.id, reason), as_json=as_json)


def _decide(number: str, acting: str, decision: str, reason: str, *, as_json: bool) -> None:
    from datong.cases.contracts import Decision
    from datong.cases.service import decide_case
    from datong.exchange import service

    actor, request = _find_request(number, acting)
    decide_case(actor, request.case_id, Decision(decision), reason)
    _tell_request(service.get_request(actor, request.id), as_json=as_json)


def _find_request(number: str, acting: str) -> tuple[Any, RequestView]:
    from datong.exchange import service

    actor = ask_actor(acting)
    for request in service.find_requests(actor):
        if number in (request.number, request.id):
            return actor, request
    raise NotFound("List the requests to see which there are.", number=number)


def _find_grant(number: str, acting: str) -> tuple[Any, GrantView]:
    from datong.exchange import service

    actor = ask_actor(acting)
    for grant in service.find_grants(actor):
        if number in (grant.number, grant.id):
            return actor, grant
    raise NotFound("List the grants to see which there are.", number=number)


def _read_column(text: str) -> GrantColumn:
    name, _, treatment = text.partition(":")
    known = [t.value for t in Treatment]
    if treatment and treatment not in known:
        raise BadInput(f"Write {name}:{' or '.join(known)}.", column=text)
    return GrantColumn(name=name, treatment=Treatment(treatment or Treatment.COMPARE))


def _read_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput("Write the day as YYYY-MM-DD.", until=text) from None


def _plain(view: RequestView | GrantView) -> dict[str, Any]:
    return asdict(view)


def _tell_request(request: RequestView, *, as_json: bool) -> None:
    if as_json:
        print_json(_plain(request))
        return
    typer.echo(f"{request.number}: {request.agency_name} asks {request.owner_agency_name} for {request.resource_title}")
    typer.echo(f"  {', '.join(request.draft.modes)}; {', '.join(c.name for c in request.draft.columns)}")
    typer.echo(f"  for {request.draft.purpose_title} under {request.draft.legal_basis}: {request.state.value}")


def _tell_grant(grant: GrantView, *, as_json: bool) -> None:
    if as_json:
        print_json(_plain(grant))
        return
    typer.echo(f"{grant.number}: {grant.agency_name} uses {grant.resource_title} of {grant.owner_agency_name}")
    typer.echo(f"  {', '.join(grant.modes)}; {', '.join(f'{c.name}:{c.treatment.value}' for c in grant.columns)}")
    typer.echo(f"  for {grant.purpose_title}: {grant.state.value}{' (expired)' if grant.is_expired else ''}")
