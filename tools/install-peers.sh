#!/usr/bin/env bash
# Other people's MLS and transparency logs, against which tests/interop runs: test dependencies
# only, locked with hashes, in their own environments (.peers, .peers/ledger) and
# tests/interop/peers/node_modules.
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

# The transparency log of aics-tlog and aics-witness asks for Python 3.12 or later.
newest=""
newest_version=0
for candidate in python3 python3.{12..19} "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3; do
  version=$("$candidate" -c 'import ensurepip, sys; print(sys.version_info[0] * 100 + sys.version_info[1])' 2>/dev/null) || continue
  if [ "$version" -ge 312 ] && [ "$version" -gt "$newest_version" ]; then
    newest=$candidate
    newest_version=$version
  fi
done
anyway=""
if [ -z "$newest" ]; then
  newest=${PYTHON:-python3}
  anyway="--ignore-requires-python"
  echo "no Python 3.12 or later here: aics-tlog and aics-witness run on $("$newest" --version), which they do not promise"
fi
"$newest" -m venv .peers/ledger
.peers/ledger/bin/pip install -q --disable-pip-version-check ${anyway:+"$anyway"} --require-hashes -r tests/interop/ledger/requirements.txt
