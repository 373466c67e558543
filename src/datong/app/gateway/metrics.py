"""What the gateway counts, in the Prometheus text format (version 0.0.4)."""

from __future__ import annotations

from collections.abc import Callable

Gauge = Callable[[], float]


class Counts:
    """Plain counters: one dictionary access a call. Labels are modes and failure codes, both closed sets."""

    def __init__(self) -> None:
        self._exchanges: dict[tuple[str, str], int] = {}
        self._items: dict[str, int] = {}
        self._proxied: dict[int, int] = {}
        self._gauges: dict[str, tuple[str, Gauge]] = {}

    def add(self, mode: str, outcome: str, *, items_count: int = 0) -> None:
        key = (mode, outcome)
        self._exchanges[key] = self._exchanges.get(key, 0) + 1
        if items_count:
            self._items[mode] = self._items.get(mode, 0) + items_count

    def add_proxied(self, status: int) -> None:
        self._proxied[status] = self._proxied.get(status, 0) + 1

    def watch(self, name: str, description: str, gauge: Gauge) -> None:
        """Show a value that is read when it is asked for."""
        self._gauges[name] = (description, gauge)

    def render(self) -> str:
        lines = [
            "# HELP datong_exchanges_total Exchanges answered or refused.",
            "# TYPE datong_exchanges_total counter",
        ]
        lines += [
            f'datong_exchanges_total{{mode="{mode}",outcome="{outcome}"}} {count}'
            for (mode, outcome), count in sorted(self._exchanges.items())
        ]
        lines += ["# HELP datong_exchange_items_total Items answered.", "# TYPE datong_exchange_items_total counter"]
        lines += [f'datong_exchange_items_total{{mode="{mode}"}} {n}' for mode, n in sorted(self._items.items())]
        lines += ["# HELP datong_proxied_total Answers passed on from control.", "# TYPE datong_proxied_total counter"]
        lines += [f'datong_proxied_total{{status="{status}"}} {n}' for status, n in sorted(self._proxied.items())]
        for name, (description, gauge) in sorted(self._gauges.items()):
            lines += [f"# HELP {name} {description}", f"# TYPE {name} gauge", f"{name} {gauge():g}"]
        return "\n".join(lines) + "\n"
