#!/bin/sh
# Makes a private Python environment in DIR that holds exactly what the lock files name, hash by hash.
#
#   [PYTHON=python3.12] sh locks/environment.sh DIR LOCK...
#
# Takes $PYTHON if that is set, else the first usable one of python3, python3.13, python3.12 and python3.11.
# Without a usable Python it fails with one sentence and its mend; pip's own words show only when pip fails.
# Nothing is compiled from source: that would fetch build tools whose hashes no lock file holds.
set -eu

# Prints the version, then fails when it is too old (exit 3) or cannot make environments (exit 4).
probe='
import sys
print("%d.%d" % sys.version_info[:2])
if sys.version_info < (3, 11):
    sys.exit(3)
try:
    import ensurepip, venv
except ImportError:
    sys.exit(4)
'

stop() {
    echo "Wayside needs Python 3.11 or newer with venv: $1." >&2
    exit 1
}

# Sets $python and $version to the first of the named Pythons that is usable, or stops.
choose_python() {
    old='' bare=''
    for python in "$@"; do
        verdict=0
        # A name on the PATH proves nothing: version switchers leave names there that do not run.
        version=$("$python" -E -c "$probe" 2>/dev/null) || verdict=$?
        case $verdict in
            0) return ;;
            3) old="$old${old:+, }$python is Python $version" ;;
            4) bare=${bare:-$python} ;;
        esac
    done
    if [ -n "$bare" ]; then
        stop "$bare comes without it; install it (Debian, Ubuntu: apt install ${bare##*/}-venv)"
    fi
    mend='install one (Debian 12, Ubuntu 24.04: apt install python3 python3-venv), or name one (make PYTHON=/path/to/python3.12 demo)'
    stop "${old:-$1 does not run}; $mend"
}

# Runs a command whose words go to the log, and shows them if it fails.
quietly() {
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        echo "Could not make $directory: the words above say why." >&2
        exit 1
    fi
}

if [ -n "${PYTHON:-}" ]; then
    choose_python "$PYTHON"
else
    choose_python python3 python3.13 python3.12 python3.11
fi

directory=$1
log=$directory.log
shift
for lock in "$@"; do
    set -- "$@" --requirement "$lock"
    shift
done

mkdir -p "$(dirname "$directory")"
echo "$directory: making a private environment with Python $version ($python)"
quietly "$python" -I -m venv --clear "$directory"
echo "$directory: installing what $lock names, each file checked against its hash"
quietly "$directory/bin/python" -I -m pip install --disable-pip-version-check --require-hashes --only-binary=:all: "$@"
rm "$log"
