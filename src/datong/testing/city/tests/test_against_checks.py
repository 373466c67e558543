"""The city against the real pass of reading and checks: every form is read whole, what must be seen is seen, and no
sound row is refused.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from datong.testing.city.faults import ROW_VISIBLE, Seen
from datong.testing.city.model import CityReport
from datong.testing.city.score import SEEN_TITLES
from datong.testing.city.trial import COLLECTED, try_table


@pytest.mark.parametrize("name", COLLECTED)
def test_a_clean_copy_is_accepted_whole_and_agrees_with_its_bill(tmp_path: Path, clean: CityReport, name: str) -> None:
    trial = try_table(clean.out, name, tmp_path / "work")
    assert trial.refused == {}
    assert trial.checked.file.rows_accepted == clean.copies[name].rows > 0
    assert trial.checked.differences == ()


@pytest.mark.parametrize("name", COLLECTED)
def test_quarantine_holds_what_must_be_seen_and_nothing_sound(tmp_path: Path, heavy: CityReport, name: str) -> None:
    labels = pq.read_table(heavy.out / "truth" / "labels.parquet", filters=pc.field("resource") == name).to_pylist()
    wanted = ROW_VISIBLE if name == "psb_population" else ROW_VISIBLE | {"sex-mismatch", "birth-mismatch"}
    visible = {label["line"]: label["kind"] for label in labels if label["line"] and label["kind"] in wanted}
    trial = try_table(heavy.out, name, tmp_path / "work")
    assert trial.checked.file.rows_read == heavy.copies[name].rows
    assert {line: kind for line, kind in visible.items() if line not in trial.refused} == {}
    assert trial.score.sound_refused == 0
    assert trial.checked.differences == ()


def test_declared_cleaning_mends_what_it_says(tmp_path: Path, heavy: CityReport) -> None:
    trial = try_table(heavy.out, "health_resident", tmp_path / "work")
    kinds = {kind.kind: kind for kind in trial.score.kinds}
    for name in ("full-width", "date-form", "lower-case"):
        assert kinds[name].seen_by == SEEN_TITLES[Seen.CLEANABLE]
        assert trial.mended[name] + kinds[name].caught == kinds[name].injected > 0
    assert set(trial.mended) <= {"full-width", "date-form", "lower-case", "stray-blank", "line-break"}
