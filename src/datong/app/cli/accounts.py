"""Accounts at a terminal: the first officers, agencies, members, roles, systems and their keys."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from datong.kernel.contracts import Role
from datong.kernel.terminal import ask_actor, print_json

As = Annotated[str, typer.Option("--as", metavar="MEMBER", help="The member who acts; the password is asked for.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    app.command()(bootstrap)
    agency = _add_group(app, "agency", "Agencies.")
    agency.command("create")(create_agency)
    agency.command("list")(list_agencies)
    member = _add_group(app, "member", "Members.")
    member.command("create")(create_member)
    member.command("list")(list_members)
    role = _add_group(app, "role", "Roles, assigned by the security officer.")
    role.command("assign")(assign_role)
    role.command("withdraw")(withdraw_role)
    system = _add_group(app, "system", "Systems.")
    system.command("create")(create_system)
    system.command("list")(list_systems)
    key = _add_group(app, "key", "Keys of systems.")
    key.command("list")(list_keys)
    key.command("issue")(issue_key)
    key.command("revoke")(revoke_key)


def _add_group(app: typer.Typer, name: str, text: str) -> typer.Typer:
    group = typer.Typer(help=text, no_args_is_help=True)
    app.add_typer(group, name=name)
    return group


def bootstrap(
    agency: Annotated[str, typer.Argument(help="Code of the agency that runs the platform, e.g. data.")],
    name: Annotated[str, typer.Argument(help="Its name.")],
) -> None:
    """Make the first operator, security officer and auditor; only on a platform without members."""
    from datong.kernel.identity.service import create_first_officers

    for role, created in create_first_officers(agency_code=agency, agency_name=name).items():
        typer.echo(f"{role.value}: user name {created.username}, first password {created.first_password}")
    typer.echo("Give each to another person, who changes it at the first sign-in. They are shown this once.")


def create_agency(
    code: Annotated[str, typer.Argument(help="A short code, e.g. psb.")],
    name: Annotated[str, typer.Argument(help="The full name.")],
    acting: As,
    name_en: Annotated[str, typer.Option(help="The English name.")] = "",
    division: Annotated[str, typer.Option(help="Division code (GB/T 2260).")] = "",
    uscc: Annotated[str, typer.Option(help="Unified social credit code (GB 32100).")] = "",
) -> None:
    """Create an agency (operator)."""
    from datong.kernel.identity import service
    from datong.standards.identifiers import check_uscc

    finding = check_uscc(uscc) if uscc else None
    if finding is not None:
        raise typer.BadParameter(finding.message_en, param_hint="--uscc")
    made = service.create_agency(
        ask_actor(acting), code=code, name=name, name_en=name_en, division_code=division, uscc=uscc
    )
    typer.echo(f"{made.name} ({made.code})")


def list_agencies(as_json: AsJson = False) -> None:
    """List the agencies."""
    from datong.kernel.identity import service

    found = service.find_agencies()
    if as_json:
        print_json([{"code": a.code, "name": a.name, "name_en": a.name_en, "division": a.division_code} for a in found])
    else:
        for agency in found:
            typer.echo(f"{agency.code}\t{agency.name}\t{agency.name_en}")


def create_member(
    username: Annotated[str, typer.Argument(help="The user name.")],
    name: Annotated[str, typer.Argument(help="The person's name.")],
    agency: Annotated[str, typer.Argument(help="The agency's code.")],
    acting: As,
) -> None:
    """Create an account without a role (operator); the first password is shown once."""
    from datong.kernel.identity import service

    actor = ask_actor(acting)
    made = service.create_member(actor, username=username, display_name=name, agency_id=service.get_agency(agency).id)
    typer.echo(f"{made.username}: first password {made.first_password}")


def list_members(as_json: AsJson = False) -> None:
    """List the members and their roles."""
    from datong.kernel.identity import service

    found = service.find_members()
    if as_json:
        print_json(
            [
                {"username": m.username, "name": m.display_name, "agency": m.agency_name, "roles": list(m.roles)}
                for m in found
            ]
        )
    else:
        for member in found:
            typer.echo(f"{member.username}\t{member.display_name}\t{member.agency_name}\t{', '.join(member.roles)}")


def assign_role(
    username: Annotated[str, typer.Argument(help="Who gets it.")],
    role: Annotated[Role, typer.Argument(help="The role.")],
    acting: As,
) -> None:
    """Assign a role (security officer; never one's own, never one that may not meet another)."""
    from datong.kernel.identity import service

    service.assign_role(ask_actor(acting), service.get_member(username).id, role)
    typer.echo(f"{username} is {role.value} now")


def withdraw_role(
    username: Annotated[str, typer.Argument(help="Whose role ends.")],
    role: Annotated[Role, typer.Argument(help="The role.")],
    reason: Annotated[str, typer.Argument(help="Why.")],
    acting: As,
) -> None:
    """Withdraw a role (security officer)."""
    from datong.kernel.identity import service

    service.withdraw_role(ask_actor(acting), service.get_member(username).id, role, reason=reason)
    typer.echo(f"{username} is no longer {role.value}")


def create_system(
    agency: Annotated[str, typer.Argument(help="The agency's code.")],
    name: Annotated[str, typer.Argument(help="The system's name.")],
    acting: As,
) -> None:
    """Register a system (operator)."""
    from datong.kernel.identity import service

    made = service.create_system(ask_actor(acting), agency_id=service.get_agency(agency).id, name=name)
    typer.echo(made.id)


def list_systems(as_json: AsJson = False) -> None:
    """List the systems."""
    from datong.kernel.identity import service

    found = service.find_systems()
    if as_json:
        print_json([{"id": s.id, "name": s.name, "agency": s.agency_name} for s in found])
    else:
        for system in found:
            typer.echo(f"{system.id}\t{system.name}\t{system.agency_name}")


def list_keys(
    system: Annotated[str, typer.Argument(help="The system's id.")],
    as_json: AsJson = False,
) -> None:
    """List a system's keys: id, first characters, until when, whether revoked. No secret is shown."""
    from datong.kernel.identity import service
    from datong.kernel.ids import SystemId

    found = service.find_keys(SystemId(system))
    if as_json:
        print_json([asdict(key) for key in found])
        return
    for key in found:
        state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else f"until {key.expires_at:%Y-%m-%d}"
        typer.echo(f"{key.id}\t{key.shown}…\t{state}")


def issue_key(
    system: Annotated[str, typer.Argument(help="The system's id.")],
    acting: As,
    days: Annotated[int, typer.Option(help="Days until it ends.")] = 180,
) -> None:
    """Issue a bearer token (security officer); it is printed once and stored nowhere."""
    from datong.kernel.identity import service
    from datong.kernel.ids import SystemId

    issued = service.issue_system_key(ask_actor(acting), SystemId(system), days=days)
    typer.echo(issued.token)


def revoke_key(
    key: Annotated[str, typer.Argument(help="The key's id.")],
    reason: Annotated[str, typer.Argument(help="Why.")],
    acting: As,
) -> None:
    """Revoke a key (security officer): the next call with it is refused."""
    from datong.kernel.identity import service
    from datong.kernel.ids import KeyId

    service.revoke_system_key(ask_actor(acting), KeyId(key), reason=reason)
    typer.echo(f"{key} is revoked")
