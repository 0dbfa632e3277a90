#!/usr/bin/env bash
# Installs the system packages that are missing and checks the tools that are not ours to install.
# Usage: scripts/setup.sh run|test      (test: also what only the tests need)
set -euo pipefail

what="${1:-run}"
log=".setup/apt.log"

run_packages=(
  build-essential pkg-config ca-certificates
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
  gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav
)
test_packages=(gstreamer1.0-tools chromium fonts-dejavu-core espeak-ng python3-venv qemu-user)

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 2; }

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Tools that may have come from elsewhere than Debian are asked for by what they do.
wanted() {
  printf '%s\n' "${run_packages[@]}"
  command -v node >/dev/null || echo nodejs
  command -v npm >/dev/null || echo npm
  python3 -m pip --version >/dev/null 2>&1 || pip3 --version >/dev/null 2>&1 || echo python3-pip
  [ "$what" != test ] || printf '%s\n' "${test_packages[@]}"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# apt tells its progress on descriptor 3: one line that moves on a terminal, a line per quarter elsewhere.
show_progress() {
  local kind percent text quarter=0
  while IFS=: read -r kind _ percent text; do
    case "$kind" in dlstatus | pmstatus) ;; *) continue ;; esac
    percent="${percent%%.*}"
    if [ -t 1 ]; then
      printf '\r\033[Ksetup: %s %3s %% %.60s' "$([ "$kind" = dlstatus ] && echo fetching || echo installing)" "$percent" "$text"
    elif [ $((percent / 25)) -gt "$quarter" ] && [ "$kind" = pmstatus ]; then
      quarter=$((percent / 25))
      say "installing ${percent} %"
    fi
  done
  [ ! -t 1 ] || printf '\r\033[K'
}

install_packages() {
  local missing=() package
  while read -r package; do installed "$package" || missing+=("$package"); done < <(wanted)
  if [ "${#missing[@]}" -eq 0 ]; then
    say "system packages: all there"
    return
  fi
  say "installing ${#missing[@]} system packages: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    die "this needs root: run as root  apt-get install --no-install-recommends ${missing[*]}"
  fi
  mkdir -p .setup
  as_root apt-get update -qq >"$log" 2>&1 || die "apt-get update failed, see $log: $(tail -n 1 "$log")"
  # The redirections are made by the shell that has the rights: sudo closes every other descriptor.
  # shellcheck disable=SC2016
  local apt='log="$1"; shift; exec apt-get install -y --no-install-recommends -o APT::Status-Fd=3 "$@" 3>&1 >>"$log" 2>&1'
  if ! as_root env DEBIAN_FRONTEND=noninteractive bash -c "$apt" apt "$PWD/$log" "${missing[@]}" | show_progress; then
    die "apt-get install failed, see $log: $(tail -n 1 "$log")"
  fi
  say "installed"
}

check_rust() {
  local cargo rustc version
  cargo="$(command -v cargo || true)"
  [ -n "$cargo" ] || { [ ! -x "$HOME/.cargo/bin/cargo" ] || cargo="$HOME/.cargo/bin/cargo"; }
  [ -n "$cargo" ] || die "Rust is missing. Install it with
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y
  then open a new shell (or: . \"\$HOME/.cargo/env\") and run make again."
  rustc="$(dirname "$cargo")/rustc"
  version="$("$rustc" --version | awk '{ print $2 }')"
  at_least "$version" 1.94.0 || die "Rust $version is too old, 1.94 is needed: rustup update stable"
}

check_node() {
  local version
  version="$(node --version | tr -d v)"
  at_least "$version" 18.0.0 || die "Node $version is too old, 18 is needed to build the page"
}

at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
  install_packages
else
  say "no apt-get here: these must be there under your system's names: $(wanted | tr '\n' ' ')"
  pkg-config --exists gstreamer-1.0 gstreamer-app-1.0 || die "GStreamer's development files are missing"
fi
check_rust
check_node
