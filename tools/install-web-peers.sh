#!/usr/bin/env bash
# Debian's pebble (an ACME server for tests), Chromium, the certutil that makes an authority known
# to it, and GnuPG and sq, for tests/interop. No service is started.
set -euo pipefail
command -v pebble >/dev/null && command -v chromium >/dev/null && command -v certutil >/dev/null &&
    command -v gpg >/dev/null && command -v sq >/dev/null && exit 0
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"
echo "installing Debian's pebble, chromium, libnss3-tools, gnupg and sq"
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
    trap '$sudo rm -f "$policy"' EXIT
fi
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends \
    pebble chromium libnss3-tools gnupg sq >/dev/null
