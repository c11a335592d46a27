#!/usr/bin/env bash
# The tests that need a GPU; everything else runs with `make test`.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHONPATH="src${PYTHONPATH:+:$PYTHONPATH}" exec "${PYTHON:-python3}" -m pytest -q -s -m gpu tests/gpu "$@"
