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

UPLOAD_MEMORY_BYTES_MAX: Final = 2 * 1024 * 1024
"""An upload beyond this goes to a temporary file while it arrives."""

# Members, sessions, keys
PASSWORD_CHARACTERS_MIN: Final = 10
SESSION_IDLE_S_MAX: Final = 30 * 60
"""A session without a request for this long ends."""
SYSTEM_KEY_DAYS_DEFAULT: Final = 365
SYSTEM_KEY_DAYS_MAX: Final = 730
NAME_CHARACTERS_MAX: Final = 200

# Actions, events, jobs
AUDIT_FACTS_BYTES_MAX: Final = 32 * 1024
"""Facts of one audit row as JSON; its sealed entry must fit AUDIT_ENTRY_BYTES_MAX."""
EVENTS_PER_DELIVERY_MAX: Final = 200
EVENT_RETRY_DELAY_S_MAX: Final = 300
JOB_ATTEMPTS_MAX: Final = 5
JOBS_AT_ONCE_MAX: Final = 2
JOB_STALLED_S: Final = 30
"""A job whose worker has given no sign for this long is taken up again."""
JOB_KEPT_DAYS: Final = 30
"""Finished jobs and told events are deleted after this many days."""
PERIODIC_JOB_KEPT_S: Final = 3600
SEAL_ROWS_PER_ROUND_MAX: Final = 500

# Paging
PAGE_ROWS_DEFAULT: Final = 50
PAGE_ROWS_MAX: Final = 1000
COUNT_ROWS_EXACT_MAX: Final = 10_000
"""Beyond it a count is an estimate and says so."""
CURSOR_CHARACTERS_MAX: Final = 2048

# Contracts
CONTRACT_BYTES_MAX: Final = 512 * 1024
CONTRACT_COLUMNS_MAX: Final = 1000
CONTRACT_DEPTH_MAX: Final = 32
"""Nesting of a contract's YAML."""
CONTRACT_NODES_MAX: Final = 100_000
"""Values in a contract's YAML."""
CONTRACT_APPROVAL_DAYS: Final = 2
"""Working days within which a submitted contract is to be decided."""
DOUBLES_COMPARED_MAX: Final = 20
"""Resources with which a submitted contract is compared column by column, to find doubles."""
BREAKING_CHANGES_TOLD_MAX: Final = 50
"""Changes that one event tells; the rest stands in the diff of the two versions."""
WORKBOOK_BYTES_MAX: Final = 8 * 1024 * 1024
"""An uploaded catalogue template."""
WORKBOOK_UNPACKED_BYTES_MAX: Final = 32 * 1024 * 1024
"""All parts of the template together, unpacked."""
WORKBOOK_PARTS_MAX: Final = 200
WORKBOOK_RESOURCES_MAX: Final = 200
WORKBOOK_INLINE_BYTES_MAX: Final = 1024 * 1024
"""A marked copy up to this size comes with the page that lists its faults."""
CELL_FINDINGS_SHOWN_MAX: Final = 200
"""Faults of a workbook that a page lists; the marked copy has all."""
DIFF_LINES_SHOWN_MAX: Final = 200
WORKBOOK_ROWS_MAX: Final = 20_000
"""Rows of one sheet."""
LANDING_RETENTION_DAYS_MAX: Final = 3660
"""The longest time for which a contract may ask that delivered files are kept."""
FACET_BYTES_MAX: Final = 16 * 1024
"""One value that a higher part writes down on a resource."""

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
AUDIT_SEGMENT_BYTES_MIN: Final = 128 * 1024
"""A segment holds at least its header and one entry of the greatest length."""
AUDIT_SPARE_RETRY_S: Final = 5
"""After a full disk, the log tries for another segment this much later; until then calls are refused."""
AUDIT_BATCH_ENTRIES_MAX: Final = 4096
AUDIT_BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
"""Entries that one sync makes durable."""
AUDIT_PENDING_ENTRIES_MAX: Final = 20_000
"""Entries waiting for the disk; beyond it a call is refused with `unavailable`."""
AUDIT_SYNCS_IN_FLIGHT_MAX: Final = 4
AUDIT_SYNC_OVERLAP_S: Final = 0.001
"""Another sync starts beside a running one only when that is older than this."""
AUDIT_HELPER_RESTART_S_MAX: Final = 5
AUDIT_PUBLISH_S: Final = 1
"""The published checkpoint and tiles are at most this old while the log grows."""
AUDIT_HISTORY_S: Final = 60
"""One published checkpoint in this time is kept for ever."""
AUDIT_SEGMENTS_OPEN_MAX: Final = 64
"""Segment files that one reader keeps open."""
AUDIT_NOTE_BYTES_MAX: Final = 64 * 1024
AUDIT_RECEIPT_BYTES_MAX: Final = 256 * 1024
AUDIT_SOCKET_MESSAGE_BYTES_MAX: Final = 8 * 1024 * 1024
AUDIT_SOCKET_ROWS_MAX: Final = 1000
"""Control rows in one message of the sequencer."""

SERVING_MAP_BYTES: Final = 256 * 1024**3
"""Address space set aside for the serving store; the file grows only as it is filled."""
SERVING_READERS_MAX: Final = 512
"""Processes and threads that may read the serving store at once."""
SERVING_WRITE_ROWS_MAX: Final = 10_000
"""Rows written or deleted in one transaction, so that a revocation never waits behind a load."""
VERIFY_INLINE_BODY_BYTES_MAX: Final = 48 * 1024
"""A verify body beyond it is worked on in a helper process, so that single calls beside it stay quick."""
VERIFY_HELPER_WAITING_MAX: Final = 32
"""Batch verifications that may wait for the helper; beyond it the answer is 503."""
CLAIMS_PER_ITEM_MAX: Final = 64

# Gateway
PROXY_CONNECTIONS_MAX: Final = 256
"""Connections from the gateway to the control process."""
PROXY_CONNECT_S_MAX: Final = 5
PROXY_READ_S_MAX: Final = 120
"""From the end of the call to the first byte of control's answer, and between two pieces of it: server-sent events
send a comment within it."""
PROXY_WRITE_S_MAX: Final = 120
"""How long control may take to accept one piece of an upload."""
PROXY_RETRIES_MAX: Final = 1
"""A call without a body is sent again when control closed the idle connection that it was sent on."""
GATEWAY_ASK_S_MAX: Final = 2
"""How long the revoke page waits for a gateway's acknowledgement."""
GATEWAY_BACKLOG_MAX: Final = 1024
GATEWAY_REFRESH_S: Final = 1
"""An idle gateway moves to the newest snapshot this often, so that old pages can be used again."""

# Grants
USAGE_FOLD_ENTRIES_MAX: Final = 5000
"""Log entries folded into usage rows in one transaction."""
RECONCILE_S: Final = 60
"""How often the serving store is compared with what was decided."""
FOLD_S: Final = 60
"""How often the audit log is folded into usage; a grant's page folds what is new when it is read."""
GRANT_DAYS_MAX: Final = 365
GRANT_RATE_PER_MINUTE_DEFAULT: Final = 6_000_000
GRANT_ROW_CONDITIONS_MAX: Final = 16
GRANT_ROW_VALUES_MAX: Final = 500
GRANT_ROW_VALUE_CHARACTERS_MAX: Final = 200
PURPOSE_CHARACTERS_MAX: Final = 64
REQUEST_TEXT_CHARACTERS_MIN: Final = 4
REQUEST_TEXT_CHARACTERS_MAX: Final = 500
GRANT_REASON_CHARACTERS_MIN: Final = 4
"""A refusal or revocation needs a reason of at least this many characters."""

# Documents
DOCUMENT_SIGNATURE_BYTES_MAX: Final = 8 * 1024
"""A detached signature with its header."""
PDF_HTML_BYTES_MAX: Final = 8 * 1024 * 1024
"""A report laid out for paper, some hundreds of pages; larger ones are handed out as HTML or JSON."""

# Quality
QUALITY_EXPRESSION_CHARACTERS_MAX: Final = 2000
"""One condition of a quality rule."""
QUALITY_EXPRESSION_NODES_MAX: Final = 200
"""Parts of one condition: columns, values and operators."""
QUALITY_FINDINGS_SHOWN_MAX: Final = 200
"""Failing rows of one rule that a page or a report shows; the download has all."""
QUALITY_KEYS_FETCHED_MAX: Final = 100_000
"""Keys of failing rows that a run on another engine brings back for one rule."""
QUALITY_SORTED_KEYS_MAX: Final = 32_000_000
"""Keys of one version that are sorted in memory to find the repeated ones, 8 bytes each; more are grouped on disk."""
QUALITY_MEMORY_MIB: Final = 1024
"""DuckDB's memory in a run of rules over an exported file; beyond it it spills."""
ENGINE_CONNECT_S_MAX: Final = 5
"""Reaching a Spark Connect server at all."""
QUALITY_ENGINE_START_S_MAX: Final = 60
"""How long a Sail server of our own may take to answer."""
QUALITY_TREND_REPORTS_MAX: Final = 24
QUALITY_OVERDUE_S: Final = 3600
"""How often work orders past their day are looked for."""
QUALITY_WAIVER_DAYS_MAX: Final = 366
QUALITY_ORDERS_PER_REPORT_MAX: Final = 200
"""Work orders that one version may open, one for each broken rule."""

# Standards
STANDARD_FILE_BYTES_MAX: Final = 32 * 1024 * 1024
"""One file of a code list, of divisions or of data elements to import."""
STANDARD_ENTRIES_MAX: Final = 200_000
STANDARD_SHOWN_ROWS_MAX: Final = 300
"""Entries of an edition, or differences between two, on one page or in one listing; the JSON has all."""

# Collection
QUARANTINE_SHOWN_ROWS_MAX: Final = 200
"""Rows of one reason shown on a page; the CSV has all."""
CSV_LINE_BYTES_MAX: Final = 16 * 1024 * 1024
CSV_BUFFER_BYTES: Final = 32 * 1024 * 1024
"""What DuckDB reads of a file at a time, at least CSV_LINE_BYTES_MAX; its own default is 16 greatest lines."""
CSV_SNIFF_BYTES: Final = 256 * 1024
COLLECT_UNSHAPED_ROWS_MAX: Final = 100_000
"""Rows of one file that lack the header's number of fields; beyond it the file is refused: its delimiter is wrong."""
COLLECT_LINES_FETCHED_MAX: Final = 50_000
"""Rows of repeated keys that are read line by line; more of them are found by a second scan of the file."""
COLLECT_SORTED_KEYS_MAX: Final = 64_000_000
"""Keys of one file that are sorted in memory to find the repeated ones, 8 bytes each; more are grouped on disk."""
COLLECT_NOTED_ROWS_MAX: Final = 20_000
"""Accepted rows of one run that break a rule and are kept with their source lines, shared equally by such rules."""
COLLECT_SUGGESTIONS_MAX: Final = 10_000
"""Quarantined identifiers of one run for which a near miss is searched."""
COLLECT_MEMORY_MB: Final = 2048
"""Memory of one check pass; beyond it DuckDB spills, encrypted, into the run's work folder."""
COLLECT_SPILL_GB_MAX: Final = 16
COLLECT_THREADS_MAX: Final = 4
COLLECT_RECOVER_S: Final = 300
"""How often runs without a living job are looked for."""
COLLECT_WORK_KEPT_S: Final = 86_400
"""Age at which work folders and half-landed files of killed runs are removed."""
COLLECT_PROGRESS_S: Final = 0.5
"""How often a long step tells how far it is."""
BILL_BYTES_MAX: Final = 256 * 1024
BILL_COLUMNS_MAX: Final = 50
"""Columns of one bill with a control sum or a count of different values."""
COLLECT_DELETES_SHARE_MAX: Final = 0.2
"""A full comparison that would delete a greater share of the table waits for somebody to confirm it."""
COLLECT_DELETES_ROWS_FREE: Final = 10
"""So few deleted rows never wait, however small the table."""
CHANGES_SHOWN_ROWS_MAX: Final = 200
"""Cleaned cells shown on a page; the terminal lists CHANGES_LISTED_MAX."""
CHANGES_LISTED_MAX: Final = 100_000
"""Cleaned cells of one run that the terminal lists at most."""
LANDING_EXPIRE_S: Final = 3600
"""How often landed files past their retention are looked for."""
LANDING_EXPIRED_PER_ROUND_MAX: Final = 1000
"""Landed files that one round removes."""
LANDING_DAYS_DEFAULT: Final = 180
"""How long a landed file is kept where neither contract nor deployment says otherwise; its digest stays for ever."""
GRANT_NOTICE_DAYS: Final = 10
"""Working days in which a grantee should have read of a breaking contract."""
COLLECT_CASE_DAYS: Final = 3
"""Working days that a steward has for a failed or waiting run."""
READER_HEADER_ROWS_SEARCHED: Final = 60
"""The header of a table is looked for in so many rows, below titles and notes."""
READER_NOTE_ROWS_MAX: Final = 200
"""Footnotes below a table; a longer tail is rows without the header's shape."""
READER_NOTE_CHARACTERS_MAX: Final = 2000
READER_UNPACKED_BYTES_MAX: Final = 4 * 1024**3
"""A packed file, unpacked: an archive's member, a gzip stream."""
READER_MEMBERS_MAX: Final = 2000
"""Members of one archive."""
READER_EXCEL_BYTES_MAX: Final = 512 * 1024 * 1024
"""A workbook, unpacked: it is held in memory to be read. Larger tables are sent as CSV or Parquet."""
READER_RECORD_BYTES_MAX: Final = 16 * 1024 * 1024
"""One JSON or XML record as text."""
READER_DEPTH_MAX: Final = 64
"""Nesting of a JSON or XML record."""
READER_MEMORY_MIB: Final = 1024
"""DuckDB's memory while it reads Parquet or a shapefile."""

# Sources
SOURCE_OPTION_CHARACTERS_MAX: Final = 20_000
"""One option of a source, such as its query."""
SOURCE_SECRET_CHARACTERS_MAX: Final = 20_000
SOURCE_CONNECT_S_MAX: Final = 10
SOURCE_STATEMENT_S_MAX: Final = 1800
"""One statement on a source's database, or the silence of any source in between."""
SOURCE_TEST_S_MAX: Final = 20
"""One statement of a connection test."""
SOURCE_TEST_ROWS_MAX: Final = 1_000_000
"""A connection test counts rows up to here."""
SOURCE_BATCH_ROWS_MAX: Final = 5_000_000
SOURCE_WINDOW_ROWS_MAX: Final = 500_000
"""Rows within the look-back whose digests a source remembers, 16 bytes each."""
SOURCE_PAGES_MAX: Final = 100_000
"""Pages of one HTTP fetch."""
SOURCE_PAGE_BYTES_MAX: Final = 64 * 1024 * 1024
SOURCE_TRIES_MAX: Final = 6
"""Tries of one HTTP page, with growing pauses."""
SOURCE_PAUSE_S_MAX: Final = 60
"""The longest pause between two tries, also where Retry-After asks for more: then the fetch ends and is due later."""
SOURCE_RESUME_S_MAX: Final = 3600
"""A broken HTTP fetch goes on at its page within this time; later it begins anew."""
SOURCE_MESSAGES_MAX: Final = 1_000_000
"""Messages of one MQTT batch."""
SOURCE_SEGMENT_BYTES_MAX: Final = 256 * 1024 * 1024
"""What one MQTT batch takes on disk before it is landed."""
SOURCE_BATCH_S_MAX: Final = 60
"""An MQTT fetch holds one of the worker's places for at most this long."""
SOURCE_FILES_SEEN_MAX: Final = 100_000
"""Files in one watched folder."""
SOURCE_BACK_OFF_S_MAX: Final = 6 * 3600
"""The longest pause after failures in a row."""
SOURCE_POLL_S: Final = 5
"""How often due sources are looked for."""
SOURCE_CASE_DAYS: Final = 3
"""Working days within which a steward looks at a source that fails."""
SOURCE_CLOCK_SKEW_S_MAX: Final = 60
"""A connection test warns beyond it."""

# Reading unknown data into draft contracts
INFER_COLUMNS_AT_ONCE: Final = 40
"""Columns that one scan measures."""
INFER_ROWS_MAX: Final = 50_000_000
"""A larger table is not read: nothing is ever said of a table from part of it."""
INFER_TABLES_MAX: Final = 500
INFER_STATEMENT_S_MAX: Final = 3600
"""One statement in the database that is read."""
INFER_BATCH_ROWS: Final = 20_000
INFER_VALUES_SHOWN_MAX: Final = 8
INFER_WORDS_MAX: Final = 100
"""Distinct values up to which all of them are listed and compared with code lists."""
INFER_ENUM_MAX: Final = 20
"""Distinct values up to which a closed list of them is suggested."""
INFER_KEY_COLUMNS_MAX: Final = 3
INFER_KEYS_TRIED_MAX: Final = 60
INFER_REMAINS_KEPT_S: Final = 3600
"""Files that a killed process left are removed at this age."""
INFER_UPLOAD_BYTES_MAX: Final = 32 * 1024 * 1024
"""A file read into a draft from a page; larger ones are read by the command."""

# Sensitive data
DETECT_COLUMNS_AT_ONCE: Final = 40
"""Columns that one scan of the detector looks at."""
DETECT_SAMPLES_MAX: Final = 3
"""Masked values shown as evidence."""

# Processes
CHILD_RESTART_DELAY_S_MAX: Final = 30
SHUTDOWN_S_MAX: Final = 20
CHILD_STARTUP_S_MAX: Final = 60
CONTROL_THREADS_MAX: Final = 8

# PostgreSQL
POSTGRES_CONNECTIONS_MAX: Final = 100
POSTGRES_SHARED_BUFFERS_MIB: Final = 256
POSTGRES_START_S_MAX: Final = 60
POSTGRES_STOP_S_MAX: Final = 30
SOCKET_PATH_BYTES_MAX: Final = 100
"""A unix socket's path has room for 107 bytes; temporary names need a few of them."""

# Working days
WORKING_DAYS_COUNTED_MAX: Final = 5000
"""About twenty years: a longer count is a mistake in a date."""

# Lake
LAKE_THREADS: Final = 2
"""DuckDB threads of one agency's instance in one process."""
LAKE_MEMORY_MIB: Final = 2048
"""Of one agency's instance; beyond it DuckDB writes to the lake's temporary folder."""
LAKE_TEMP_MIB_MAX: Final = 64 * 1024
LAKE_AGENCIES_OPEN_MAX: Final = 8
"""Catalogues that one process keeps attached."""
LAKE_BATCH_ROWS: Final = 65_536
"""Rows of one Arrow batch that flows out of the lake."""
LAKE_RECOVER_S: Final = 60
"""How often commits that a killed process left are looked for."""
LAKE_REMAINS_KEPT_S: Final = 86_400
"""Files that no snapshot names are deleted at this age: a run may not write for longer."""
LAKE_CATALOGUE_CONNECTIONS: Final = 2
"""PostgreSQL connections that one attached catalogue keeps; transactions beyond it open and close their own."""
LAKE_LOCK_WAIT_S_MAX: Final = 600
"""How long a run waits for another run's write to the same table."""
RUNNER_PROCESSES_MAX: Final = 2
"""Queries of others that run at once on this host; more wait."""
RUNNER_WAIT_S_MAX: Final = 30
RUNNER_QUERY_S_MAX: Final = 60
RUNNER_MEMORY_MIB: Final = 512
"""DuckDB's own limit; the process may take RUNNER_OVERHEAD_MIB more before the kernel refuses it memory."""
RUNNER_OVERHEAD_MIB: Final = 2048
RUNNER_THREADS: Final = 1
RUNNER_TEMP_MIB_MAX: Final = 1024
RUNNER_TABLES_MAX: Final = 32
RUNNER_RESULT_BYTES_MAX: Final = 256 * 1024 * 1024
RUNNER_QUERY_CHARACTERS_MAX: Final = 64 * 1024

# Search over the catalogue
SEARCH_QUERY_CHARACTERS_MAX: Final = 200
SEARCH_TERMS_MAX: Final = 8
"""Words between spaces; what is typed beyond is not looked for."""
SEARCH_ALTERNATIVES_MAX: Final = 6
"""A word and its synonyms."""
SEARCH_CANDIDATES_MAX: Final = 500
"""So many matches are ranked and counted; beyond, counts are estimates and the page says so."""
SEARCH_SUGGESTIONS_MAX: Final = 8
SYNONYM_GROUPS_MAX: Final = 5000
SYNONYM_CHARACTERS_MAX: Final = 40

# Lineage
LINEAGE_DEPTH_MAX: Final = 12
"""Steps that lineage is followed up or down."""
LINEAGE_EDGES_SHOWN_MAX: Final = 2000
LINEAGE_REFERRING_MAX: Final = 200
"""Other contracts that are read for references to a column."""
LINEAGE_SEND_S_MAX: Final = 10
"""One event to the endpoint."""
LINEAGE_SENT_AT_ONCE_MAX: Final = 200
LINEAGE_SEND_EVERY_S: Final = 15
LINEAGE_RETRY_S_MAX: Final = 600
"""The longest pause before an event that was refused is sent again."""
LINEAGE_EVENTS_DAYS: Final = 365
"""How long OpenLineage events are kept; edges stay."""

# Responsibility
RESPONSIBILITY_DAYS: Final = 10
"""Working days to decide a claim on an element, or to answer whose a field is."""
ELEMENTS_SHOWN_MAX: Final = 1000
