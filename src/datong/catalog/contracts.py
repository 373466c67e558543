"""What crosses the catalogue's wall: findings, failures and the views of resources and contract versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from datong.kernel.failures import BadInput, Conflict, NotAllowed, NotFound
from datong.kernel.plugs import Slot

if TYPE_CHECKING:
    from datong.catalog.values import DataContract

CONTRACT_BREAKING = "contract.breaking"
"""Event: a contract came in force that breaks users of the last one. Payload: resource, titles, from, to, breaking."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ContractFinding:
    """One thing wrong in a contract file.

    `line` and `column` count from 1; `path` reads like schema[0].properties[3].name.
    """

    line: int
    column: int
    path: str
    code: str
    message: str
    message_zh: str
    remedy: str
    remedy_zh: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def sentence(self, language: str = "en") -> str:
        """`12:5 schema[0].name: message remedy`, as a compiler would print it."""
        chinese = language.startswith("zh")
        text = f"{self.message_zh}。{self.remedy_zh}" if chinese else f"{self.message}. {self.remedy}"
        return f"{self.line}:{self.column} {self.path}: {text}" if self.path else f"{self.line}:{self.column} {text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractObjection:
    """What a higher part would refuse of a contract that the catalogue can keep.

    `path` is where, as `QualityRule.path` (schema.0.quality.1) or a finding's path (schema[0].quality[1]) has it.
    """

    path: str
    code: str
    message: str
    message_zh: str
    remedy: str
    remedy_zh: str


class ContractCheck(Protocol):
    """Slot: a higher part reads a contract and says what of it could not be carried out. Pure; raises nothing."""

    def __call__(self, contract: DataContract) -> Sequence[ContractObjection]: ...


CONTRACT_CHECKS: Slot[ContractCheck] = Slot("catalog.contract-checks")


class ContractInvalid(BadInput):
    """The file is not a contract that Datong can keep; every finding at once, ordered by line."""

    code = "contract-invalid"
    title, title_zh = "The contract has errors", "数据契约有错误"

    def __init__(self, findings: Sequence[ContractFinding], *, source_name: str = "") -> None:
        self.findings = tuple(sorted(findings))
        first = self.findings[0]
        super().__init__(
            f"{len(self.findings)} to mend; the first: {first.sentence()}",
            hint_zh=f"共{len(self.findings)}处需要修改，第一处：{first.sentence('zh')}",
            findings=[finding.as_dict() for finding in self.findings],
            source_name=source_name,
        )


class ApprovalNeeded(NotAllowed):
    """This deployment lets contracts come in force by approval only (DATONG_CONTRACT_APPROVAL)."""

    code = "contract-approval-needed"
    title, title_zh = "Contracts come in force by approval here", "本平台的数据契约须经审核生效"


class VersionConflict(Conflict):
    """The contract was changed by somebody else since the version this edit was made from."""

    code = "contract-version-conflict"


class BreakingChange(Conflict):
    """The change breaks those who use the resource, and the version does not say so."""

    code = "contract-breaking-change"
    title, title_zh = "The change breaks users of the resource", "本次改动会影响现有使用方"


class VersionTooLow(Conflict):
    """The contract changed, and its version does not say so."""

    code = "contract-version-too-low"
    title, title_zh = "The contract changed under the same version", "契约有改动而版本号未提高"


class ProviderConflict(Conflict):
    """The id or the directory code belongs to another resource."""

    code = "resource-provider-conflict"
    title, title_zh = "It already belongs to another resource", "已被其他资源使用"


class ResourceNotFound(NotFound):
    code = "resource-not-found"
    title, title_zh = "There is no such resource, or you may not see it", "没有这个信息资源，或者你无权查看"


class ContractVersionNotFound(NotFound):
    code = "contract-version-not-found"
    title, title_zh = "The resource has no such contract version", "该资源没有这个契约版本"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceView:
    """A catalogue entry. `agency_id` is the kernel's id, `agency` the short code that contracts use."""

    id: str
    title_zh: str
    title_en: str
    description: str
    agency_id: str
    agency: str
    agency_name: str
    directory_code: str
    sharing: str
    update_cycle: str
    grade_max: int
    columns_count: int
    current_version: str
    state: str
    created_at: str
    updated_at: str
    facets: Mapping[str, Any] = field(default_factory=dict)
    agency_name_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractVersionView:
    """One immutable version of a resource's contract; `digest` is the SHA-256 of the canonical text."""

    id: str
    resource_id: str
    version: str
    digest: str
    applied_by: str
    applied_at: str
    applied_by_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractChange:
    """One difference between two versions of a contract, as a sentence."""

    code: str
    column: str
    is_breaking: bool
    sentence_zh: str
    sentence_en: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractApplied:
    """The outcome of `apply_contract`. `changed` is False when the same text was already the current version."""

    resource_id: str
    version: str
    previous_version: str | None
    digest: str
    changed: bool
    created: bool
    breaking: tuple[ContractChange, ...] = ()
    compatible: tuple[ContractChange, ...] = ()
