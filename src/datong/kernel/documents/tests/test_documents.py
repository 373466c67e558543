"""A signed document: what its check proves, and everything that must fail it."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from datong.kernel.config import Settings
from datong.kernel.documents import (
    DocumentInvalid,
    lay_out_paper,
    load_public_keys,
    paper,
    render_pdf,
    sign_document,
    verify_document,
)
from datong.kernel.documents.contracts import PdfUnavailable
from datong.kernel.documents.signing import DOCUMENT_KEY_NAME
from datong.kernel.failures import TooLarge

BODY = "<h1>一致性评估报告</h1>".encode()


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.setenv("DATONG_HOME", str(tmp_path))
    return Settings({"DATONG_HOME": str(tmp_path)})


def published(settings: Settings) -> dict[str, Any]:
    return {"keys": load_public_keys(settings.keys_dir)}


def resigned_header(jws: str, **changes: str) -> str:
    """The signature with another header: what a forger would try."""
    head, _, signature = jws.partition("..")
    header = orjson.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return urlsafe_b64encode(orjson.dumps(header | changes)).rstrip(b"=").decode() + ".." + signature


def test_signed_document_proves_its_bytes_kind_and_subject(home: Settings) -> None:
    signed = sign_document(BODY, kind="conformance-report", subject="enterprises@1.0.0")
    facts = verify_document(BODY, signed.jws, published(home))
    assert (facts.kind, facts.subject, facts.digest) == ("conformance-report", "enterprises@1.0.0", signed.digest)
    assert (home.keys_dir / DOCUMENT_KEY_NAME).stat().st_mode & 0o077 == 0
    assert set(published(home)["keys"][0]) == {"kty", "crv", "x", "kid", "use", "alg"}, "public members only"


@pytest.mark.parametrize("place", [0, len(BODY) // 2, len(BODY) - 1])
def test_one_changed_bit_is_refused(home: Settings, place: int) -> None:
    signed = sign_document(BODY, kind="report", subject="s")
    altered = bytearray(BODY)
    altered[place] ^= 1
    with pytest.raises(DocumentInvalid) as caught:
        verify_document(bytes(altered), signed.jws, published(home))
    assert caught.value.facts["step"] == "signature"


@pytest.mark.parametrize("member", ["kind", "subject", "iat", "iss"])
def test_changed_header_is_refused(home: Settings, member: str) -> None:
    signed = sign_document(BODY, kind="report", subject="s")
    with pytest.raises(DocumentInvalid) as caught:
        verify_document(BODY, resigned_header(signed.jws, **{member: "another"}), published(home))
    assert caught.value.facts["step"] == "signature"


@pytest.mark.parametrize(
    "jws", ["", "a.b.c", "e30..AAAA", "not a signature", "é..é", "eyJhbGciOiJub25lIn0..", "A" * 100_000]
)
def test_unreadable_signature_is_refused(home: Settings, jws: str) -> None:
    sign_document(BODY, kind="report", subject="s")
    with pytest.raises(DocumentInvalid) as caught:
        verify_document(BODY, jws, published(home))
    assert caught.value.facts["step"] == "form"


def test_no_algorithm_but_ours(home: Settings) -> None:
    signed = sign_document(BODY, kind="report", subject="s")
    with pytest.raises(DocumentInvalid) as caught:
        verify_document(BODY, resigned_header(signed.jws, alg="none"), published(home))
    assert caught.value.facts["step"] == "form"


def test_replaced_key_signs_anew_and_old_documents_stand(home: Settings) -> None:
    old = sign_document(BODY, kind="report", subject="s")
    old_keys = published(home)
    (home.keys_dir / DOCUMENT_KEY_NAME).unlink()
    new = sign_document(BODY, kind="report", subject="s")
    assert len(published(home)["keys"]) == 2
    assert (
        verify_document(BODY, old.jws, published(home)).key_id != verify_document(BODY, new.jws, published(home)).key_id
    )
    with pytest.raises(DocumentInvalid) as caught:
        verify_document(BODY, new.jws, old_keys)
    assert caught.value.facts["step"] == "key"


def test_command_line_checks_a_file_and_refuses_a_tampered_one(home: Settings, tmp_path: Path) -> None:
    import typer

    from datong.app.cli import documents

    app = typer.Typer()
    documents.register(app)
    app.callback()(lambda: None)
    file, signature, keys = tmp_path / "report.html", tmp_path / "report.html.jws", tmp_path / "jwks.json"
    file.write_bytes(BODY)
    signature.write_text(sign_document(BODY, kind="report", subject="s").jws + "\n")
    keys.write_bytes(orjson.dumps(published(home)))
    for extra in ([], ["--key", str(keys)]):
        result = CliRunner().invoke(app, ["document", "verify", str(file), str(signature), "--json", *extra])
        assert result.exit_code == 0, result.output
        assert orjson.loads(result.stdout)["valid"] is True
    file.write_bytes(BODY + b" ")
    result = CliRunner().invoke(app, ["document", "verify", str(file), str(signature)])
    assert isinstance(result.exception, DocumentInvalid)


def test_paper_becomes_pdf_with_chinese_text_and_reads_no_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    html = lay_out_paper(
        title="数据标准一致性评估报告",
        number="BG-1 <b>",
        body_html=f'<p>正文</p><img src="file://{secret}" alt="没有取到">',
        signer="安澜市数据局",
        day="2026-11-24",
        proof="凭证",
    )
    assert "&lt;b&gt;" in html
    pdf = render_pdf(html)
    assert pdf.startswith(b"%PDF-")
    assert len(pdf) > 5000


def test_paper_too_large_for_pdf_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper, "PDF_HTML_BYTES_MAX", 10)
    with pytest.raises(TooLarge):
        render_pdf("<p>" + "x" * 20)


def test_missing_pango_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"cannot load library {name}")

    paper._load_weasyprint.cache_clear()
    monkeypatch.setattr(paper, "import_module", missing)
    with pytest.raises(PdfUnavailable) as caught:
        render_pdf("<p>x</p>")
    assert "Pango" in caught.value.hint
    paper._load_weasyprint.cache_clear()
