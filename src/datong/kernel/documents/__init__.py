"""Documents that stand by themselves: signed so that anybody can check them offline, laid out for paper."""

from datong.kernel.documents.contracts import DocumentFacts, DocumentInvalid, PdfUnavailable, SignedDocument
from datong.kernel.documents.paper import lay_out_paper, render_pdf
from datong.kernel.documents.signing import load_public_keys, sign_document, verify_document

__all__ = [
    "DocumentFacts",
    "DocumentInvalid",
    "PdfUnavailable",
    "SignedDocument",
    "lay_out_paper",
    "load_public_keys",
    "render_pdf",
    "sign_document",
    "verify_document",
]
