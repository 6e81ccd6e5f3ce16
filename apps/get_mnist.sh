#!/usr/bin/env bash
# Fetches the four files of MNIST and checks them: apps/get_mnist.sh [folder]
# The folder is $DAMO_DATA or ~/.cache/damo/mnist by default. Files that are there and right are kept.
# DAMO_MNIST_MIRRORS lists other places to fetch from, by their URLs, also file:///folder.
set -euo pipefail
if [[ ${1:-} == -* ]] || (($# > 1)); then
  echo "usage: apps/get_mnist.sh [folder]" >&2
  exit 2
fi
folder=${1:-${DAMO_DATA:-$HOME/.cache/damo/mnist}}
mirrors=(https://ossci-datasets.s3.amazonaws.com/mnist https://storage.googleapis.com/cvdf-datasets/mnist)
if [[ -n ${DAMO_MNIST_MIRRORS:-} ]]; then read -r -a mirrors <<<"$DAMO_MNIST_MIRRORS"; fi

# File, sha256 as published, sha256 decompressed: a recompressed copy is as good.
files=(
  "train-images-idx3-ubyte.gz
   440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609
   ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
  "train-labels-idx1-ubyte.gz
   3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c
   65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
  "t10k-images-idx3-ubyte.gz
   8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6
   0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
  "t10k-labels-idx1-ubyte.gz
   f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6
   ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
)

# The largest file has 47040016 bytes when it is decompressed.
most_kilobytes=46000

# fetch URL FILE: nothing larger than that, and no file that was asked for safely by another way.
fetch() (
  ulimit -f "$most_kilobytes"
  if [[ $1 == file://* ]]; then
    cp -- "${1#file://}" "$2"
  elif command -v curl >/dev/null; then
    protocols='=http,https'
    if [[ $1 == https://* ]]; then protocols='=https'; fi
    curl --fail --silent --show-error --location --connect-timeout 10 --max-time 300 \
      --speed-limit 1000 --speed-time 20 --proto '=http,https' --proto-redir "$protocols" --output "$2" "$1"
  elif command -v wget >/dev/null; then
    redirects=5
    # wget cannot be kept from following one to http.
    if [[ $1 == https://* ]]; then redirects=0; fi
    wget --no-verbose --tries 1 --timeout 20 --max-redirect "$redirects" --output-document "$2" "$1"
  else
    echo "get_mnist: neither curl nor wget is installed" >&2
    exit 1
  fi
)

# unpacked_sha256 FILE: fails if the gzip data end too soon, have another checksum, or something follows them.
unpacked_sha256() {
  gzip -dc <"$1" 2>/dev/null | head -c "$((most_kilobytes * 1024))" | sha256sum
}

# is_right FILE SHA256 SHA256_DECOMPRESSED
is_right() {
  local unpacked
  [[ $(sha256sum <"$1") == "$2"* ]] || { unpacked=$(unpacked_sha256 "$1") && [[ $unpacked == "$3"* ]]; }
}

# get NAME SHA256 SHA256_DECOMPRESSED
get() {
  local path=$folder/$1 mirror
  if [[ -e $path && ! -f $path ]]; then
    echo "get_mnist: $path is there and not a file" >&2
    return 1
  fi
  if [[ -f $path ]]; then
    if is_right "$path" "$2" "$3"; then return 0; fi
    echo "get_mnist: $path has another checksum and will be replaced" >&2
  fi
  for mirror in "${mirrors[@]}"; do
    echo "get_mnist: $mirror/$1"
    part=$path.part
    rm -f "$part"
    if ! fetch "$mirror/$1" "$part"; then
      echo "get_mnist: this mirror failed" >&2
    elif ! is_right "$part" "$2" "$3"; then
      echo "get_mnist: this mirror's file has another checksum" >&2
    else
      mv -f "$part" "$path"
      return 0
    fi
  done
  echo "get_mnist: no mirror has $1" >&2
  return 1
}

part=
trap 'if [[ -n $part ]]; then rm -f "$part"; fi' EXIT
mkdir -p "$folder"
for file in "${files[@]}"; do
  read -r -d '' name packed unpacked <<<"$file" || true
  get "$name" "$packed" "$unpacked"
done
echo "get_mnist: MNIST is in $folder"
