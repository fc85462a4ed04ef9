# Shared by the scripts beside it. Sourced, never run.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PATH=$PATH:/usr/sbin:/sbin
export DEBIAN_FRONTEND=noninteractive npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# What each group of commands comes from. A line: a file or command that proves it is there, then Debian's package.
# compile: better-sqlite3 is compiled where its prebuilt binary cannot be had.
packages_of() {
  case $1 in
    compile) printf '%s\n' 'python3 python3' 'make make' 'g++ g++' ;;
    engine) printf '%s\n' 'qemu-system-x86_64 qemu-system-x86' '/usr/share/OVMF/OVMF_CODE_4M.fd ovmf' 'swtpm swtpm' \
      "/usr/lib/$(uname -m)-linux-gnu/qemu/block-iscsi.so qemu-block-extra" 'tgtd tgt' ;;
    guests) printf '%s\n' 'busybox busybox-static' 'mcopy mtools' 'mkfs.vfat dosfstools' 'sgdisk gdisk' 'zstd zstd' \
      'xz xz-utils' 'qemu-img qemu-utils' ;;
    clients) printf '%s\n' 'openstack python3-openstackclient' 'nova python3-novaclient' 'glance python3-glanceclient' \
      'barbican python3-barbicanclient' 'cinder python3-cinderclient' ;;
    judges) printf '%s\n' 'qemu-img qemu-utils' 'vhdiinfo libvhdi-utils' 'nbdinfo libnbd-bin' 'debootstrap debootstrap' \
      '/usr/lib/python3/dist-packages/winrm/__init__.py python3-winrm' \
      'xorriso xorriso' 'isoinfo genisoimage' '/usr/lib/python3/dist-packages/yaml/__init__.py python3-yaml' \
      '/usr/lib/python3/dist-packages/requests/__init__.py python3-requests' '/usr/lib/grub/i386-pc/moddep.lst grub-pc-bin' \
      '/usr/lib/grub/x86_64-efi/moddep.lst grub-efi-amd64-bin' 'grub-mkimage grub-common' \
      'openssl openssl' 'ssh-keygen openssh-client' 'pgrep procps' \
      'smbd samba' 'smbclient smbclient' 'iscsi-inq libiscsi-bin' ;;
    *) die "no group of packages named $1" ;;
  esac
}

# missing GROUP...: names of the Debian packages that are not there.
missing() {
  local group proof package
  for group; do
    packages_of "$group" | while read -r proof package; do
      case $proof in /*) [ -e "$proof" ] ;; *) have "$proof" ;; esac || echo "$package"
    done
  done | sort -u
}

# install GROUP...: installs what is missing when that is possible; says what is missing and fails otherwise.
install() {
  local want
  want=$(missing "$@" | tr '\n' ' ')
  [ -z "$want" ] && return 0
  if [ "$(id -u)" != 0 ]; then
    say "missing: ${want% }"
    say "  as root: apt-get install -y --no-install-recommends ${want% }"
    return 1
  fi
  say "installing from Debian: ${want% }"
  local log
  log=$(mktemp)
  if { apt-get update -qq && apt-get install -y -qq --no-install-recommends $want; } >"$log" 2>&1; then
    rm -f "$log"
  else
    tail -20 "$log" >&2
    rm -f "$log"
    say "apt-get could not install: ${want% }"
    return 1
  fi
}

# unpack FOLDER PACKAGE...: files of Debian packages that must not be installed here: cloud-init would run at the next start.
unpack() {
  local folder=$1 work
  shift
  [ -e "$folder/.whole" ] && return 0
  work=$(mktemp -d)
  say "fetching from Debian: $*"
  if (cd "$work" && apt-get download -qq "$@" 2>/dev/null && for deb in ./*.deb; do dpkg -x "$deb" tree || exit 1; done); then
    rm -rf "$folder" && mkdir -p "$(dirname "$folder")" && mv "$work/tree" "$folder" && touch "$folder/.whole"
  fi
  rm -rf "$work"
  [ -e "$folder/.whole" ] || { say "apt-get could not download: $*"; return 1; }
}

need_node() {
  have node && have npm || die "Node.js 20.19 or later and npm are needed"
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    die "Node.js 20.19 or later is needed; this is $(node --version)"
}

# npm packages as the lockfile says, once for each lockfile.
install_npm() {
  need_node
  local stamp=$ROOT/node_modules/.lock-installed
  [ -e "$stamp" ] && cmp -s "$ROOT/package-lock.json" "$stamp" && return 0
  install compile || say "going on without a compiler: fine where npm can download a prebuilt better-sqlite3"
  # node-gyp would download Node's headers; Debian's and NodeSource's packages bring them.
  if [ -z "${npm_config_nodedir:-}" ] && [ -e /usr/include/node/node_api.h ]; then export npm_config_nodedir=/usr; fi
  say "installing npm packages"
  (cd "$ROOT" && npm ci --no-progress --loglevel=error) || die "npm ci failed"
  (cd "$ROOT" && node -e 'require("better-sqlite3")(":memory:").close()' 2>/dev/null) ||
    node -e 'require("node:sqlite")' 2>/dev/null ||
    die "no SQLite: better-sqlite3 did not build. As root: apt-get install -y python3 make g++ libnode-dev; then remove node_modules and try again (or use Node.js 22.5 or later)"
  cp "$ROOT/package-lock.json" "$stamp"
}

build() { (cd "$ROOT" && npx --no-install tsc -b) || die "the build failed"; }
