"""Tests of the kernel, against a real PostgreSQL."""
