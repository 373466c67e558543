from datong.catalog.tests.conftest import cast

__all__ = ["cast"]
