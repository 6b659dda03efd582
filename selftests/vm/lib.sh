# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What run, pair, shell and set-up share: where things are, what goes into a
# guest, how qemu is called. Sourced by bash with the repository root reachable
# from this file; changes nothing by itself.

XTCP_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
XTCP_CACHE=${XTCP_CACHE:-$HOME/.cache/xtcp}
XTCP_SOURCE=$XTCP_CACHE/src/linux-source-6.1

say() { echo "xtcp: $*" >&2; }
die() { echo "xtcp: $*" >&2; exit 1; }

# Which kernel the guests boot: the one of vm_krel, unless the environment names
# another, all of which is then given:
#	XTCP_KREL		its release
#	XTCP_KDIR		its headers or build directory, for the module
#	XTCP_KERNEL_IMAGE	its bzImage
#	XTCP_KERNEL_MODULES	directory with its lib/modules/RELEASE, indexed by
#				depmod; empty if the image has built in all it needs
#	XTCP_VM_APPEND		further arguments for it, if any
# The guests' root is the same for all kernels; the modules of another travel
# with each guest.

# Release of the guests' own kernel: the newest generic headers there are.
vm_krel()
{
	local d

	for d in /usr/src/linux-headers-*-amd64; do
		[ -e "$d/Makefile" ] || continue
		case $d in *-cloud-*|*-rt-*) continue ;; esac
		echo "${d#/usr/src/linux-headers-}"
	done | sort -V | tail -n 1
}

# Release of the kernel that the guests boot.
vm_guest_krel()
{
	echo "${XTCP_KREL:-$(vm_krel)}"
}

vm_root_packages()
{
	grep -v '^#' "$XTCP_TOP/selftests/vm/packages" | paste -s -d ,
}

vm_root_image()
{
	local hash

	hash=$({ vm_krel; cat "$XTCP_TOP/selftests/vm/packages"
		 declare -f vm_root_modules; } | sha256sum | cut -c 1-12)
	echo "$XTCP_CACHE/root-$hash.ext4"
}

# vm_root_modules KREL ROOT: the kernel modules that tests may ask for.
vm_root_modules()
{
	local from=$XTCP_CACHE/kernel/$1/lib/modules/$1 to=$2/lib/modules/$1

	mkdir -p "$to"
	(cd "$from" && tar -cf - modules.builtin* modules.order \
		kernel/{net,crypto,lib,arch,virt} kernel/drivers/{virtio,block,char,ptp,pps} \
		kernel/drivers/net/*.ko kernel/drivers/net/ethernet/intel \
		kernel/fs/{ext4,jbd2,mbcache.ko,overlayfs,fuse,9p}) | tar -xf - -C "$to"
	rm -rf "$to"/kernel/net/{bluetooth,mac80211,wireless,nfc,sunrpc,ceph,dccp}
	depmod -b "$2" "$1"
}

# vm_modules_tar TAR: modules of a kernel that the guests' root does not hold.
vm_modules_tar()
{
	local krel from f list=()

	krel=$(vm_guest_krel)
	from=$XTCP_KERNEL_MODULES/lib/modules/$krel
	[ -e "$from/modules.dep" ] || die "no modules.dep in $from"
	for f in "$from"/modules.* "$from"/kernel/{net,crypto,lib,arch,virt} \
		 "$from"/kernel/drivers/{virtio,block,char,ptp,pps} \
		 "$from"/kernel/drivers/net/*.ko* "$from"/kernel/drivers/net/ethernet/intel \
		 "$from"/kernel/fs/{ext4,jbd2,mbcache.ko*,overlayfs,fuse,9p}; do
		[ ! -e "$f" ] || list+=("${f#"$from/"}")
	done
	tar -cf "$1" --owner=0 --group=0 --transform "s,^,usr/lib/modules/$krel/,S" \
		--exclude=kernel/net/{bluetooth,mac80211,wireless,nfc,sunrpc,ceph,dccp} \
		-C "$from" "${list[@]}"
}

# Where the modules of the guests' kernel are on this side.
vm_modules_dir()
{
	if [ -n "${XTCP_KREL:-}" ]; then
		echo "${XTCP_KERNEL_MODULES:-}"
	else
		echo "$XTCP_CACHE/kernel/$(vm_krel)"
	fi
}

# What the initramfs must load before the root can be mounted, in order.
VM_EARLY_MODULES="virtio_pci virtio_blk virtio_console ext4 virtio_net e1000"

# vm_initramfs: path of the small initramfs, made when its inputs changed.
vm_initramfs()
{
	local krel from early=$VM_EARLY_MODULES hash img tmp m f

	krel=$(vm_guest_krel)
	from=$(vm_modules_dir)
	[ -n "$from" ] || early=
	hash=$({ echo "$krel $early"; cat "$XTCP_TOP/selftests/vm/guest/init"
		 [ -z "$from" ] || cat "$from/lib/modules/$krel"/modules.{dep,builtin}; } |
		sha256sum | cut -c 1-12)
	img=$XTCP_CACHE/initramfs-$hash.cpio
	if [ ! -e "$img" ]; then
		tmp=$(mktemp -d)
		mkdir -p "$tmp"/{bin,proc,sys,dev,newroot,lib/modules}
		cp "$(command -v busybox)" "$tmp/bin/busybox"
		ln -s busybox "$tmp/bin/sh"
		cp "$XTCP_TOP/selftests/vm/guest/init" "$tmp/init"
		chmod +x "$tmp/init"
		for m in $early; do
			modprobe -d "$from" -S "$krel" \
				--show-depends "$m" | awk '$1 == "insmod" { print $2 }'
		done | awk '!seen[$0]++' >"$tmp/list"
		while read -r f; do
			case $f in
			*.xz) xz -dc "$f" >"$tmp/lib/modules/$(basename "$f" .xz)" ;;
			*) cp "$f" "$tmp/lib/modules/" ;;
			esac
			basename "$f" .xz
		done <"$tmp/list" >"$tmp/lib/modules/order"
		rm "$tmp/list"
		(cd "$tmp" && find . | cpio -o -H newc -R 0:0 --quiet) >"$img.$$"
		mv "$img.$$" "$img"
		rm -rf "$tmp"
	fi
	echo "$img"
}

# vm_stage KREL TAR JOB [FILE:GUESTPATH]...: what goes into /xtcp of one guest.
vm_stage()
{
	local krel=$1 tar=$2 job=$3 dir f list=() ko

	shift 3
	dir=$(mktemp -d)
	ko=$XTCP_TOP/build/kmod/$krel/xtcp.ko
	chmod 755 "$dir"	# the guest's /xtcp, for all its users
	mkdir -p "$dir/job" "$dir/copy"
	if [ -e "$ko" ]; then
		cp "$ko" "$dir/xtcp.ko"
		strip -g "$dir/xtcp.ko"
	fi
	ko=$XTCP_TOP/build/kmod-race/$krel/xtcp.ko
	if [ -e "$ko" ]; then
		cp "$ko" "$dir/xtcp-race.ko"
		strip -g "$dir/xtcp-race.ko"
	fi
	cp "$job" "$dir/job/"
	chmod +x "$dir/job/"*
	for f in "$@"; do
		mkdir -p "$dir/copy/$(dirname "${f#*:}")"
		cp -rL "${f%%:*}" "$dir/copy/${f#*:}"
	done
	for f in build/net build/bench build/tools build/readme selftests/bench selftests/net selftests/vm scripts \
		 include src/tools README.md dkms.conf Kbuild; do
		[ -e "$XTCP_TOP/$f" ] && list+=("$f")
	done
	tar -chf "$tar" --owner=0 --group=0 --exclude='*.o' --exclude='*.d' \
		-C "$dir" . -C "$XTCP_TOP" "${list[@]}"
	rm -rf "$dir"
}

# KVM only where the processor has it and a guest really comes up with it.
vm_accel()
{
	local mark

	if ! grep -qwE 'vmx|svm' /proc/cpuinfo || [ ! -w /dev/kvm ]; then
		echo tcg
		return
	fi
	mark=$XTCP_CACHE/kvm-$(cat /proc/sys/kernel/random/boot_id)
	if [ ! -e "$mark" ]; then
		if timeout 30 qemu-system-x86_64 -accel kvm -cpu host -m 256M -nodefaults \
		   -display none -no-reboot -serial none \
		   -kernel "$(XTCP_KREL='' vm_kernel)" -initrd "$(XTCP_KREL='' vm_initramfs)" \
		   -append "panic=-1 xtcp.probe" >/dev/null 2>&1; then
			echo kvm >"$mark"
		else
			echo tcg >"$mark"
		fi
	fi
	cat "$mark"
}

vm_kernel()
{
	local krel

	krel=$(vm_krel)
	if [ -n "${XTCP_KREL:-}" ]; then
		echo "$XTCP_KERNEL_IMAGE"
	else
		echo "$XTCP_CACHE/kernel/$krel/boot/vmlinuz-$krel"
	fi
}

# vm_args: the options every guest has, one per line in the array VM_ARGS.
# Reads smp, mem, nic, dir (the run's own directory), name, append, XTCP_VM_MACHINE.
#
# -cx16: QEMU 7.2's TCG corrupts guests that use cmpxchg16b.
vm_args()
{
	local accel

	accel=$(vm_accel)
	VM_ARGS=(-nodefaults -no-user-config -display none -no-reboot -machine "${XTCP_VM_MACHINE:-pc}"
		 -name "xtcp-$name" -m "$mem" -smp "$smp"
		 -kernel "$(vm_kernel)" -initrd "$(vm_initramfs)"
		 -drive "file.filename=$(vm_root_image),file.driver=file,file.locking=off,if=virtio,format=raw,snapshot=on,cache=unsafe"
		 -drive "file=$dir/stage.tar,if=virtio,format=raw,readonly=on"
		 -device virtio-serial-pci
		 -chardev "file,id=tap,path=$dir/tap.fifo"
		 -device virtserialport,chardev=tap,name=tap
		 -chardev "file,id=ctl,path=$dir/ctl"
		 -device virtserialport,chardev=ctl,name=ctl
		 -chardev "file,id=out,path=$dir/out.tar"
		 -device virtserialport,chardev=out,name=out)
	if [ -n "${XTCP_KREL:-}" ] && [ -n "${XTCP_KERNEL_MODULES:-}" ]; then
		vm_modules_tar "$dir/modules.tar"
		VM_ARGS+=(-drive "file=$dir/modules.tar,if=virtio,format=raw,readonly=on")
	fi
	if [ -n "${icount:-}" ]; then
		# No ERMS here: a "rep movsb" that knows it counts each byte.
		VM_ARGS+=(-accel "tcg,thread=single" -cpu "qemu64,+rdtscp,-cx16")
	elif [ "$accel" = kvm ]; then
		VM_ARGS+=(-accel kvm -cpu host)
	else
		VM_ARGS+=(-accel "tcg,thread=multi" -cpu "max,-cx16,-la57")
	fi
	VM_APPEND="console=ttyS0,115200 no_timer_check panic=-1 oops=panic"
	VM_APPEND+=" mitigations=off slab_nomerge watchdog_thresh=60"
	VM_APPEND+=" rcupdate.rcu_cpu_stall_timeout=60 loglevel=5 xtcp.name=$name"
	[ "$slub_debug" = 0 ] || VM_APPEND+=" slub_debug=FZPU,xtcp*"
	VM_APPEND+="${XTCP_SLOW:+ xtcp.slow=$XTCP_SLOW}${XTCP_VM_APPEND:+ $XTCP_VM_APPEND} $append"
}

# vm_verdict DIR STATUS: what became of a guest; prints why, returns its status.
vm_verdict()
{
	local dir=$1 qemu=$2 code

	if [ "$qemu" = 124 ] || [ "$qemu" = 137 ] || [ -e "$dir/told" ]; then
		echo "# $name: timed out after $timeout s; the console's end:"
		vm_console_tail "$dir"
		return 124
	fi
	# one that died early has not made the file
	code=$(sed -n 's/^exit \([0-9]*\)$/\1/p' "$dir/ctl" 2>/dev/null | tail -n 1) || true
	if [ -z "$code" ]; then
		echo "# $name: the guest died; the console's end:"
		vm_console_tail "$dir"
		return 125
	fi
	[ "$code" = 0 ] || echo "# $name: exit status $code"
	return "$code"
}

vm_console_tail()
{
	cat "$1/console.log" 2>/dev/null | tr -d '\r\033' | tail -n 200 | sed 's/^/# /'
}

# uml_mend TREE: what the kernel source needs before User Mode Linux runs on every
# processor. Its room for a task's FP registers, 2,696 bytes, ends before AMX's
# tiles (11,008): there the first return to user space panics.
uml_mend()
{
	sed -i 's/\(DEFINE_LONGS(HOST_FP_SIZE, \)2696)/\112288)/' "$1/arch/x86/um/user-offsets.c"
	grep -q 'HOST_FP_SIZE, 12288)' "$1/arch/x86/um/user-offsets.c"
}

# Where the User Mode Linux of this configuration and source is built.
uml_dir()
{
	local hash

	hash=$({ sed -n '1,/^EXTRAVERSION/p' "$XTCP_SOURCE/Makefile"
		 declare -f uml_mend; cat "$XTCP_TOP/selftests/vm/kconfig/uml.config"; } | sha256sum | cut -c 1-12)
	echo "$XTCP_CACHE/uml-$hash"
}

# The initramfs of User Mode Linux: busybox and init, no modules.
uml_initramfs()
{
	local hash img tmp

	hash=$(sha256sum "$XTCP_TOP/selftests/vm/guest/init" | cut -c 1-12)
	img=$XTCP_CACHE/initramfs-uml-$hash.cpio
	if [ ! -e "$img" ]; then
		tmp=$(mktemp -d)
		mkdir -p "$tmp"/{bin,proc,sys,dev,host,newroot,lib/modules}
		cp "$(command -v busybox)" "$tmp/bin/busybox"
		ln -s busybox "$tmp/bin/sh"
		install -m 755 "$XTCP_TOP/selftests/vm/guest/init" "$tmp/init"
		: >"$tmp/lib/modules/order"
		(cd "$tmp" && find . | cpio -o -H newc -R 0:0 --quiet) >"$img.$$"
		mv "$img.$$" "$img"
		rm -rf "$tmp"
	fi
	echo "$img"
}

# debug_dir KIND: where the debug kernel of this configuration and source is built.
debug_dir()
{
	local hash

	hash=$({ sed -n '1,/^EXTRAVERSION/p' "$XTCP_SOURCE/Makefile"
		 grep -h CONFIG_ "$XTCP_TOP"/selftests/vm/kconfig/{debug-base,"$1"}.config; } |
		sha256sum | cut -c 1-12)
	echo "$XTCP_CACHE/$1-$hash"
}
