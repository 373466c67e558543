"""The whole-log check: each way of tampering is tried on real files, on exchanges and on control rows."""

from __future__ import annotations

import io
import json
import shutil
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from datong.kernel.audit.entries import SALT_BYTES, build_control_entry, seal_seq_of
from datong.kernel.audit.failures import LogCorrupt, ReceiptInvalid
from datong.kernel.audit.merkle import Frontier, leaf_hash, verify_consistency
from datong.kernel.audit.receipts import verify_receipt
from datong.kernel.audit.segments import (
    HEADER_BYTES,
    Frame,
    SegmentHeader,
    decode_header,
    encode_body,
    encode_frame,
    read_frame,
    segment_path,
)
from datong.kernel.audit.tests.samples import OTHER_SIGNER, SIGNER, control_row, data_entry, fill, open_log
from datong.kernel.audit.verify import (
    LogReport,
    export_entries,
    export_tiles,
    prove_consistency,
    prove_entry,
    verify_log,
)
from datong.kernel.failures import NotFound

KEY = SIGNER.verifier
BATCHES = 220


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound log of four segments with exchanges and control rows, and three kept checkpoints."""
    folder = tmp_path_factory.mktemp("sound") / "audit"
    for _ in range(2):
        log = open_log(folder)
        fill(log, BATCHES // 2)
        log.close()
    assert len(segments_in_use(folder)) >= 4
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """A copy of the sound log to tamper with."""
    copy = tmp_path / "audit"
    shutil.copytree(sound, copy)
    return copy


def segments_in_use(folder: Path) -> list[Path]:
    paths = sorted((folder / "segments").glob("*.seg"))
    return [path for path in paths if decode_header(path.read_bytes()[:HEADER_BYTES])]


def frames_of(path: Path) -> list[Frame]:
    data, frames, offset = path.read_bytes(), [], HEADER_BYTES
    while frame := read_frame(data, offset, limit=len(data)):
        frames.append(frame)
        offset = frame.stop
    return frames


def rewrite(path: Path, frames: list[bytes]) -> None:
    """Put these frames in place of the segment's own, its length kept."""
    data = path.read_bytes()
    body = b"".join(frames)
    path.write_bytes((data[:HEADER_BYTES] + body).ljust(len(data), b"\0")[: len(data)])


def raw_frames(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return [data[frame.offset : frame.stop] for frame in frames_of(path)]


def sealed_rows(folder: Path) -> list[tuple[int, bytes]]:
    found = []
    for path in segments_in_use(folder):
        for frame in frames_of(path):
            found += [seq for entry in frame.entries() or [] if (seq := seal_seq_of(entry))]
    return [(seq, control_row(seq)) for seq in found]


def recomputed(folder: Path, change: Callable[[int, bytes], bytes | None]) -> None:
    """What a forger with every file but the signing key can do: change entries and recompute everything else."""
    frontier, index, last_seal_seq = Frontier(), 0, 0
    leaves_all: list[bytes] = []
    for path in segments_in_use(folder):
        data = path.read_bytes()
        old = decode_header(data[:HEADER_BYTES])
        assert old is not None
        header = SegmentHeader(
            number=old.number, frontier=frontier, last_seal_seq=last_seal_seq, cause=old.cause
        ).encode()
        frames = []
        for frame in frames_of(path):
            entries = []
            for entry in frame.entries() or []:
                kept = change(index, entry)
                index += 1
                if kept is not None:
                    entries.append(kept)
                    last_seal_seq = seal_seq_of(kept) or last_seal_seq
            if not entries:
                continue
            leaves = [leaf_hash(entry) for entry in entries]
            leaves_all += leaves
            tree = frontier.append(leaves)
            frames.append(
                encode_frame(
                    encode_body(entries),
                    count=len(entries),
                    first_index=frontier.size,
                    durable_size=frontier.size,
                    root=tree.root,
                )
            )
            frontier = tree.frontier
        path.write_bytes((header + b"".join(frames)).ljust(len(data), b"\0"))
    shutil.rmtree(folder / "hashes")
    (folder / "hashes").mkdir()
    from datong.kernel.audit.hashes import HashWriter

    writer = HashWriter(folder / "hashes")
    writer.extend(0, Frontier().append(leaves_all).completed(8))
    writer.close()


def kinds(report: LogReport) -> set[str]:
    return {finding.kind for finding in report.findings}


def test_a_sound_log_passes_with_its_rows_and_known_checkpoints(sound: Path) -> None:
    rows = sealed_rows(sound)
    assert len(rows) == 56
    known = [(sound / "checkpoint").read_text()]
    report = verify_log(sound, KEY, known_checkpoints=known, control_rows=rows).require_intact()
    assert report.size == BATCHES * 5 + 56
    assert (report.checkpoints_count, report.control_rows_count) == (5, 56)
    assert report.segments_count >= 4


def edit_exchange(folder: Path) -> None:
    path = segments_in_use(folder)[1]
    data = bytearray(path.read_bytes())
    at = data.index(b'"outcome":"answered"', HEADER_BYTES)
    data[at + 12] = ord("A")
    path.write_bytes(data)


def edit_control_row(folder: Path) -> None:
    path = segments_in_use(folder)[2]
    data = bytearray(path.read_bytes())
    at = data.index(b"grant.approved", HEADER_BYTES)
    data[at : at + 14] = b"grant.refused!"
    path.write_bytes(data)


def edit_last_record(folder: Path) -> None:
    path = segments_in_use(folder)[-1]
    frame = frames_of(path)[-1]
    data = bytearray(path.read_bytes())
    data[frame.stop - 50] ^= 1
    path.write_bytes(data)


def edit_last_record_of_a_full_segment(folder: Path) -> None:
    path = segments_in_use(folder)[0]
    frame = frames_of(path)[-1]
    data = bytearray(path.read_bytes())
    data[frame.stop - 50] ^= 1
    path.write_bytes(data)


def edit_and_recompute(folder: Path) -> None:
    recomputed(folder, lambda index, entry: entry.replace(b"housing", b"finance") if index == 100 else entry)


def edit_row_and_recompute(folder: Path) -> None:
    recomputed(folder, lambda _, entry: entry.replace(b"approved", b"refused_") if seal_seq_of(entry) == 9 else entry)


def drop_frame(folder: Path) -> None:
    path = segments_in_use(folder)[1]
    frames = raw_frames(path)
    rewrite(path, frames[:3] + frames[4:])


def drop_first_frame(folder: Path) -> None:
    path = segments_in_use(folder)[0]
    rewrite(path, raw_frames(path)[1:])


def drop_entry_and_recompute(folder: Path) -> None:
    recomputed(folder, lambda index, entry: None if index == 200 else entry)


def drop_row_and_recompute(folder: Path) -> None:
    recomputed(folder, lambda _, entry: None if seal_seq_of(entry) == 20 else entry)


def drop_last_frame(folder: Path) -> None:
    path = segments_in_use(folder)[-1]
    rewrite(path, raw_frames(path)[:-1])


def swap_frames(folder: Path) -> None:
    path = segments_in_use(folder)[1]
    frames = raw_frames(path)
    frames[2], frames[3] = frames[3], frames[2]
    rewrite(path, frames)


def swap_entries(folder: Path) -> None:
    path = segments_in_use(folder)[0]
    frames, frame = raw_frames(path), frames_of(path)[5]
    entries = frame.entries() or []
    entries[0], entries[1] = entries[1], entries[0]
    frames[5] = encode_frame(
        encode_body(entries),
        count=frame.count,
        first_index=frame.first_index,
        durable_size=frame.durable_size,
        root=frame.root,
    )
    rewrite(path, frames)


def swap_entries_and_recompute(folder: Path) -> None:
    recomputed(folder, {50: data_entry(1), 51: data_entry(0)}.get)


def add_entry_and_recompute(folder: Path) -> None:
    path = segments_in_use(folder)[-1]
    frames = frames_of(path)
    recomputed(folder, lambda index, entry: data_entry(9) if index == frames[-1].first_index else entry)


def swap_segments(folder: Path) -> None:
    first, second = segments_in_use(folder)[:2]
    spare = folder / "spare"
    first.rename(spare)
    second.rename(first)
    spare.rename(second)


def lose_segment(folder: Path) -> None:
    segments_in_use(folder)[1].unlink()


def lose_last_segment(folder: Path) -> None:
    for path in sorted((folder / "segments").glob("*.seg"))[-2:]:
        path.unlink()


def truncate_file(folder: Path) -> None:
    path = segments_in_use(folder)[-1]
    path.write_bytes(path.read_bytes()[: frames_of(path)[-3].offset])


def forge_checkpoint(folder: Path) -> None:
    note = (folder / "checkpoint").read_text()
    checkpoint = KEY.open_checkpoint(note)
    (folder / "checkpoint").write_text(OTHER_SIGNER.sign_checkpoint(checkpoint.size, checkpoint.root))


def edit_checkpoint(folder: Path) -> None:
    note = (folder / "checkpoint").read_text()
    (folder / "checkpoint").write_text(note.replace(f"\n{KEY.open_checkpoint(note).size}\n", "\n1000\n"))


def roll_back_checkpoint(folder: Path) -> None:
    history = (folder / "checkpoints").read_text().split("\n\n")
    (folder / "checkpoint").write_text(f"{history[2]}\n\n{history[3]}\n")


def lose_checkpoint(folder: Path) -> None:
    (folder / "checkpoint").unlink()


def forge_history(folder: Path) -> None:
    text = (folder / "checkpoints").read_text()
    at = text.index("\n\n— ") + 60
    (folder / "checkpoints").write_text(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])


def edit_tile(folder: Path) -> None:
    path = folder / "hashes" / "0"
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)


def edit_upper_tile(folder: Path) -> None:
    path = folder / "hashes" / "1"
    data = bytearray(path.read_bytes())
    data[33] ^= 1
    path.write_bytes(data)


def cut_tile(folder: Path) -> None:
    path = folder / "hashes" / "0"
    path.write_bytes(path.read_bytes()[:-32])


TAMPERINGS = [
    (edit_exchange, "record"),
    (edit_control_row, "record"),
    (edit_last_record, "truncated"),
    (edit_last_record_of_a_full_segment, "record"),
    (edit_and_recompute, "checkpoint"),
    (edit_row_and_recompute, "checkpoint"),
    (drop_frame, "record"),
    (drop_first_frame, "record"),
    (drop_entry_and_recompute, "checkpoint"),
    (drop_row_and_recompute, "control-row"),
    (drop_last_frame, "truncated"),
    (swap_frames, "record"),
    (swap_entries, "record"),
    (swap_entries_and_recompute, "checkpoint"),
    (add_entry_and_recompute, "checkpoint"),
    (swap_segments, "segment"),
    (lose_segment, "segment"),
    (lose_last_segment, "truncated"),
    (truncate_file, "truncated"),
    (forge_checkpoint, "checkpoint"),
    (edit_checkpoint, "checkpoint"),
    (roll_back_checkpoint, "truncated"),
    (lose_checkpoint, "checkpoint"),
    (forge_history, "checkpoint"),
    (edit_tile, "tile"),
    (edit_upper_tile, "tile"),
    (cut_tile, "tile"),
]


@pytest.mark.parametrize(("tamper", "kind"), TAMPERINGS, ids=[tamper.__name__ for tamper, _ in TAMPERINGS])
def test_tampering_is_found(folder: Path, tamper: Callable[[Path], None], kind: str) -> None:
    before = fingerprint(folder)
    tamper(folder)
    assert fingerprint(folder) != before, "the tampering changed nothing"
    report = verify_log(folder, KEY)
    assert kind in kinds(report), report.findings
    with pytest.raises(LogCorrupt):
        report.require_intact()


def fingerprint(folder: Path) -> str:
    digest = sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(str(path.relative_to(folder)).encode())
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


@pytest.mark.parametrize("tamper", [edit_exchange, drop_frame, swap_frames, swap_segments, lose_segment, truncate_file])
def test_a_gateway_does_not_write_on_over_damage_it_meets(folder: Path, tamper: Callable[[Path], None]) -> None:
    """Start-up rehashes the last segment only; damage there, or to the files' order, is met at once."""
    if tamper in {edit_exchange, drop_frame, swap_frames}:
        for later in sorted((folder / "segments").glob("*.seg"))[2:]:
            later.unlink()
        (folder / "checkpoint").unlink()
        (folder / "checkpoints").unlink()
    tamper(folder)
    with pytest.raises(LogCorrupt):
        open_log(folder)


def test_a_log_cut_back_with_all_its_files_is_found_by_a_checkpoint_kept_elsewhere(
    folder: Path, tmp_path: Path
) -> None:
    kept = (folder / "checkpoint").read_text()
    earlier = tmp_path / "earlier"
    log = open_log(earlier)
    fill(log, 10)
    log.close()
    assert verify_log(earlier, KEY).is_intact, "nothing on this disk can tell"
    report = verify_log(earlier, KEY, known_checkpoints=[kept])
    assert kinds(report) == {"truncated"}


Rows = list[tuple[int, bytes]]
ROW_TAMPERINGS: dict[str, Callable[[Rows], Rows]] = {
    "edited": lambda rows: [*rows[:5], (rows[5][0], b'{"id":"audit_6"}'), *rows[6:]],
    "dropped": lambda rows: rows[:5] + rows[6:],
    "first dropped": lambda rows: rows[1:],
    "last dropped": lambda rows: rows[:-1],
    "all dropped": lambda _rows: [],
    "reordered": lambda rows: [*rows[:5], rows[6], rows[5], *rows[7:]],
    "contents swapped": lambda rows: [*rows[:5], (6, rows[6][1]), (7, rows[5][1]), *rows[7:]],
    "added": lambda rows: [*rows, (rows[-1][0] + 1, b"{}")],
    "doubled": lambda rows: [*rows[:5], rows[4], *rows[5:]],
}


@pytest.mark.parametrize("name", ROW_TAMPERINGS)
def test_database_rows_that_are_not_the_sealed_ones_are_found(sound: Path, name: str) -> None:
    rows = sealed_rows(sound)
    assert kinds(verify_log(sound, KEY, control_rows=ROW_TAMPERINGS[name](rows))) == {"control-row"}


def test_rows_that_are_sealed_during_the_check_are_not_taken_for_tampering(tmp_path: Path) -> None:
    log = open_log(tmp_path / "audit")
    rows: Rows = []
    stop = threading.Event()

    def seal() -> None:
        while not stop.is_set():
            seal_seq = log.last_seal_seq + 1
            log.append([build_control_entry(seal_seq, control_row(seal_seq)), *[data_entry(n) for n in range(9)]])
            log.publish()
            stop.wait(0.002)
            rows.append((seal_seq, control_row(seal_seq)))  # marked in the database a moment later

    def read() -> Iterator[tuple[int, bytes]]:
        yield from rows[:]

    sealer = threading.Thread(target=seal)
    sealer.start()
    try:
        checked = []
        for round_number in range(1, 5):
            while len(rows) < 5 * round_number:
                stop.wait(0.001)
            checked.append(verify_log(tmp_path / "audit", KEY, control_rows=read).require_intact())
    finally:
        stop.set()
        sealer.join()
    assert checked[-1].control_rows_count > checked[0].control_rows_count
    log.close()
    rows.pop(3)
    assert kinds(verify_log(tmp_path / "audit", KEY, control_rows=read)) == {"control-row"}


def test_an_entry_is_proven_and_the_proof_of_another_is_not(sound: Path) -> None:
    for index in (0, 255, 256, 700, BATCHES * 5 + 55):
        text = prove_entry(sound, index)
        facts = verify_receipt(text, KEY)
        assert facts.index == index
        with pytest.raises(ReceiptInvalid):
            verify_receipt(text.replace(f"index {index}", f"index {index + 1}"), KEY)
        with pytest.raises(ReceiptInvalid):
            verify_receipt(text, KEY, request=bytes(SALT_BYTES))
    with pytest.raises(NotFound):
        prove_entry(sound, BATCHES * 5 + 56)
    with pytest.raises(NotFound):
        prove_entry(sound / "nowhere", 0)


def test_an_old_checkpoint_is_proven_to_be_a_prefix(sound: Path) -> None:
    notes = (sound / "checkpoints").read_text().split("\n\n")
    checkpoints = [KEY.open_checkpoint(f"{notes[at]}\n\n{notes[at + 1]}\n") for at in range(0, len(notes) - 1, 2)]
    old, new = checkpoints[1], checkpoints[-1]
    assert 0 < old.size < new.size
    path = [b64decode(line) for line in prove_consistency(sound, old.size)]
    assert verify_consistency(old.size, new.size, old.root, new.root, path)
    assert not verify_consistency(old.size - 1, new.size, old.root, new.root, path)


def test_entries_are_exported_byte_for_byte(sound: Path) -> None:
    out = io.BytesIO()
    assert export_entries(sound, out, start=10, stop=400) == 390
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["index"] for line in lines] == list(range(10, 400))
    assert all(b64decode(line["leaf"]) == leaf_hash(line["entry"].encode()) for line in lines)
    assert any(line["entry"] == build_control_entry(1 + 9, control_row(10)).decode() for line in lines)


def test_the_exported_static_files_alone_give_the_signed_root(sound: Path, tmp_path: Path) -> None:
    """What a mirror holds: bundles hash to the leaves, leaves to the tiles above, all to the checkpoint's root."""
    count = export_tiles(sound, tmp_path / "static")
    files = [path for path in (tmp_path / "static").rglob("*") if path.is_file()]
    assert len(files) == count
    checkpoint = KEY.open_checkpoint((tmp_path / "static" / "checkpoint").read_text())
    entries: list[bytes] = []
    leaves: list[bytes] = []
    for tile in range(checkpoint.size // 256 + 1):
        width = min(256, checkpoint.size - tile * 256)
        suffix = "" if width == 256 else f".p/{width}"
        bundle = (tmp_path / "static" / "tile" / "entries" / f"{tile:03d}{suffix}").read_bytes()
        while bundle:
            size = int.from_bytes(bundle[:2], "big")
            entries.append(bundle[2 : 2 + size])
            bundle = bundle[2 + size :]
        data = (tmp_path / "static" / "tile" / "0" / f"{tile:03d}{suffix}").read_bytes()
        leaves += [data[at : at + 32] for at in range(0, len(data), 32)]
    assert [leaf_hash(entry) for entry in entries] == leaves
    assert len(leaves) == checkpoint.size
    assert Frontier().append(leaves).root == checkpoint.root
    above = (tmp_path / "static" / "tile" / "1" / f"000.p/{checkpoint.size // 256}").read_bytes()
    assert above[:32] == Frontier().append(leaves[:256]).root


def test_a_folder_without_a_log_is_a_clear_failure(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        verify_log(tmp_path, KEY)


def test_the_check_leaves_the_log_as_it_was(sound: Path) -> None:
    before = fingerprint(sound)
    verify_log(sound, KEY)
    prove_entry(sound, 3)
    assert fingerprint(sound) == before
    assert segment_path(sound / "segments", 0).exists()
