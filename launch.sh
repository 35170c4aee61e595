#!/usr/bin/env bash
# Sets up the environment once, then trains.
#   ./launch.sh                     two peers and a baseline on the embedded digits
#   ./launch.sh test                the checks and the tests
#   ./launch.sh --config=...        arguments for kdjax.main
# KDJAX_VENV: where the environment is (default .venv). PYTHON: which Python makes it.
set -euo pipefail
cd "$(dirname "$0")"
if ! "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "kdjax: needs Python 3.11 or newer; name one with PYTHON=python3.11 ./launch.sh" >&2
    exit 2
fi
venv=${KDJAX_VENV:-.venv}

# install NAME: installs requirements NAME, unless this very list is installed already.
install() {
    local list=requirements/$1.txt
    [ "$1" = cpu ] && list=requirements.txt
    local stamp="$venv/.installed-$1"
    if [ ! -x "$venv/bin/python" ]; then
        "${PYTHON:-python3}" -m venv "$venv"
    fi
    if ! cat requirements.txt requirements/*.txt | cmp -s - "$stamp"; then
        echo "kdjax: installing $list into $venv" >&2
        # Errors are shown; pip's warnings, notices of its new versions and advice to root are not.
        "$venv/bin/python" -m pip install -qq --disable-pip-version-check \
            --root-user-action=ignore -r "$list"
        cat requirements.txt requirements/*.txt > "$stamp"
    fi
}

if command -v nvidia-smi > /dev/null && nvidia-smi > /dev/null 2>&1; then
    install cuda
else
    install cpu
fi

if [ "${1:-}" = test ]; then
    shift
    install test
    "$venv/bin/ruff" check .
    "$venv/bin/ruff" format --check .
    "$venv/bin/mypy"
    exec "$venv/bin/python" -m pytest "$@"
fi
if [ $# = 0 ]; then
    set -- --config=configs/dml.py
fi
exec "$venv/bin/python" -m kdjax.main "$@"
