"""`datong demo`: the platform started, the demonstration told, the portal left running."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated

import httpx
import orjson
import typer

from datong.kernel import clock
from datong.kernel.config import Settings, load_settings
from datong.kernel.failures import Unavailable
from datong.kernel.limits import CHILD_STARTUP_S_MAX, SHUTDOWN_S_MAX


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    serve: Annotated[bool, typer.Option(help="Keep serving afterwards.")] = True,
    people: Annotated[int, typer.Option(min=100, help="People in the synthetic city.")] = 5000,
    firms: Annotated[int, typer.Option(min=10, help="Firms in the synthetic city.")] = 500,
    seed: Annotated[int, typer.Option(help="The same seed gives the same city.")] = 7,
    real: Annotated[Path | None, typer.Option(help="Walk the same line with the real files of this folder.")] = None,
) -> None:
    """Build the demonstration city, run the main job end to end, say what happened, serve the portal."""
    settings = load_settings()
    if _is_up(settings):
        _tell(settings, people=people, firms=firms, seed=seed, real=real)
        _say_where(settings)
        return
    platform = _start(settings)
    try:
        _tell(settings, people=people, firms=firms, seed=seed, real=real)
        if serve:
            _say_where(settings)
            platform.wait()
    except KeyboardInterrupt:
        pass
    finally:
        _stop(platform)


def _start(settings: Settings) -> subprocess.Popen[bytes]:
    """`datong up` as a child; returns when it answers."""
    platform = subprocess.Popen([sys.executable, "-m", "datong.app.cli", "up"], start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    waiting, deadline_s = threading.Event(), clock.monotonic_s() + 2 * CHILD_STARTUP_S_MAX
    while clock.monotonic_s() < deadline_s:
        if platform.poll() is not None:
            raise SystemExit(platform.returncode or 1)
        if _is_up(settings):
            return platform
        waiting.wait(0.1)
    _stop(platform)
    raise Unavailable("The platform did not come up; see the logs.", log=str(settings.log_dir))


def _is_up(settings: Settings) -> bool:
    """Whether a supervisor holds this home and its gateway and pages answer."""
    lock = settings.run_dir / "supervisor.lock"
    try:
        Path(f"/proc/{int(lock.read_text())}/cwd").stat()
        base = f"http://{settings.host}:{settings.port}"
        return all(httpx.get(base + path, timeout=2, trust_env=False).is_success for path in ("/readyz", "/sign-in/"))
    except (OSError, ValueError, httpx.HTTPError):
        return False


def _tell(settings: Settings, *, people: int, firms: int, seed: int, real: Path | None) -> None:
    from datong.app.control.setup import set_up_django

    set_up_django()
    from datong.app.demo.real import tell_real
    from datong.app.demo.story import DemoSize, Story

    story = Story(settings, DemoSize(people=people, firms=firms, seed=seed))
    if real is None:
        story.run()
        return
    if not story.is_told:
        story.run()
    tell_real(settings, real)


def _say_where(settings: Settings) -> None:
    logins = orjson.loads((settings.demo_dir / "logins.json").read_bytes())
    typer.echo(f"\n门户 · portal   {settings.public_url}/")
    typer.echo(f"登录 · logins   {settings.demo_dir / 'logins.json'}")
    for key in ("steward", "approver", "bureau", "auditor", "security", "operator", "public"):
        login = logins[key]
        typer.echo(f"   {key:<9} {login['username']:<10} {login['password']}   {login['name']}")
    typer.echo(f"令牌 · token    {settings.demo_dir / 'token'}    演示清单 · {settings.demo_dir / 'demo.json'}")
    typer.echo("Ctrl-C 停止 · stops it\n")


def _stop(platform: subprocess.Popen[bytes]) -> None:
    if platform.poll() is None:
        platform.terminate()
        try:
            platform.wait(5 * SHUTDOWN_S_MAX)
        except subprocess.TimeoutExpired:
            platform.kill()
