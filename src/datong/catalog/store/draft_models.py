"""Contracts on their way: drafts that are edited, submitted and decided."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from datong.kernel import clock, ids

OPEN_STATES = ("draft", "submitted")


def _draft_id() -> str:
    return ids.new_id("dr")


class ContractDraft(models.Model):
    """A contract that is not in force. `text` is as written and may have findings; one draft is open per resource.

    `resource_id` is no foreign key: a new resource does not exist yet. `revision` counts the saves, so that two people
    who edit the same draft do not overwrite each other; `base_version` is the contract that the edit was made from.
    """

    id = models.TextField(primary_key=True, default=_draft_id)
    resource_id = models.TextField()
    agency = models.ForeignKey("kernel.Agency", on_delete=models.PROTECT, related_name="+")
    title_zh = models.TextField(default="")
    text = models.TextField()
    base_version = models.TextField(null=True)
    revision = models.PositiveIntegerField(default=1)
    state = models.TextField(default="draft")
    directory_code = models.TextField(default="")
    """Held back from others while the draft is open."""
    saved_by = models.TextField()
    saved_by_name = models.TextField(default="")
    saved_at = models.DateTimeField(default=clock.now)
    submitted_by = models.TextField(default="")
    case_id = models.TextField(default="")
    reason = models.TextField(default="")
    """Why it was refused."""

    class Meta:
        ordering: ClassVar = ["-saved_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="catalog_one_open_draft",
                fields=["resource_id"],
                condition=models.Q(state__in=OPEN_STATES),
            ),
            models.CheckConstraint(
                name="catalog_draft_state",
                condition=models.Q(state__in=[*OPEN_STATES, "approved", "refused", "discarded"]),
            ),
        ]
