#!/usr/bin/env bash
# Other people's MLS, against which tests/interop runs: test dependencies only, locked with
# hashes, in their own environment (.peers) and tests/interop/peers/node_modules.
set -euo pipefail
cd "$(dirname "$0")/.."
peers=tests/interop/peers
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  sudo=""
  [ "$(id -u)" = 0 ] || sudo="sudo"
  echo "installing Debian's nodejs and npm"
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null
fi
(cd $peers && npm ci --silent --no-audit --no-fund)
"${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null || tools/install-venv.sh
"${PYTHON:-python3}" -m venv .peers
.peers/bin/pip install -q --disable-pip-version-check --require-hashes -r $peers/requirements.txt
