"""Numbers that people read out over the telephone: Q-2026-00001."""
