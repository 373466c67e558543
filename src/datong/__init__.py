"""Datong (大同): a government's scattered data, turned into one governed commons."""

__version__ = "0.1.0"
