"""How the demonstration speaks: each step with its numbers, in Chinese and in English."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text


class Teller:
    """Numbers the steps and prints them in both languages."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._step = 0

    def title(self, zh: str, en: str) -> None:
        self._console.print()
        self._console.print(Text(zh, style="bold"))
        self._console.print(Text(en, style="dim"))

    def step(self, zh: str, en: str) -> None:
        self._step += 1
        self._console.print()
        self._console.print(Text(f"{self._step:>2}  {zh}"), soft_wrap=True)
        self._console.print(Text(f"    {en}", style="dim"), soft_wrap=True)

    def detail(self, zh: str, en: str) -> None:
        self._console.print(Text(f"      · {zh}"), soft_wrap=True)
        self._console.print(Text(f"        {en}", style="dim"), soft_wrap=True)

    def line(self, text: str) -> None:
        self._console.print(Text(f"      {text}"), soft_wrap=True)
