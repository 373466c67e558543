"""The Merkle audit log: one append-only, signed log per host, and receipts that prove an entry of it offline."""
