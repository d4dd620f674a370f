# shellcheck shell=bash
# What tools/check and tools/quickstart share: sourced by them, never run. They set `program` and `root` before.

die() {
    printf '%s: %s\n' "$program" "$*" >&2
    exit 1
}

# Runs a step with a heading, and says how long it took. Not in a condition, which would make bash go on after errors.
step() {
    local name=$1 start=$SECONDS
    shift
    printf '\n==> %s\n' "$name"
    current_step=$name
    "$@"
    current_step=
    printf '    %s: %s s\n' "$name" "$((SECONDS - start))"
}

current_step=
trap '[[ -z $current_step ]] || printf "\n%s: failed: %s\n" "$program" "$current_step" >&2' EXIT

# Version $1 is at least version $2.
at_least() {
    [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

# Installs Debian packages, or newer versions of them, if we may; otherwise says the command.
packages_listed=
install_packages() {
    [[ $EUID -eq 0 ]] || die "packages are missing; as root: apt-get install --yes $*"
    command -v apt-get >/dev/null || die "packages are missing, and there is no apt-get: $*"
    printf 'installing: %s\n' "$*"
    # The lists may be old or, on a fresh machine, not there. Without a network old ones may do.
    [[ -n $packages_listed ]] || apt-get update -qq || true
    packages_listed=yes
    DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends "$@" </dev/null >/dev/null
}

# Installs those of the Debian packages that are missing.
need_packages() {
    local package missing=()
    command -v dpkg-query >/dev/null || return 0
    for package in "$@"; do
        dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
            missing+=("$package")
    done
    ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
}

# What is needed to build.
build_packages() {
    need_packages build-essential ca-certificates cmake pkg-config libpcre2-dev protobuf-compiler
    # yang-modules gets the standard modules with pip.
    python3 -m pip --version >/dev/null 2>&1 || need_packages python3 python3-pip
}

# The version of the cargo in directory $1; nothing if there is none that runs.
cargo_version() {
    [[ -x $1/cargo ]] || return 0
    "$1/cargo" --version 2>/dev/null | cut -d ' ' -f 2
}

# Puts a cargo of the stated rust-version first in PATH: one that is there, otherwise Debian's. With an argument its
# formatter and linter are needed, too.
need_cargo() {
    local wanted directory version
    wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$root/Cargo.toml")
    [[ -n $wanted ]] || die 'Cargo.toml states no rust-version'
    for directory in "$(dirname "$(command -v cargo || echo /nowhere/cargo)")" "${CARGO_HOME:-$HOME/.cargo}/bin" /usr/bin; do
        version=$(cd "$root" && cargo_version "$directory")
        if [[ -n $version ]] && at_least "$version" "$wanted"; then
            PATH=$directory:$PATH
            break
        fi
        version=
    done
    if [[ -z $version ]]; then
        install_packages rustc-web cargo-web
        PATH=/usr/bin:$PATH
        version=$(cargo_version /usr/bin)
        [[ -n $version ]] && at_least "$version" "$wanted" ||
            die "cargo $wanted is needed, and the packages have ${version:-none}; see https://rustup.rs"
    fi
    export PATH
    [[ $# -eq 0 ]] && return 0
    cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return 0
    if command -v rustup >/dev/null; then
        rustup component add rustfmt clippy
    else
        need_packages rustfmt-web rust-web-clippy
    fi
}

# The virtual environment of the interoperability tests, made anew when their requirements change.
need_venv() {
    local requirements=$root/netconf-tests/requirements.txt stamp=$root/.venv/requirements.txt
    cmp --silent "$requirements" "$stamp" && return 0
    python3 -c 'import ensurepip, venv' 2>/dev/null || need_packages python3 python3-venv
    rm -rf "$root/.venv"
    python3 -m venv "$root/.venv"
    "$root/.venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
    cp "$requirements" "$stamp"
}
