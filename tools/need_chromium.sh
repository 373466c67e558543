#!/usr/bin/env bash
# The browser tests drive Debian's Chromium, with a font that has Chinese characters.
set -euo pipefail
[ -x /usr/bin/chromium ] && fc-list 2>/dev/null | grep -qi 'noto.*cjk' && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "Install Chromium and a Chinese font first (Debian: apt-get install chromium fonts-noto-cjk)." >&2
  exit 1
fi
echo "installing Chromium for the browser tests"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-noto-cjk fontconfig >/dev/null
