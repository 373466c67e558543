"""Tests of reading the unknown into drafts."""
