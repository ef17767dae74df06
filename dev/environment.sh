# SPDX-License-Identifier: MIT
#
# Sourced by dev/run, dev/test and .ci/run: what they need from the machine. Only functions; does nothing by itself.

# Says what is done now.
say() { printf '\n==> %s\n' "$*"; }

# Says what is wrong and what to do, and ends the script.
fail() { printf '\nerror: %s\n' "$*" >&2; exit 1; }

# require_packages PURPOSE PACKAGE...: installs the Debian packages that are missing.
require_packages() {
    local purpose=$1 package missing=() asRoot=()
    shift
    if ! command -v dpkg-query >/dev/null; then
        say "This is not Debian or Ubuntu: please see to it that there is what these packages hold: $*"
        return
    fi
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    if [ ${#missing[@]} -eq 0 ]; then return; fi
    say "Installing system packages $purpose: ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "installing packages needs root: run 'apt-get install ${missing[*]}' and try again"
        asRoot=(sudo)
    fi
    "${asRoot[@]}" apt-get update -qq
    "${asRoot[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

# The compiler, and what the gateway is compiled and linked with.
require_build() {
    command -v swift >/dev/null ||
        fail "there is no 'swift' in PATH: install Swift 6.2 or newer from https://www.swift.org/install/linux and try again"
    require_packages "for the build" \
        binutils ca-certificates gcc git libc6-dev libcurl4-openssl-dev libsqlite3-dev libstdc++-12-dev libsystemd-dev libyaml-dev pkg-config
    # A toolchain that was unpacked from an archive comes without the libraries that it needs itself.
    swift package --version >/dev/null 2>&1 ||
        require_packages "that Swift itself needs" libcurl4 libedit2 libncurses6 libxml2 tzdata zlib1g
    swift package --version >/dev/null || fail "'swift' does not run; see above"
}

# build_release: builds the gateway as it is meant to be used; sets $binary.
#
# Static, without exclusivity checks at run time (the compiler's own stay), and without what nothing refers to: a smaller
# program that starts faster and holds less memory. What runs lies together (dev/release.order, recorded by
# Benchmarks/layout/record.py): 6 MB less are resident. Relocations are packed where the C library understands that.
build_release() {
    local build=(swift build -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked -Xswiftc -use-ld=lld
        -Xswiftc -Xfrontend -Xswiftc -function-sections -Xcc -ffunction-sections -Xcxx -ffunction-sections
        -Xlinker --no-export-dynamic -Xlinker --gc-sections
        -Xlinker "--symbol-ordering-file=$PWD/dev/release.order" -Xlinker --no-warn-symbol-ordering)
    if printf '2.36\n%s\n' "$(getconf GNU_LIBC_VERSION | cut -d ' ' -f 2)" | sort -C -V; then
        build+=(-Xlinker -z -Xlinker pack-relative-relocs)
    fi
    say "Building mcp-gateway (release); the first time takes some minutes"
    "${build[@]}" --product mcp-gateway
    binary=$("${build[@]}" --show-bin-path)/mcp-gateway
}

# require_python: a Python that can make virtual environments; sets $python.
require_python() {
    local candidate
    for candidate in python3 /usr/bin/python3; do
        if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            python=$candidate
            return
        fi
    done
    require_packages "for the sample servers, which are Python" python3-venv
    python=/usr/bin/python3
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || fail "Python 3.10 or newer is needed"
}

# prefer_python VERSION ...: takes the first of these that is here, pyenv's that it does not offer by name too, instead of
# the one in $python.
prefer_python() {
    local version candidate
    for version in "$@"; do
        for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python3; do
            if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
                python=$candidate
                return
            fi
        done
    done
}

# require_venv FOLDER REQUIREMENTS [VERSION ...]: makes a virtual environment that holds just these requirements, unless it
# is there; with one of these versions of Python if there is one.
require_venv() {
    local folder=$1 requirements=$2 want
    require_python
    prefer_python "${@:3}"
    want=$("$python" --version; echo "$folder"; cat "$requirements")
    if [ "$(cat "$folder/made-from" 2>/dev/null)" = "$want" ]; then return; fi
    say "Making the Python environment ${folder#"$PWD"/} from ${requirements#"$PWD"/}"
    rm -rf "$folder"
    "$python" -m venv "$folder"
    "$folder/bin/python3" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
    printf '%s\n' "$want" >"$folder/made-from"
}
