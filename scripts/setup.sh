#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Brings what a target needs: Debian packages on this machine, and in the
# cache ($XTCP_CACHE, default ~/.cache/xtcp) the virtual machines' kernel,
# their root file system and the few files taken from the linux-source
# package. Nothing is done twice; with everything there it takes no time.
#
#	scripts/setup.sh build	compiler, kernel headers
#	scripts/setup.sh lint	sparse, checkpatch
#	scripts/setup.sh vm	qemu, guest kernel, guest root
#	scripts/setup.sh bench	what drawing the benchmarks' curves needs
#	scripts/setup.sh uml	what building a User Mode Linux needs
#	scripts/setup.sh matrix	the other kernels that check builds for and boots
#	scripts/setup.sh fuzz	clang and its fuzzer
#	scripts/setup.sh all	build, lint, vm, fuzz and matrix (the default)
set -eu -o pipefail
cd "$(dirname "$0")/.."
. selftests/vm/lib.sh

PKGS_BUILD="gcc make libc6-dev kmod perl binutils"
PKGS_LINT="sparse linux-source-6.1 xz-utils"
PKGS_VM="qemu-system-x86 busybox-static debootstrap cpio e2fsprogs kmod linux-source-6.1 xz-utils"
PKGS_BENCH="gnuplot-nox"
PKGS_FUZZ="clang libclang-rt-14-dev"
PKGS_UML="flex bison bc libelf-dev linux-source-6.1 xz-utils"

missing()
{
	local p

	for p in $1; do
		dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null |
			grep -q ' installed$' || printf '%s ' "$p"
	done
}

apt_install()
{
	local log

	command -v apt-get >/dev/null || die "needs Debian's apt for: $*"
	[ "$(id -u)" = 0 ] || die "missing packages; as root: apt-get install $*"
	log=$(mktemp)
	say "installing $*"
	apt-cache show "$1" >/dev/null 2>&1 || apt-get update >"$log" 2>&1 ||
		die "apt-get update failed: $(tail -n 1 "$log")"
	if ! DEBIAN_FRONTEND=noninteractive apt-get install -y \
	     --no-install-recommends "$@" >"$log" 2>&1; then
		# Package lists that are too old are the usual reason.
		apt-get update >"$log" 2>&1 &&
		DEBIAN_FRONTEND=noninteractive apt-get install -y \
			--no-install-recommends "$@" >"$log" 2>&1 ||
			die "apt-get install $* failed: $(grep -m 1 ^E: "$log")"
	fi
	rm -f "$log"
}

want()
{
	local list

	command -v dpkg-query >/dev/null || die "needs a Debian system (no dpkg)"
	list=$(missing "$1")
	[ -z "$list" ] || apt_install $list
}

# The kernel of the guests is the generic flavour: it has the Intel NICs.
want_headers()
{
	[ -n "$(vm_krel)" ] || apt_install linux-headers-amd64
}

want_source()
{
	local tree=$XTCP_SOURCE tar=/usr/src/linux-source-6.1.tar.xz

	[ -e "$tree/tools/testing/selftests/kselftest_harness.h" ] &&
		[ -e "$tree/scripts/checkpatch.pl" ] && return
	say "unpacking checkpatch and the kselftest headers"
	mkdir -p "$tree"
	tar -xf "$tar" -C "$tree" --strip-components 1 --wildcards \
		'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
		'*/scripts/const_structs.checkpatch' \
		'*/tools/testing/selftests/kselftest.h' \
		'*/tools/testing/selftests/kselftest_harness.h'
}

want_full_source()
{
	[ -e "$XTCP_SOURCE/arch/um/Makefile" ] && return
	say "unpacking the kernel source"
	mkdir -p "$XTCP_SOURCE"
	tar -xf /usr/src/linux-source-6.1.tar.xz -C "$XTCP_SOURCE" --strip-components 1
}

# The image is unpacked in the cache, never installed here.
want_kernel()
{
	local krel deb tmp

	krel=$(vm_krel)
	[ -e "$XTCP_CACHE/kernel/$krel/boot/vmlinuz-$krel" ] && return
	say "fetching linux-image-$krel"
	tmp=$(mktemp -d)
	if ! (cd "$tmp" && apt-get download "linux-image-$krel" >log 2>&1); then
		# The archive has moved on: take its present headers as well.
		apt-get update >"$tmp/log" 2>&1 || true
		apt_install linux-headers-amd64
		krel=$(vm_krel)
		(cd "$tmp" && apt-get download "linux-image-$krel" >log 2>&1) ||
			die "cannot fetch linux-image-$krel: $(grep -m 1 ^E: "$tmp/log")"
	fi
	deb=$(echo "$tmp"/*.deb)
	mkdir -p "$XTCP_CACHE/kernel"
	dpkg -x "$deb" "$tmp/x"
	depmod -b "$tmp/x" "$krel"
	rm -rf "$XTCP_CACHE/kernel/$krel"
	mv "$tmp/x" "$XTCP_CACHE/kernel/$krel"
	rm -rf "$tmp"
}

# Mirror and keyring of Debian 12 as this machine's own apt knows them.
debian_source()
{
	apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT) $(SIGNED_BY)' \
		'Created-By: Packages' 2>/dev/null |
		awk '$2 == "bookworm" && $3 == "main" { print $1, $4; exit }'
}

want_root()
{
	local img krel tmp uri key

	img=$(vm_root_image)
	[ -e "$img" ] && return
	[ "$(id -u)" = 0 ] || die "the guest root is made once by root: run scripts/setup.sh vm as root"
	read -r uri key <<<"$(debian_source)" || true
	[ -n "$uri" ] || die "apt knows no Debian 12 (bookworm) main repository to build the guest root from"
	[ -f "$key" ] || key=/usr/share/keyrings/debian-archive-keyring.gpg
	krel=$(vm_krel)
	mkdir -p "$XTCP_CACHE"
	tmp=$(mktemp -d -p "$XTCP_CACHE" root.XXXXXX)
	chmod 755 "$tmp"
	say "building the guest root (Debian 12, about a minute)"
	if ! debootstrap --variant=minbase --keyring="$key" \
	     --include="$(vm_root_packages)" bookworm "$tmp" "$uri" >"$tmp.log" 2>&1; then
		tail -n 20 "$tmp.log" >&2
		rm -rf "$tmp"
		die "debootstrap failed, see $tmp.log"
	fi
	vm_root_modules "$krel" "$tmp"
	rm -rf "$tmp"/usr/share/{doc,man,locale,info} "$tmp"/var/cache/apt/* \
		"$tmp"/var/lib/apt/lists/*
	mkdir -p "$tmp/xtcp" "$tmp/host"
	echo xtcp >"$tmp/etc/hostname"
	printf '127.0.0.1 localhost xtcp\n::1 localhost\n10.77.0.1 a\n10.77.0.2 b\nfd77::1 a\nfd77::2 b\n' >"$tmp/etc/hosts"
	rm -f "$tmp/etc/resolv.conf"
	mke2fs -q -F -t ext4 -O ^has_journal -m 0 -d "$tmp" "$img.new" 1500M >/dev/null
	mv "$img.new" "$img"
	rm -rf "$tmp" "$tmp.log"
}

what=${1:-all}
# One at a time; the second finds the work done.
mkdir -p "$XTCP_CACHE"
exec 7>"$XTCP_CACHE/.lock"
flock 7
case $what in
build)	want "$PKGS_BUILD"; want_headers ;;
lint)	want "$PKGS_LINT"; want_headers; want_source ;;
vm)	want "$PKGS_VM"; want_headers; want_kernel; want_root; want_source ;;
bench)	want "$PKGS_BENCH" ;;
uml)	want "$PKGS_UML"; want_full_source ;;
matrix)	want "$PKGS_BUILD $PKGS_VM"; selftests/vm/matrix fetch 6.12 7.2 ;;
fuzz)	want "$PKGS_BUILD $PKGS_FUZZ" ;;
all)	want "$PKGS_BUILD $PKGS_LINT $PKGS_VM $PKGS_FUZZ"
	want_headers; want_source; want_kernel; want_root
	# what the archive does not have today is missed, and said, by who needs it
	selftests/vm/matrix fetch 6.12 7.2 || true ;;
*)	die "setup.sh: build, lint, vm, bench, uml, matrix, fuzz or all, not \"$what\"" ;;
esac
