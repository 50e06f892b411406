#!/bin/sh
# Installs the Debian packages that some tests need, where that is possible without asking.
#
#   sh locks/debian.sh PROGRAM:PACKAGE... PACKAGE...
#
# A package that brings a program counts as installed where the program is, whoever put it there; one that brings
# none, where dpkg says so.
#
# Needs apt-get, and root or a sudo that asks for no password. What stays missing is counted and named, and its
# tests are skipped: this script never fails for it.
set -eu

# Debian keeps daemons out of a plain user's PATH.
PATH=$PATH:/usr/sbin:/sbin

# $1: PROGRAM:PACKAGE or PACKAGE.
is_installed() {
    case "$1" in
        *:*) command -v "${1%%:*}" >/dev/null ;;
        *) [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ;;
    esac
}

# Sets $missing and $packages to what of the arguments is not installed, and $count to how many that are.
look() {
    missing='' packages='' count=0
    for wanted in "$@"; do
        if ! is_installed "$wanted"; then
            count=$((count + 1))
            missing="$missing ${wanted%%:*}"
            packages="$packages ${wanted##*:}"
        fi
    done
}

as_root=''
may_install() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" -eq 0 ] && return 0
    as_root='sudo -n'
    sudo -n true 2>/dev/null
}

look "$@"
if [ -n "$packages" ] && may_install; then
    echo "installing Debian packages for the tests:$packages"
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # the words of $as_root and $packages are separate arguments
    if ! { timeout 120 $as_root apt-get update && timeout 300 $as_root apt-get install --yes --no-install-recommends $packages; } >"$log" 2>&1; then
        tail -n 5 "$log"
    fi
    rm "$log"
    # The package starts a broker for the whole machine; the tests start their own, and nobody asked for that one.
    case "$packages " in
        *' mosquitto '*) $as_root systemctl disable --now mosquitto >/dev/null 2>&1 \
            || $as_root service mosquitto stop >/dev/null 2>&1 || true ;;
    esac
    look "$@"
fi
if [ "$count" -gt 0 ]; then
    echo "$count missing, and the tests that need them will be skipped:$missing (apt install$packages)"
fi
