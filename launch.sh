#!/usr/bin/env bash
# Sets up the environment once, then trains.
#   ./launch.sh                     what a teacher adds, on the embedded digits
#   ./launch.sh test                the checks and the tests
#   ./launch.sh app                 networks side by side in a browser; more flags: docs/app.md
#   ./launch.sh --config=...        arguments for kdjax.main
# KDJAX_VENV: where the environment is (default .venv). PYTHON: which Python makes it.
set -euo pipefail
cd "$(dirname "$0")"
if ! "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "kdjax: needs Python 3.11 or newer; name one with PYTHON=python3.11 ./launch.sh" >&2
    exit 2
fi
venv=${KDJAX_VENV:-.venv}

# install NAME [OPTION ...]: installs requirements NAME with pip's options, unless this very list is
# installed already.
install() {
    local list=requirements/$1.txt
    [ "$1" = cpu ] && list=requirements.txt
    local stamp="$venv/.installed-$1"
    shift
    if [ ! -x "$venv/bin/python" ]; then
        "${PYTHON:-python3}" -m venv "$venv"
    fi
    if ! cat requirements.txt requirements/*.txt | cmp -s - "$stamp"; then
        echo "kdjax: installing $list into $venv" >&2
        # Errors are shown; pip's warnings, notices of its new versions and advice to root are not.
        "$venv/bin/python" -m pip install -qq --disable-pip-version-check \
            --root-user-action=ignore "$@" -r "$list"
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
    install export-no-deps --no-deps
    "$venv/bin/ruff" check .
    "$venv/bin/ruff" format --check .
    "$venv/bin/mypy"
    exec "$venv/bin/python" -m pytest "$@"
fi
if [ "${1:-}" = app ]; then
    shift
    install export
    install export-no-deps --no-deps
    # As `kdjax app` looks for it; where it is missing and npm too, that command says what to do.
    web=${KDJAX_WEB:-${XDG_CACHE_HOME:-$HOME/.cache}/kdjax/web}
    if [ ! -d "$web/node_modules/onnxruntime-web" ] && command -v npm > /dev/null; then
        echo "kdjax: installing onnxruntime-web into $web" >&2
        npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$web" \
            onnxruntime-web@1.30.0
    fi
    exec "$venv/bin/python" -m kdjax.serve_app "$@"
fi
if [ $# = 0 ]; then
    runs=runs/first-minute
    echo "kdjax: 1 of 2: a teacher learns from all training images of the digits" >&2
    "$venv/bin/python" -m kdjax.main --config=configs/kd.py --config.stage_order="('teacher',)" \
        --workdir=$runs/teacher
    echo "kdjax: 2 of 2: students learn from a fiftieth of them, with the teacher and alone" >&2
    # Settings were chosen by validation accuracy.
    exec "$venv/bin/python" -m kdjax.sweep --config=configs/kd.py:digits,train=0 --seeds=10 \
        --config.networks.teacher.workdir=$runs/teacher --config.data.fraction=0.02 \
        --config.alpha=0.9 --config.temperature=8 --config.epochs=160 --config.batch_size=8 \
        --config.validate_every_epochs=20 --config.checkpoint_every_epochs=40 \
        --workdir=$runs/students
fi
exec "$venv/bin/python" -m kdjax.main "$@"
