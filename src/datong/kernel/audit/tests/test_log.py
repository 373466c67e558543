"""The log on disk: appending, rolling, recovering, reading, publishing."""

from __future__ import annotations

import os
import resource
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from datong.kernel.audit.entries import build_control_entry, seal_seq_of
from datong.kernel.audit.failures import LogBusy, LogCorrupt
from datong.kernel.audit.merkle import Frontier, leaf_hash, verify_consistency, verify_inclusion
from datong.kernel.audit.reader import LogReader, tile_path
from datong.kernel.audit.recovery import Recovered, scan
from datong.kernel.audit.segments import HEADER_BYTES, decode_header, read_frame, segment_numbers, segment_path
from datong.kernel.audit.tests.samples import OTHER_SIGNER, SIGNER, control_row, data_entry, fill, open_log
from datong.kernel.audit.verify import verify_log
from datong.kernel.failures import NotFound, TooLarge, Unavailable
from datong.kernel.ids import seeded
from datong.kernel.limits import AUDIT_ENTRY_BYTES_MAX


def test_what_is_appended_is_there_after_reopening_over_many_segments(tmp_path: Path) -> None:
    log = open_log(tmp_path / "audit")
    fill(log, 400)
    entries = list(log.reader.iter_entries(0, log.size))
    size, root, last = log.size, log._frontier.root(), log.last_seal_seq
    assert len(segment_numbers(tmp_path / "audit" / "segments")) > 4
    log.close()
    log = open_log(tmp_path / "audit")
    assert (log.size, log._frontier.root(), log.last_seal_seq) == (size, root, last)
    assert list(log.reader.iter_entries(0, size)) == entries
    appended = log.append([data_entry(size)])
    assert (appended.first_index, appended.size) == (size, size + 1)
    log.close()
    assert verify_log(tmp_path / "audit", SIGNER.verifier).require_intact().size == size + 1


def test_every_control_row_is_found_by_its_number_in_any_segment(tmp_path: Path) -> None:
    log = open_log(tmp_path / "audit")
    fill(log, 300)
    last = log.last_seal_seq
    log.close()
    log = open_log(tmp_path / "audit")
    assert last == 75
    for seal_seq in range(1, last + 1):
        index = log.find_control(seal_seq)
        assert index is not None
        assert seal_seq_of(log.reader.read_entry(index)) == seal_seq
    assert log.find_control(last + 1) is None
    assert log.find_control(0) is None
    log.close()


def test_a_reader_keeps_few_segments_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datong.kernel.audit.reader.AUDIT_SEGMENTS_OPEN_MAX", 2)
    log = open_log(tmp_path / "audit")
    fill(log, 400)
    assert len(list(log.reader.iter_entries(0, log.size))) == log.size
    assert log.reader.read_entry(0) == data_entry(0)
    assert len(log.reader._segments) <= 2 < log.segment_number
    log.close()


def test_one_process_writes_and_readers_see_what_is_published(tmp_path: Path) -> None:
    log = open_log(tmp_path / "audit")
    with pytest.raises(LogBusy):
        open_log(tmp_path / "audit")
    with LogReader(tmp_path / "audit") as reader:
        assert reader.size == 0
        log.append([data_entry(0), data_entry(1)])
        assert reader.size == 0
        assert log.publish()
        assert not log.publish()
        assert reader.size == 2
        assert reader.read_entry(1) == data_entry(1)
        with pytest.raises(NotFound):
            reader.read_entry(2)
    log.close()


def test_proofs_and_tiles_from_disk_are_those_of_the_tree(tmp_path: Path) -> None:
    log = open_log(tmp_path / "audit", segment_bytes=1024 * 1024)
    for _ in range(7):
        log.append([data_entry(number) for number in range(100)])
    log.publish()
    entries = [entry for _, entry in log.reader.iter_entries()]
    leaves = [leaf_hash(entry) for entry in entries]
    root = log._frontier.root()
    for index in (0, 1, 255, 256, 511, 512, 698, 699):
        assert verify_inclusion(leaves[index], index, 700, log.reader.inclusion(index), root)
    for old_size in (1, 2, 255, 256, 257, 512, 699, 700):
        old_root = Frontier().append(leaves[:old_size]).root
        assert verify_consistency(old_size, 700, old_root, root, log.reader.consistency(old_size))
    assert log.reader.read_published("tile/0/000") == (b"".join(leaves[:256]), "application/octet-stream")
    assert log.reader.read_published("tile/0/002.p/188") == (b"".join(leaves[512:700]), "application/octet-stream")
    first, second = (Frontier().append(leaves[at : at + 256]).root for at in (0, 256))
    assert log.reader.read_published("tile/1/000.p/2") == (first + second, "application/octet-stream")
    bundle = log.reader.read_published("tile/entries/002.p/3")
    assert bundle is not None
    assert bundle[0] == b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries[512:515])
    for absent in (
        "tile/0/002",
        "tile/0/002.p/189",
        "tile/1/000.p/3",
        "tile/0/x000/001",
        "tile/64/000.p/1",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/00/000",
        "../keys/audit.key",
        "tile/2/000.p/1",
        "",
    ):
        assert log.reader.read_published(absent) is None, absent
    log.close()
    assert [tile_path(n) for n in (0, 7, 1000, 1234067)] == ["000", "007", "x001/000", "x001/x234/067"]


def test_the_first_entry_since_an_instant_is_found(tmp_path: Path) -> None:
    log = open_log(tmp_path / "audit")
    for hour in range(20):
        entries = [data_entry(hour, at=f"2026-03-01T{hour:02d}:00:00.000Z"), build_control_entry(hour + 1, b"{}")]
        log.append(entries)
    log.publish()
    assert log.reader.find_first_since("2026-03-01T00:00:00.000Z") == 0
    found = log.reader.find_first_since("2026-03-01T07:30:00.000Z")
    assert b"T08:00:00" in log.reader.read_entry(found + 1)
    assert (found, seal_seq_of(log.reader.read_entry(found))) == (15, 8)
    assert log.reader.find_first_since("2026-03-02T00:00:00.000Z") == 39, "the last row has no entry after it"
    log.close()


def test_hash_files_that_are_lost_or_short_are_built_again(tmp_path: Path) -> None:
    log = open_log(tmp_path / "audit")
    fill(log, 200)
    size = log.size
    log.close()
    before = (tmp_path / "audit" / "hashes" / "0").read_bytes()
    assert len(before) == 32 * size
    for damage in (b"", before[: 32 * 100], b"\1" * len(before)):
        (tmp_path / "audit" / "hashes" / "0").write_bytes(damage)
        (tmp_path / "audit" / "hashes" / "1").unlink()
        open_log(tmp_path / "audit").close()
        assert (tmp_path / "audit" / "hashes" / "0").read_bytes() == before
    assert verify_log(tmp_path / "audit", SIGNER.verifier).is_intact


def test_a_publication_that_the_disk_refused_is_made_good_by_the_next(tmp_path: Path) -> None:
    log = open_log(tmp_path / "audit")
    fill(log, 120)
    log.publish()
    published = log.reader.size
    fill(log, 120)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (32 * published + 100, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            log.publish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert log.reader.size == published
    fill(log, 5)
    assert log.publish()
    assert log.reader.size == log.size > published
    log.close()
    verify_log(tmp_path / "audit", SIGNER.verifier).require_intact()


def test_without_room_for_a_segment_calls_are_refused_until_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("datong.kernel.audit.log.AUDIT_SPARE_RETRY_S", 0)
    (tmp_path / "audit" / "segments" / "00000001.new").mkdir(parents=True)  # no file of that name can be made
    (tmp_path / "audit").chmod(0o700)
    monkeypatch.setattr("datong.kernel.audit.log.recover", lambda _folder: Recovered())
    log = open_log(tmp_path / "audit")
    with pytest.raises(Unavailable, match="No room"):
        fill(log, 400)
    size = log.size
    assert 100 < size < 2000
    with pytest.raises(Unavailable, match="No room"):
        fill(log, 1)
    assert "could not be prepared" in caplog.text
    (tmp_path / "audit" / "segments" / "00000001.new").rmdir()
    fill(log, 10)
    assert log.size > size
    log.close()
    verify_log(tmp_path / "audit", SIGNER.verifier).require_intact()


def test_an_interrupted_publication_is_cut_off_and_written_again(tmp_path: Path) -> None:
    log = open_log(tmp_path / "audit")
    fill(log, 5)
    log.close()
    history = tmp_path / "audit" / "checkpoints"
    whole = history.read_bytes()
    for cut in (1, 2, 5, 60, 100, 140):
        history.write_bytes(whole + (SIGNER.sign_checkpoint(5, bytes(32)).encode() + b"\n")[:-cut])
        (tmp_path / "audit" / "checkpoint.new").write_text("half")
        log = open_log(tmp_path / "audit")
        fill(log, 1)
        log.close()
        assert verify_log(tmp_path / "audit", SIGNER.verifier).is_intact, cut
        whole = history.read_bytes()


def test_threads_read_and_check_a_log_that_is_being_written(tmp_path: Path) -> None:
    log = open_log(tmp_path / "audit")
    fill(log, 30)
    log.publish()
    stop = threading.Event()

    def read() -> int:
        rounds = 0
        while not stop.is_set() or rounds == 0:
            size = log.reader.size
            for index in range(max(0, size - 40), size):
                assert len(log.reader.read_entry(index)) > 20
            assert log.reader.read_published(f"tile/entries/000.p/{min(size, 255)}") is not None
            rounds += 1
        return rounds

    def check() -> int:
        rounds = 0
        while not stop.is_set() or rounds == 0:
            verify_log(tmp_path / "audit", SIGNER.verifier).require_intact()
            rounds += 1
        return rounds

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(read), pool.submit(read), pool.submit(check)]
        try:
            for _ in range(25):
                fill(log, 5, per_batch=12)
                log.publish()
        finally:
            stop.set()
        assert all(job.result() > 0 for job in jobs)
    assert log.segment_number > 3
    log.close()


def test_an_entry_or_batch_over_the_limit_is_refused_whole(tmp_path: Path) -> None:
    log = open_log(tmp_path / "audit")
    with pytest.raises(TooLarge):
        log.append([b"x" * (AUDIT_ENTRY_BYTES_MAX + 1)])
    with pytest.raises(TooLarge):
        log.append([b"x" * 60_000] * 3)
    log.append([b"x" * AUDIT_ENTRY_BYTES_MAX])
    assert log.size == 1
    log.close()


def test_a_disk_that_fails_closes_the_log_to_writing(tmp_path: Path) -> None:
    log = open_log(tmp_path / "audit")
    log.append([data_entry(0)])
    with open("/dev/null", "r+b") as nowhere:  # pwrite succeeds there, fdatasync does not
        os.dup2(nowhere.fileno(), log.sync_file)
    with pytest.raises(Unavailable):
        log.append([data_entry(1)])
    with pytest.raises(Unavailable):
        log.append([data_entry(2)])
    log.close()
    log = open_log(tmp_path / "audit")
    assert log.size == 1
    log.close()


# Torn tails


def single_segment(tmp_path: Path, batches: int = 60) -> tuple[bytes, list[tuple[int, int, int]]]:
    """A segment's bytes and its frames as (offset, stop, first index)."""
    log = open_log(tmp_path / "audit")
    fill(log, batches, per_batch=3)
    assert log.segment_number == 0
    log.close()
    data = segment_path(tmp_path / "audit" / "segments", 0).read_bytes()
    frames, offset = [], HEADER_BYTES
    while frame := read_frame(data, offset, limit=len(data)):
        frames.append((offset, frame.stop, frame.first_index))
        offset = frame.stop
    assert len(frames) == batches
    return data, frames


def damage(data: bytes, kind: str, at: int, used: int) -> bytes:
    if kind == "cut":
        return data[:at]
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
    if kind == "sector":
        start = at // 512 * 512
        stop = min(start + 512, used)
        start = max(start, HEADER_BYTES)
        return data[:start] + bytes(stop - start) + data[stop:]
    return data[:at] + bytes(len(data) - at)


def test_after_any_of_800_injuries_the_intact_prefix_or_a_refusal(tmp_path: Path) -> None:
    """What is left is exactly the frames before the injury; a whole durable frame behind it makes a refusal."""
    data, frames = single_segment(tmp_path)
    used = frames[-1][1]
    sizes = [first for _, _, first in frames] + [scan(data, header_of(data)).frontier.size]
    generator = seeded(41)
    outcomes = {"prefix": 0, "refused": 0}
    for number in range(800):
        kind = ("cut", "flip", "sector", "zero-end")[number % 4]
        low = HEADER_BYTES if number % 3 else frames[-1][0]
        injured = damage(data, kind, generator.randrange(low, used), used)
        padded = injured.ljust(len(data), b"\0")
        first_changed = next(at for at in range(HEADER_BYTES, used) if padded[at] != data[at])
        intact = sum(stop <= first_changed for _, stop, _ in frames)
        whole_behind = any(padded[o:s] == data[o:s] for o, s, _ in frames[intact + 1 :])
        if whole_behind:
            with pytest.raises(LogCorrupt):
                scan(injured, header_of(data))
            outcomes["refused"] += 1
        else:
            state = scan(injured, header_of(data))
            assert state.frontier.size == sizes[intact], (kind, first_changed)
            assert state.offset == (frames[intact - 1][1] if intact else HEADER_BYTES)
            assert state.torn == any(injured[state.offset :])
            outcomes["prefix"] += 1
    assert min(outcomes.values()) > 100, outcomes


def header_of(data: bytes):  # type: ignore[no-untyped-def]
    header = decode_header(data[:HEADER_BYTES])
    assert header is not None
    return header


def test_after_a_torn_tail_another_segment_is_begun_and_the_log_is_whole(tmp_path: Path) -> None:
    data, frames = single_segment(tmp_path)
    for number, cut in enumerate((1, 5, 30, 60)):
        folder = tmp_path / f"torn{number}"
        shutil.copytree(tmp_path / "audit", folder)
        (folder / "checkpoint").unlink()
        (folder / "checkpoints").unlink()
        middle = (frames[-1][0] + frames[-1][1]) // 2 + cut
        segment_path(folder / "segments", 0).write_bytes(data[:middle] + bytes(len(data) - middle))
        log = open_log(folder)
        assert (log.size, log.segment_number) == (frames[-1][2], 1)
        log.append([data_entry(1)])
        log.close()
        assert verify_log(folder, SIGNER.verifier).require_intact().size == frames[-1][2] + 1
        again = open_log(folder)
        assert again.segment_number == 1
        again.close()


def test_syncs_in_flight_torn_by_a_power_cut_are_dropped_not_taken_for_damage(tmp_path: Path) -> None:
    """Frame 2 is lost and frame 3 whole, neither durable: legal after a power cut, because neither was answered."""
    log = open_log(tmp_path / "audit")
    log.append([data_entry(0)])
    offsets = []
    for number in (1, 2, 3):
        offsets.append(log._offset)
        log.stage([data_entry(number)])
    path = segment_path(tmp_path / "audit" / "segments", 0)
    log._release()
    data = bytearray(path.read_bytes())
    data[offsets[1] + 40] ^= 1
    path.write_bytes(data)
    log = open_log(tmp_path / "audit")
    assert (log.size, log.segment_number) == (2, 1)
    log.append([data_entry(9)])
    log.close()
    assert verify_log(tmp_path / "audit", SIGNER.verifier).require_intact().size == 3


# Refusals to open


def test_a_log_shorter_than_its_checkpoint_or_under_another_key_does_not_open(tmp_path: Path) -> None:
    data, frames = single_segment(tmp_path)
    path = segment_path(tmp_path / "audit" / "segments", 0)
    path.write_bytes(data[: frames[-1][0]] + bytes(len(data) - frames[-1][0]))
    with pytest.raises(LogCorrupt, match="shorter"):
        open_log(tmp_path / "audit")
    path.write_bytes(data)
    with pytest.raises(LogCorrupt, match="key"):
        open_log(tmp_path / "audit", signer=OTHER_SIGNER)
    flipped = bytearray(data)
    flipped[frames[10][0] + 60] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(LogCorrupt):
        open_log(tmp_path / "audit")
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(LogCorrupt, match="header"):
        open_log(tmp_path / "audit")
    path.write_bytes(data)
    open_log(tmp_path / "audit").close()
    assert sha256(path.read_bytes()).digest() == sha256(data).digest()


def test_an_emptied_folder_with_checkpoints_does_not_open_as_a_new_log(tmp_path: Path) -> None:
    single_segment(tmp_path, batches=3)
    shutil.rmtree(tmp_path / "audit" / "segments")
    with pytest.raises(LogCorrupt, match="shorter"):
        open_log(tmp_path / "audit")


def test_a_missing_middle_segment_is_a_refusal(tmp_path: Path) -> None:
    log = open_log(tmp_path / "audit")
    fill(log, 200)
    log.close()
    segment_path(tmp_path / "audit" / "segments", 1).unlink()
    with pytest.raises(LogCorrupt, match="missing"):
        open_log(tmp_path / "audit")


def test_control_rows_sealed_twice_by_number_do_not_hide(tmp_path: Path) -> None:
    log = open_log(tmp_path / "audit")
    log.append([build_control_entry(1, control_row(1)), build_control_entry(1, control_row(1))])
    log.close()
    findings = verify_log(tmp_path / "audit", SIGNER.verifier).findings
    assert [finding.kind for finding in findings] == ["control-row"]
