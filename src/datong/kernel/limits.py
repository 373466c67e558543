"""Every limit has a name, and all names are here; docs/reference/limits.md is generated from this file.

Units are in the name. A part adds its limits under its own heading.
"""

from __future__ import annotations

from typing import Final

# Requests and uploads
REQUEST_BODY_BYTES_MAX: Final = 1024 * 1024
"""A JSON or form body on any route that is not an upload."""
UPLOAD_BYTES_MAX: Final = 4 * 1024**3
"""One collected file; larger ones are split by the sender."""
HEADER_VALUE_BYTES_MAX: Final = 8 * 1024

# Paging
PAGE_ROWS_DEFAULT: Final = 50
PAGE_ROWS_MAX: Final = 1000
COUNT_ROWS_EXACT_MAX: Final = 10_000
"""Beyond it a count is an estimate and says so."""

# Contracts
CONTRACT_BYTES_MAX: Final = 512 * 1024
CONTRACT_COLUMNS_MAX: Final = 1000

# Data plane
VERIFY_ITEMS_MAX: Final = 10_000
VERIFY_BODY_BYTES_MAX: Final = 4 * 1024 * 1024
REFERENCE_CHARACTERS_MAX: Final = 128
TOKEN_CHARACTERS_MAX: Final = 256
AUDIT_ENTRY_BYTES_MAX: Final = 65_535
"""tlog-tiles frames an entry with a 16-bit length."""
AUDIT_SEAL_S_MAX: Final = 5
"""A control-plane audit row enters the Merkle log within this time while gateway and worker live."""
AUDIT_SEGMENT_BYTES: Final = 64 * 1024 * 1024

# Grants
GRANT_DAYS_MAX: Final = 365
GRANT_RATE_PER_MINUTE_DEFAULT: Final = 6_000_000
GRANT_REASON_CHARACTERS_MIN: Final = 4
"""A refusal or revocation needs a reason of at least this many characters."""

# Collection
QUARANTINE_SHOWN_ROWS_MAX: Final = 200
"""Rows of one reason shown on a page; the CSV has all."""
CSV_LINE_BYTES_MAX: Final = 16 * 1024 * 1024
CSV_SNIFF_BYTES: Final = 256 * 1024

# Processes
CHILD_RESTART_DELAY_S_MAX: Final = 30
SHUTDOWN_S_MAX: Final = 20
CHILD_STARTUP_S_MAX: Final = 60
CONTROL_THREADS_MAX: Final = 8
