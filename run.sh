#!/usr/bin/env bash
# ./run.sh [options of app.py]   set up once, then serve the demo on http://127.0.0.1:7860
# ./run.sh test [pytest options] set up once, then run every check and test
# Needs Python 3.10 or newer, nothing else. PYTHON=... picks the interpreter, VENV=... the folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

python=${PYTHON:-python3}
venv=${VENV:-.venv}
torch_version=2.13.0

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 2; }

create_venv() {
  [ -x "$venv/bin/python" ] && return
  command -v "$python" >/dev/null || die "No $python here. Install Python 3.10 or newer, or set PYTHON."
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    die "$("$python" --version) is too old. Install Python 3.10 or newer, or set PYTHON."
  say "Making the virtual environment $venv ..."
  "$python" -m venv "$venv" ||
    { rm -rf "$venv"; die "Could not make $venv. On Debian and Ubuntu: apt install python3-venv."; }
}

pip() { # uv is many times faster than pip; without it pip does the same
  if [ -x "$venv/bin/uv" ]; then
    "$venv/bin/uv" pip "$@" -q --python "$venv/bin/python"
  else
    "$venv/bin/pip" "$@" -q
  fi
}

install_torch() {
  "$venv/bin/python" -c 'import torch' 2>/dev/null && return
  if [ "$(uname -s)" != Linux ] || nvidia-smi >/dev/null 2>&1; then
    say "Installing PyTorch ..."
    pip install "torch==$torch_version"
    return
  fi
  # Plain `pip install torch` brings gigabytes of CUDA on Linux. A CPU build may lie in a local
  # wheel folder that pip knows; else uv knows where the CPU builds are.
  say "Installing PyTorch for the CPU ..."
  "$venv/bin/pip" install -q "torch==$torch_version+cpu" 2>/dev/null ||
    pip install --torch-backend=cpu "torch==$torch_version" ||
    { say "No CPU build found; installing the general one (large)."
      pip install "torch==$torch_version"; }
}

install() { # requirements file: installs it unless it was installed as it stands now
  local stamp="$venv/.installed-$1" sum
  sum=$(cat requirements*.txt | cksum)
  [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && return
  create_venv
  "$venv/bin/pip" install -q uv 2>/dev/null || say "uv could not be installed; pip takes longer."
  install_torch
  say "Installing $1 (a minute or two, once) ..."
  pip install -r "$1"
  printf '%s\n' "$sum" >"$stamp"
}

if [ "${1:-}" = test ]; then
  shift
  install requirements-dev.txt
  "$venv/bin/ruff" check .
  "$venv/bin/ruff" format --check .
  "$venv/bin/mypy"
  "$venv/bin/lint-imports"
  exec "$venv/bin/python" -m pytest "$@"
fi
install requirements.txt
exec "$venv/bin/python" app.py "$@"
