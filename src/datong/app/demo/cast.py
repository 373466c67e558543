"""Who appears in the demonstration: agencies, people and systems, all invented, and their accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from datong.kernel import ids
from datong.kernel.contracts import Actor, Role
from datong.kernel.files import write_private
from datong.kernel.identity import service as identity
from datong.kernel.ids import AgencyId, MemberId, SystemId

DIVISION = "990100"
"""安澜市: a code that GB/T 2260 assigns to nobody."""
BUREAU_CODE = "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class CastAgency:
    code: str
    name: str
    name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CastMember:
    """One account. `key` is its name in logins.json; None keeps it out of the six that visitors are shown first."""

    key: str
    username: str
    name: str
    name_en: str
    agency: str
    role: Role | None


AGENCIES = (
    CastAgency(code="psb", name="市公安局", name_en="Public Security Bureau"),
    CastAgency(code="amr", name="市市场监管局", name_en="Market Regulation Bureau"),
    CastAgency(code="hrss", name="市人力资源和社会保障局", name_en="Human Resources and Social Security Bureau"),
    CastAgency(code="civil", name="市民政局", name_en="Civil Affairs Bureau"),
    CastAgency(code="stats", name="市统计局", name_en="Statistics Bureau"),
    CastAgency(code="eco", name="市生态环境局", name_en="Ecology and Environment Bureau"),
    CastAgency(code="transport", name="市交通运输局", name_en="Transport Bureau"),
    CastAgency(code="public", name="社会公众", name_en="The public"),
)

OFFICERS = (
    CastMember(
        key="operator", username="operator", name="罗启明", name_en="Luo Qiming", agency="data", role=Role.OPERATOR
    ),
    CastMember(
        key="security", username="security", name="沈若安", name_en="Shen Ruoan", agency="data", role=Role.SECURITY
    ),
    CastMember(
        key="auditor", username="auditor", name="高其正", name_en="Gao Qizheng", agency="data", role=Role.AUDITOR
    ),
)

MEMBERS = (
    CastMember(key="bureau", username="bureau", name="林同舟", name_en="Lin Tongzhou", agency="data", role=Role.BUREAU),
    CastMember(
        key="steward", username="steward", name="周文澜", name_en="Zhou Wenlan", agency="hrss", role=Role.STEWARD
    ),
    CastMember(key="approver", username="approver", name="王海", name_en="Wang Hai", agency="psb", role=Role.APPROVER),
    CastMember(
        key="steward_psb", username="steward.psb", name="韩松", name_en="Han Song", agency="psb", role=Role.STEWARD
    ),
    CastMember(
        key="steward_amr", username="steward.amr", name="唐宁", name_en="Tang Ning", agency="amr", role=Role.STEWARD
    ),
    CastMember(
        key="approver_amr",
        username="approver.amr",
        name="许明远",
        name_en="Xu Mingyuan",
        agency="amr",
        role=Role.APPROVER,
    ),
    CastMember(
        key="steward_civil", username="steward.civil", name="何静", name_en="He Jing", agency="civil", role=Role.STEWARD
    ),
    CastMember(
        key="approver_civil",
        username="approver.civil",
        name="罗立群",
        name_en="Luo Liqun",
        agency="civil",
        role=Role.APPROVER,
    ),
    CastMember(
        key="steward_stats",
        username="steward.stats",
        name="邓一帆",
        name_en="Deng Yifan",
        agency="stats",
        role=Role.STEWARD,
    ),
    CastMember(
        key="steward_eco", username="steward.eco", name="江月", name_en="Jiang Yue", agency="eco", role=Role.STEWARD
    ),
    CastMember(
        key="approver_eco", username="approver.eco", name="方舟", name_en="Fang Zhou", agency="eco", role=Role.APPROVER
    ),
    CastMember(
        key="steward_transport",
        username="steward.transport",
        name="陆行",
        name_en="Lu Xing",
        agency="transport",
        role=Role.STEWARD,
    ),
    CastMember(key="public", username="public", name="访客", name_en="Visitor", agency="public", role=None),
)

SYSTEM_NAME, REGISTRATION_SYSTEM_NAME = "养老待遇资格核验系统", "市场主体登记系统"


class Cast:
    """The accounts by key, once they exist, and the means to act as them."""

    def __init__(
        self,
        members: Mapping[str, MemberId],
        agencies: Mapping[str, AgencyId],
        system_id: SystemId,
        registration_system_id: SystemId,
    ) -> None:
        self._members = members
        self.agencies = agencies
        self.system_id = system_id
        """Of the agency hrss: the one whose token the demonstration holds."""
        self.registration_system_id = registration_system_id
        """Of the agency amr."""

    def actor(self, key: str) -> Actor:
        return identity.actor_of_member(self._members[key])


def hire(logins_file: Path) -> Cast:
    """Make every account with a random password, and write logins.json (0600)."""
    passwords: dict[str, str] = {}
    members: dict[str, MemberId] = {}
    officers = identity.create_first_officers(
        agency_code=BUREAU_CODE,
        agency_name="市数据局",
        agency_name_en="Data Bureau",
        usernames={m.role: m.username for m in OFFICERS if m.role},
        display_names={m.role: m.name for m in OFFICERS if m.role},
    )
    for officer in OFFICERS:
        assert officer.role is not None
        created = officers[officer.role]
        members[officer.key] = created.id
        passwords[officer.key] = _take_over(created.id, created.first_password)
    operator = identity.actor_of_member(members["operator"])
    agencies = {BUREAU_CODE: identity.get_agency(BUREAU_CODE).id}
    for agency in AGENCIES:
        made = identity.create_agency(
            operator, code=agency.code, name=agency.name, name_en=agency.name_en, division_code=DIVISION
        )
        agencies[agency.code] = made.id
    for member in MEMBERS:
        account = identity.create_member(
            operator,
            username=member.username,
            display_name=member.name,
            name_en=member.name_en,
            agency_id=agencies[member.agency],
        )
        members[member.key] = account.id
        passwords[member.key] = _take_over(account.id, account.first_password)
        if member.role:
            security = identity.actor_of_member(members["security"])
            identity.assign_role(security, account.id, member.role)
    system = identity.create_system(operator, agency_id=agencies["hrss"], name=SYSTEM_NAME)
    other = identity.create_system(operator, agency_id=agencies["amr"], name=REGISTRATION_SYSTEM_NAME)
    _write_logins(logins_file, passwords)
    return Cast(members, agencies, system.id, other.id)


def recall(logins_file: Path) -> Cast:
    """The accounts of an earlier demonstration, each with a new random password."""
    known = orjson.loads(logins_file.read_bytes())
    members = {m.username: m.id for m in identity.find_members()}
    by_key = {m.key: members[m.username] for m in (*OFFICERS, *MEMBERS)}
    passwords = {key: _take_over(member_id, known[key]["password"]) for key, member_id in by_key.items()}
    _write_logins(logins_file, passwords)
    agencies = {agency.code: agency.id for agency in identity.find_agencies()}
    systems = {system.name: system.id for system in identity.find_systems()}
    return Cast(by_key, agencies, systems[SYSTEM_NAME], systems[REGISTRATION_SYSTEM_NAME])


def issue_token(cast: Cast, token_file: Path) -> str:
    """A new bearer token for the system, written 0600; earlier ones of this system end."""
    security = cast.actor("security")
    for key in identity.find_keys(cast.system_id):
        if key.revoked_at is None:
            identity.revoke_system_key(security, key.id, reason="演示重新签发密钥")
    token = identity.issue_system_key(security, cast.system_id).token
    write_private(token_file, token.encode())
    return token


def _take_over(member_id: MemberId, first_password: str) -> str:
    """What a new member does first: change the first password."""
    password = ids.new_token("demo")
    identity.change_password(member_id, current=first_password, new=password)
    return password


def _write_logins(path: Path, passwords: Mapping[str, str]) -> None:
    logins = {
        member.key: {
            "username": member.username,
            "password": passwords[member.key],
            "name": member.name,
            "agency": member.agency,
            "role": member.role.value if member.role else "",
        }
        for member in (*OFFICERS, *MEMBERS)
    }
    write_private(path, orjson.dumps(logins, option=orjson.OPT_INDENT_2))
