"""The demonstration: one department's real table reaches another department's system, with proof."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from datong.app.demo import acts
from datong.app.demo.cast import Cast, hire, issue_token, recall
from datong.app.demo.client import Answer, SystemClient
from datong.app.demo.telling import Teller
from datong.exchange import service as exchange
from datong.exchange.contracts import Mode, Treatment
from datong.exchange.requests import GrantView
from datong.kernel.audit.notes import load_verifier
from datong.kernel.audit.service import count_unsealed, find_sealed_rows
from datong.kernel.audit.verify import verify_log
from datong.kernel.config import Settings, make_private_dir
from datong.kernel.files import write_private
from datong.kernel.ids import ResourceId
from datong.lake import service as lake
from datong.standards.divisions import national_divisions
from datong.testing.city import build_city

PURPOSE, PURPOSE_TITLE = "pension_eligibility", "养老待遇领取资格核验"
LEGAL_BASIS = "《中华人民共和国社会保险法》第七十四条；《政务数据共享条例》第十九条"
MAIN_RESOURCE, SECOND_RESOURCE, OTHER_RESOURCE = "psb_population", "civil_divisions", "amr_enterprise"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSize:
    people: int = 5000
    firms: int = 500
    seed: int = 7


class Story:
    """Tells it once on an empty platform; a second time only renews the accounts and shows that it still holds."""

    def __init__(self, settings: Settings, size: DemoSize, tell: Teller | None = None) -> None:
        self.settings = settings
        self.size = size
        self.tell = tell or Teller()
        self.folder = make_private_dir(settings.demo_dir)

    @property
    def is_told(self) -> bool:
        return (self.folder / "demo.json").is_file()

    def run(self) -> None:
        if self.is_told:
            self._tell_again()
        else:
            self._tell_first()

    # The first time ------------------------------------------------------------------------------------------------
    def _tell_first(self) -> None:
        self.tell.title(
            "安澜市的一天：一张真实的表，从一个部门到另一个部门",
            "A day in Anlan: one department's table reaches another's system",
        )
        city = build_city(self.folder / "city", people=self.size.people, firms=self.size.firms, seed=self.size.seed)
        write_private(self.settings.home / "divisions.csv", (city.out / "divisions.csv").read_bytes())
        population, enterprise = city.copies["psb_population"], city.copies["amr_enterprise"]
        self.tell.step(
            f"合成城市：{city.people:,}人、{city.firms:,}家企业；公安局的副本 {population.rows:,}行，含 {population.faulty_rows:,}行差错，"
            f"市场监管局的副本 {enterprise.rows:,}行，含 {enterprise.faulty_rows:,}行差错。真值另存，没有真实的人。",
            f"the synthetic city: {city.people:,} people, {city.firms:,} firms; two agencies' copies with "
            f"{population.faulty_rows:,} and {enterprise.faulty_rows:,} faulty rows, the truth kept beside.",
        )
        cast = hire(self.folder / "logins.json")
        token = issue_token(cast, self.folder / "token")
        self.tell.step(
            "三员分设：运维员建账户，安全员授角色、发密钥，审计员只看不改；三者互斥，也都不能审批数据。",
            "officers are separate people: operator, security officer and auditor exclude each other and data roles.",
        )
        acts.describe(cast, "steward_psb", MAIN_RESOURCE, self.tell)
        acts.describe(cast, "steward_amr", OTHER_RESOURCE, self.tell)
        acts.describe(cast, "steward_civil", SECOND_RESOURCE, self.tell)
        acts.deliver(cast, "steward_psb", MAIN_RESOURCE, population.path, self.tell)
        acts.deliver(cast, "steward_amr", OTHER_RESOURCE, enterprise.path, self.tell)
        divisions = write_divisions(self.folder / "city" / "civil_divisions.csv")
        acts.deliver(cast, "steward_civil", SECOND_RESOURCE, divisions, self.tell)
        grant, second = self._share(cast)
        client = self._client(token)
        items = self._choose_items()
        self._write_demo(cast, {"main": grant, "second": second}, items)
        self._verify(client, items)
        self._refusals(client, items)
        self._download(client)
        self._divisions(client)
        self._revoke(cast, client, second)
        client.close()
        self._leave_a_request(cast)
        self._check_log()

    def _share(self, cast: Cast) -> tuple[GrantView, GrantView]:
        compare, plain, masked = Treatment.COMPARE, Treatment.PLAIN, Treatment.MASKED
        request = acts.ask(
            cast,
            resource_id=MAIN_RESOURCE,
            columns=[
                ("id_number", masked),
                ("name", compare),
                ("birth_date", compare),
                ("division_code", plain),
                ("status", plain),
            ],
            modes=[Mode.VERIFY, Mode.BATCH],
            purpose=PURPOSE,
            purpose_title=PURPOSE_TITLE,
            legal_basis=LEGAL_BASIS,
            tell=self.tell,
        )
        grant = acts.approve(cast, request, "approver", self.tell)
        request = acts.ask(
            cast,
            resource_id=SECOND_RESOURCE,
            columns=[("code", compare), ("name", compare)],
            modes=[Mode.VERIFY],
            purpose="division_check",
            purpose_title="核对历史行政区划",
            legal_basis="《行政区划管理条例》；《政务数据共享条例》第十九条",
            tell=self.tell,
        )
        return grant, acts.approve(cast, request, "approver_civil", self.tell)

    def _leave_a_request(self, cast: Cast) -> None:
        """Something for a visitor to decide: it waits in the approver's workspace."""
        acts.ask(
            cast,
            steward="steward_amr",
            system_id=cast.registration_system_id,
            resource_id=MAIN_RESOURCE,
            columns=[("id_number", Treatment.COMPARE), ("name", Treatment.COMPARE), ("status", Treatment.COMPARE)],
            modes=[Mode.VERIFY],
            purpose="legal_person_identity",
            purpose_title="企业登记时核对法定代表人身份",
            legal_basis="《中华人民共和国市场主体登记管理条例》第十五条；《政务数据共享条例》第十九条",
            tell=self.tell,
        )

    # The second time -----------------------------------------------------------------------------------------------
    def _tell_again(self) -> None:
        self.tell.title("安澜市已经建好，继续", "The city stands; here it is again")
        cast = recall(self.folder / "logins.json")
        token = issue_token(cast, self.folder / "token")
        demo = orjson.loads((self.folder / "demo.json").read_bytes())
        client = self._client(token)
        verify = demo["verify"]
        first: list[Answer] = []

        def is_let_in() -> bool:
            first[:] = [client.verify(verify["resource"], verify["purpose"], verify["items"])]
            return first[0].status != 401

        acts.wait_until(is_let_in, "the new key is served")
        if first[0].status == 200:
            self._verify(client, verify["items"])
        else:
            self._expect_refusal("授权已不在 · the grant is no longer in force", first[0])
        client.close()

    # Steps ---------------------------------------------------------------------------------------------------------
    def _client(self, token: str) -> SystemClient:
        return SystemClient(
            f"http://{self.settings.host}:{self.settings.port}", token, load_verifier(self.settings.keys_dir)
        )

    def _choose_items(self) -> list[dict[str, Any]]:
        """Three people of the accepted version, as a caller would send them, whose claims match."""
        version = lake.current_version(ResourceId(MAIN_RESOURCE))
        assert version is not None
        batch = next(iter(lake.read_version(version, columns=["id_number", "name", "birth_date"])))
        rows = batch.slice(0, 3).to_pylist()
        return [
            {
                "key": {"id_number": row["id_number"]},
                "claims": {"name": row["name"], "birth_date": row["birth_date"].isoformat()},
            }
            for row in rows
        ]

    def _verify(self, client: SystemClient, items: list[dict[str, Any]]) -> None:
        acts.wait_until(lambda: client.verify(MAIN_RESOURCE, PURPOSE, items).status == 200, "verify answers")
        wrong = {**items[1], "claims": {**items[1]["claims"], "name": "查无此名"}}
        stranger = {"key": {"id_number": "990101190001010000"}, "claims": {"name": "无名氏"}}
        answer = client.verify(MAIN_RESOURCE, PURPOSE, [items[0], wrong, stranger], reference="养老-2026-0001")
        outcomes = [item["outcome"] for item in answer.body["items"]]
        if outcomes != ["match", "differ", "unknown"]:
            raise RuntimeError(f"expected match, differ, unknown; the gateway said {outcomes}")
        assert answer.receipt is not None
        self.tell.step(
            f"核验三人：符合、不符、查无。数据没有离开公安局，只回答了是与否；回执第 {answer.receipt.index:,} 号，离线验证通过。",
            f"verified three people: match, differ, unknown; receipt {answer.receipt.index} checks offline.",
        )

    def _refusals(self, client: SystemClient, items: list[dict[str, Any]]) -> None:
        with_address = [{**items[0], "claims": {"address": "人民路1号"}}]
        for what, answer in (
            ("资源没有授权 · no grant", client.verify(OTHER_RESOURCE, PURPOSE, items)),
            ("用途不符 · another purpose", client.verify(MAIN_RESOURCE, "marketing", items)),
            ("数据项未授权 · another column", client.verify(MAIN_RESOURCE, PURPOSE, with_address)),
        ):
            self._expect_refusal(what, answer)

    def _expect_refusal(self, what: str, answer: Answer) -> None:
        if answer.status != 403:
            raise RuntimeError(f"{what}: expected a refusal, got {answer.status}")
        self.tell.detail(f"{what}：拒绝（{answer.body['code']}）", str(answer.body["hint"]))

    def _download(self, client: SystemClient) -> None:
        client.fetch(MAIN_RESOURCE, PURPOSE, "parquet")
        download = client.fetch(MAIN_RESOURCE, PURPOSE, "csv")
        rows = download.data.count(b"\n") - 1
        self.tell.step(
            f"批量下载：{rows:,}行，{len(download.data):,}字节，分{download.pieces}段取回；身份证号已脱敏，文件摘要与回执一致（{download.sha256[:12]}…）。",
            f"batch: {rows:,} rows, {len(download.data):,} bytes in {download.pieces} ranges; the digest is the receipt's.",
        )

    def _divisions(self, client: SystemClient) -> None:
        """崇文区 110103, merged into 东城区 in 2010: one code, two dates, two answers."""
        item = {"key": {"code": "110103"}, "claims": {"name": "崇文区"}}
        outcomes = []
        for day in ("2009-06-30", "2015-06-30"):
            answer = client.verify(SECOND_RESOURCE, "division_check", [{**item, "as_of": day}])
            outcomes.append(answer.body["items"][0]["outcome"])
        self.tell.step(
            f"按日期核验区划：110103 崇文区，2009年{_ZH[outcomes[0]]}，2015年{_ZH[outcomes[1]]}（2010年并入东城区）。",
            f"as of a date: 110103 崇文区 in 2009: {outcomes[0]}; in 2015: {outcomes[1]} (merged away in 2010).",
        )

    def _revoke(self, cast: Cast, client: SystemClient, grant: GrantView) -> None:
        exchange.revoke_grant(cast.actor("approver_civil"), grant.id, "核对工作已办结")
        answer = client.verify(
            SECOND_RESOURCE, "division_check", [{"key": {"code": "110103"}, "claims": {"name": "崇文区"}}]
        )
        self.tell.step(
            f"民政局撤销授权 {grant.number}，下一次调用即被拒绝。",
            f"grant {grant.number} is revoked; the next call is refused.",
        )
        self._expect_refusal("已撤销 · revoked", answer)

    def _check_log(self) -> None:
        acts.wait_until(lambda: count_unsealed() == 0, "all audit rows are sealed")
        report = verify_log(
            self.settings.audit_dir, load_verifier(self.settings.keys_dir), control_rows=find_sealed_rows
        )
        report.require_intact()
        self.tell.step(
            f"审计日志共{report.size:,}条，其中管理操作{report.control_rows_count:,}条，逐条验证完整，一条不缺。",
            f"the audit log: {report.size:,} records, {report.control_rows_count:,} of them actions; every one checked, none missing.",
        )

    def _write_demo(self, cast: Cast, grants: Mapping[str, GrantView], items: list[dict[str, Any]]) -> None:
        demo = {
            "agencies": dict(cast.agencies),
            "resources": [MAIN_RESOURCE, OTHER_RESOURCE, SECOND_RESOURCE],
            "grants": {name: {"id": grant.id, "number": grant.number} for name, grant in grants.items()},
            "releases": [],
            "verify": {
                "resource": MAIN_RESOURCE,
                "purpose": PURPOSE,
                "grant": grants["main"].number,
                "items": items,
                "other_resource": OTHER_RESOURCE,
            },
        }
        write_private(self.folder / "demo.json", orjson.dumps(demo, option=orjson.OPT_INDENT_2))


_ZH = {"match": "符合", "differ": "不符", "unknown": "查无"}


def write_divisions(path: Path) -> Path:
    """The national division codes and their periods, from the package that carries GB/T 2260's revisions."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["code", "name", "first_seen", "last_seen", "status"])
        for entry in national_divisions().entries():
            first = f"{entry.valid_from:%Y%m}" if entry.valid_from else "198012"
            last = f"{entry.valid_to:%Y%m}" if entry.valid_to else ""
            writer.writerow([entry.code, entry.name, first, last, "retired_or_renamed" if last else ""])
    return path
