#!/usr/bin/env bash
# Debian's libfaketime, by which tests give a server and devices clocks of their own.
set -euo pipefail
compgen -G "/usr/lib/*/faketime/libfaketimeMT.so.1" >/dev/null && exit 0
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"
echo "installing Debian's libfaketime"
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends libfaketime >/dev/null
