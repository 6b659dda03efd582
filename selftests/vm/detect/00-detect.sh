#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: smp=2 timeout=120 append=kasan_multi_shot copy=build/detect/xtcp_detect.ko:/root/xtcp_detect.ko
#
# Does this kernel see what it is built to see? Faults on purpose, each by the
# detector that must speak of it. Without a detector its tests are not planned,
# and a kernel with none fails.
. selftests/vm/guest/tap.sh
FAULT=/sys/module/xtcp_detect/parameters/fault
DEBUGFS=/sys/kernel/debug

# sees FAULT PATTERN: commits it; the log then has the pattern.
sees()
{
	dmesg -C
	echo "$1" >$FAULT || return
	dmesg | grep -E "$2" || { dmesg; return 1; }
}

# fails KNOBS FAULT: an allocation of this process alone, made to fail.
fails()
{
	local knobs=$DEBUGFS/$1

	echo 100 >"$knobs/probability"
	echo -1 >"$knobs/times"
	echo 0 >"$knobs/verbose"
	echo 1 >"$knobs/task-filter"
	echo 0 >"$knobs/ignore-gfp-wait"
	[ ! -e "$knobs/min-order" ] || echo 0 >"$knobs/min-order"
	echo "$2" >$FAULT || return	# not yet
	! bash -c "echo 1 >/proc/self/make-it-fail && echo $2" >$FAULT 2>/tmp/fails
	echo 0 >"$knobs/probability"
	grep "Cannot allocate memory" /tmp/fails
}

# What two scans find once its module has gone.
leaks()
{
	echo clear >$DEBUGFS/kmemleak
	echo leak >$FAULT && rmmod xtcp_detect || return
	echo scan >$DEBUGFS/kmemleak
	read -r -t 6 <> <(:)	# not before an object is 5 s old
	echo scan >$DEBUGFS/kmemleak
	grep -A 3 'size 1000\|size 1024' $DEBUGFS/kmemleak
}

insmod /root/xtcp_detect.ko || { echo "Bail out! insmod"; exit 1; }
if [ -e $DEBUGFS/kcsan ]; then
	ok "KCSAN sees a race" sees race 'BUG: KCSAN: data-race in racer'
fi
if [ -e $DEBUGFS/kmemleak ]; then
	# lockdep trusts itself no more after any report
	ok "PROVE_RCU sees a pointer read without RCU" sees rcu 'suspicious RCU usage'
	ok "lockdep sees locks in two orders" sees lock-order 'possible circular locking'
	ok "KASAN sees a use after free" sees use-after-free 'BUG: KASAN: use-after-free'
	ok "KASAN sees a write out of bounds" sees out-of-bounds 'BUG: KASAN: slab-out-of-bounds'
	ok "UBSAN sees a shift that is too far" sees shift 'UBSAN: shift-out-of-bounds'
	ok "who sleeps in a spinlock is seen" sees sleep 'BUG: sleeping function'
	ok "debugobjects see a timer freed" sees timer 'ODEBUG: free active'
	ok "a slab allocation fails on demand" fails failslab slab
	ok "a page allocation fails on demand" fails fail_page_alloc page
fi
ok "a broken list is seen" sees list 'list_del corruption'
ok "a reference to nothing is seen" sees refcount 'refcount_t: addition on 0'
if [ -e $DEBUGFS/kmemleak ]; then
	ok "kmemleak sees a leak" leaks
	echo clear >$DEBUGFS/kmemleak
fi
dmesg -C
[ "$TAP_N" -gt 2 ] || tap_result 1 "this is a debug kernel"
done_testing
