#!/usr/bin/env bash
# Run commands in a Debian root that has only python3, git, make and ca-certificates.
#
#   sudo tools/setup/bare_root.sh DIRECTORY USER COMMAND...
#
# Creates the root in DIRECTORY with mmdebstrap if it is missing, clones this checkout into it and runs
# the commands as USER (root, or any other name for a plain user). MIRROR, SUITE and UV_CACHE (a folder
# to share) are optional. .github/workflows/check.yml runs the README's two commands with it.
set -euo pipefail
directory=$1 user=$2
shift 2
here=$(cd "$(dirname "$0")/../.." && pwd)

if [ ! -x "$directory/usr/bin/python3" ]; then
  mmdebstrap --variant=minbase --include=python3,git,make,ca-certificates \
    "${SUITE:-trixie}" "$directory" ${MIRROR:+"$MIRROR"}
fi
id=0
if [ "$user" != root ]; then
  chroot "$directory" useradd --create-home --shell /bin/bash "$user" 2>/dev/null || true
  id=$(chroot "$directory" id -u "$user")
fi
home=$(chroot "$directory" sh -c "eval echo ~$user")
rm -rf "$directory$home/checkout"
git clone -q "$here" "$directory$home/checkout"
chroot "$directory" chown -R "$user" "$home/checkout"

mounts=()
bind() {
  mkdir -p "$directory$2"
  mount --bind "$1" "$directory$2"
  mounts=("$directory$2" "${mounts[@]}")
}
finish() { for mount in "${mounts[@]}"; do umount -l "$mount"; done; }
trap finish EXIT
bind /proc /proc
bind /dev /dev
bind /etc/ssl/certs /etc/ssl/certs
cp -L /etc/resolv.conf /etc/hosts "$directory/etc/"
if [ -n "${UV_CACHE:-}" ]; then bind "$UV_CACHE" /var/cache/uv; fi

for command in "$@"; do
  echo "+ $command ($user)"
  chroot --userspec="$id" "$directory" env -i HOME="$home" USER="$user" LANG=C.UTF-8 TERM=dumb \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    ${SSL_CERT_FILE:+SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt} \
    ${UV_CACHE:+UV_CACHE_DIR=/var/cache/uv} ${CI:+CI="$CI"} \
    sh -c "cd checkout 2>/dev/null || cd $home/checkout; $command"
done
