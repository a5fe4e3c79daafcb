#!/usr/bin/env bash
# Debian splits the venv module from python3: install it, so that one command sets everything up.
set -euo pipefail
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"
echo "python3 has no venv module; installing Debian's python3-venv"
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq python3-venv >/dev/null
