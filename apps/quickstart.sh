#!/usr/bin/env bash
# From a fresh checkout to a trained stacked denoising autoencoder: apps/quickstart.sh [--smoke]
# Installs what is missing, builds, finds or fetches MNIST, trains in some minutes, and draws the first
# layer's filters in filters.png. With --smoke the training is tiny and nothing is fetched.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/release

smoke=false
case ${1:-} in
  '') ;;
  --smoke) smoke=true ;;
  *)
    echo "usage: apps/quickstart.sh [--smoke]" >&2
    exit 2
    ;;
esac

"$root/third_party/setup.sh"
if [[ ! -f $build/build.ninja ]]; then (cd "$root" && cmake --preset release); fi
cmake --build "$build" --target SdA --parallel "$(nproc)"

cache=$HOME/.cache/damo/mnist
if [[ -n ${DAMO_DATA:-} ]]; then
  dataset=$DAMO_DATA
elif [[ -f $cache/t10k-labels-idx1-ubyte.gz ]]; then # the last one fetched
  dataset=$cache
elif ! $smoke && "$root/apps/get_mnist.sh" "$cache"; then
  dataset=$cache
else
  dataset=synthetic
  echo
  echo "*** MNIST is not here: training on synthetic pictures instead. The error rates mean little. ***"
  echo "*** For the real data, run apps/get_mnist.sh or set DAMO_DATA to the folder of the files.   ***"
  echo
fi

options=(--preset quick --dataset "$dataset" --filters filters.png)
if $smoke; then
  options+=(--train-size 2000 --valid-size 500 --test-size 500 --pretraining-epochs 1 --training-epochs 2)
fi
echo "+ SdA ${options[*]}"
"$build/apps/SdA" "${options[@]}"
echo "The filters of the first layer are in $PWD/filters.png"
