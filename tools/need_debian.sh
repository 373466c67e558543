#!/usr/bin/env bash
# What the tests drive and PyPI does not have: Chromium with a font that has Chinese characters, the library that PDF
# reports are set with, a MariaDB and an MQTT broker to collect from.
set -euo pipefail
missing=()
[ -x /usr/bin/chromium ] || missing+=(chromium)
fc-list 2>/dev/null | grep -qi 'noto.*cjk' || missing+=(fonts-noto-cjk fontconfig)
ldconfig -p | grep -q libpangoft2 || missing+=(libpangoft2-1.0-0)
ldconfig -p | grep -q libharfbuzz-subset || missing+=(libharfbuzz-subset0)
[ -x /usr/sbin/mariadbd ] || missing+=(mariadb-server-core)
[ -x /usr/sbin/mosquitto ] || missing+=(mosquitto)
[ ${#missing[@]} = 0 ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "Install these first (Debian: apt-get install ${missing[*]})." >&2
  exit 1
fi
echo "installing for the tests: ${missing[*]}"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
