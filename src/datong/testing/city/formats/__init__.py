"""The shapes in which agencies hand tables over, one module each; `open_writer` finds the right one."""

from datong.testing.city.formats.writers import TableWriter, open_writer

__all__ = ["TableWriter", "open_writer"]
