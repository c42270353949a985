#!/bin/bash
# The gradients of a whole training step at a published size against PyTorch's: three steps of both, made-up weights
# and fields, compared by check_vectors (losses, every first gradient, the state after three steps).
#
# usage: tests/train/long_gradients.sh [CONFIG [BATCH]]     default: wb_mv5 2
# Minutes, and some gigabytes of memory for PyTorch.  Exit status 77: PyTorch or the reference is not there.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
reference=$root/../shared/reference/met2net_torch.py
build=${M2N_BUILD:-$root/build}
config=${1:-wb_mv5} batch=${2:-2}
[ -e "$reference" ] || { echo "$reference: not there; skipped"; exit 77; }
/usr/bin/python3 -c "import torch" 2> /dev/null || { echo "no PyTorch; skipped"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/met2net-gradients.XXXXXX")
trap 'rm -rf "$work"' EXIT

/usr/bin/python3 "$reference" vectors "$config" "$work/vectors.safetensors" --batch "$batch"
"$build/tests/check_vectors" "$work/vectors.safetensors"
