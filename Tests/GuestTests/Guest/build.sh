#!/bin/bash
# Builds the guest that the tests boot: a kernel and an initramfs of busybox, fio and drivers.
#
#     build.sh [OUTDIR]         default: .build/guest of the project
#
# Any user can run it; it installs nothing. The kernel and busybox are Debian packages, fetched once
# and kept in OUTDIR/packages; fio is this host's, with its libraries. Nothing is done when the
# guest is newer than all it is made of, so that it needs the network only once. For a newer kernel,
# remove OUTDIR.
#
# Results: OUTDIR/kernel, OUTDIR/initramfs.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
out="${1:-$here/../../../.build/guest}"
# Drivers, and with them what they need. ata_piix is the only one for ATA in this kernel.
drivers=(virtio_pci virtio_blk virtio_scsi sd_mod ata_piix)

fail() {
    echo "guest: $*" >&2
    exit 1
}

# Where there can be no guest, its tests are skipped, which is no error.
skip() {
    echo "guest: $*. Tests that need a guest will be skipped." >&2
    exit 0
}

for program in apt-get dpkg dpkg-deb; do
    command -v "$program" >/dev/null ||
        skip "$program is missing, and the test guest is made of Debian packages"
done
architecture="$(dpkg --print-architecture)"
[ "$architecture" = amd64 ] || skip "the test guest is for amd64 only, this is $architecture"
fio="$(command -v fio)" || fail "fio is missing: install it (make deps-test)"

mkdir -p "$out/packages"
out="$(cd "$out" && pwd)"
# The program and each library it loads, by the path it is found at.
fio_files=("$fio")
while read -r file; do fio_files+=("$file"); done < <(ldd "$fio" | grep -oE '/[^ ]+')

# Two builds at once would be in each other's way; the second finds everything done.
exec 9>"$out/lock"
flock 9

# One line for each input: what it is changes whenever the guest would.
inputs() {
    sha256sum <"$here/build.sh"
    sha256sum <"$here/init"
    stat -L -c '%n %s %Y' "${fio_files[@]}"
}
if [ -s "$out/kernel" ] && [ -s "$out/initramfs" ] && inputs | cmp -s - "$out/inputs"; then
    exit 0
fi
rm -f "$out/inputs"

# apt_get ARGUMENTS: with lists of packages of our own once update_lists has run.
own_lists=()
apt_get() {
    apt-get -qq -o APT::Sandbox::User="$(id -un)" "${own_lists[@]}" "$@"
}

# The system's lists are missing or old, and only root may renew them: take own ones.
update_lists() {
    mkdir -p "$out/apt/lists/partial" "$out/apt/cache/archives/partial"
    own_lists=(-o Dir::State::Lists="$out/apt/lists" -o Dir::Cache="$out/apt/cache")
    apt_get update
}

download() {
    local kernel
    kernel="$(apt-cache "${own_lists[@]}" depends linux-image-cloud-amd64 2>/dev/null |
        sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)"
    [ -n "$kernel" ] && (cd "$out/packages" && apt_get download "$kernel" busybox-static)
}

shopt -s nullglob
packages=("$out"/packages/linux-image-*.deb "$out"/packages/busybox-static_*.deb)
if [ ${#packages[@]} -ne 2 ]; then
    echo "guest: fetching a kernel and busybox (28 MB, once)"
    rm -f "$out"/packages/*
    download 2>/dev/null || { update_lists && download; } ||
        fail "could not fetch linux-image-cloud-amd64 and busybox-static: is there a network, and" \
            "does apt-get reach its mirrors? Once fetched they are kept in $out/packages."
    packages=("$out"/packages/linux-image-*.deb "$out"/packages/busybox-static_*.deb)
    [ ${#packages[@]} -eq 2 ] || fail "$out/packages holds other packages than two: remove it"
fi

work="$(mktemp -d "$out/work.XXXXXX")"
trap 'rm -rf "$work"' EXIT
for package in "${packages[@]}"; do
    dpkg-deb -x "$package" "$work/packages"
done
busybox="$work/packages/bin/busybox"
release="$(basename "$work"/packages/lib/modules/*)"
root="$work/root"
mkdir -p "$root"/{bin,dev,proc,sys,tmp,etc} "$root/lib/modules/$release"
install -m 755 "$here/init" "$root/init"
install -m 755 "$busybox" "$root/bin/busybox"

# add_driver NAME: its file and the files of those it depends on, unless built into the kernel.
add_driver() {
    local file dependency name="${1//-/_}"
    file="$(find "$work/packages/lib/modules" -name "${name//_/[-_]}.ko" -print -quit)"
    if [ -z "$file" ]; then
        grep -qE "/${name//_/[-_]}\.ko$" "$work/packages/lib/modules/$release/modules.builtin" ||
            fail "this kernel has no driver $1"
        return 0
    fi
    [ ! -e "$root/lib/modules/$release/$(basename "$file")" ] || return 0
    cp "$file" "$root/lib/modules/$release/"
    for dependency in $("$busybox" strings "$file" | sed -n 's/^depends=//p' | tr ',' ' '); do
        add_driver "$dependency"
    done
}
for driver in "${drivers[@]}"; do add_driver "$driver"; done
"$busybox" depmod -b "$root" "$release"

for file in "${fio_files[@]}"; do
    # Programs are looked for in /usr/bin there, libraries where they are here.
    target="$file"
    [ "$file" != "$fio" ] || target=/usr/bin/fio
    mkdir -p "$root$(dirname "$target")"
    cp -L "$file" "$root$target"
done

# Not compressed: an emulated processor would take longer to unpack it than to read it.
(cd "$root" && find . | "$busybox" cpio -o -H newc 2>/dev/null) >"$work/initramfs"
mv "$work/initramfs" "$out/initramfs"
cp "$work/packages/boot/vmlinuz-$release" "$out/kernel"
inputs >"$out/inputs"
echo "guest: Linux $release, $(du -m "$out/initramfs" | cut -f 1) MB initramfs, in $out"
