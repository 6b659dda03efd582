# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# TAP for job scripts; source it.
#
#	plan N
#	ok NAME COMMAND [ARGS...]	passes if the command succeeds
#	is NAME GOT WANTED		passes if equal
#	note TEXT
#	skip NAME REASON
#	done_testing			prints the plan if none was; exits 0 or 1
TAP_N=0 TAP_BAD=0 TAP_PLAN=

plan()
{
	TAP_PLAN=$1
	echo "1..$1"
}

tap_result()
{
	TAP_N=$((TAP_N + 1))
	if [ "$1" = 0 ]; then
		echo "ok $TAP_N - $2"
	else
		echo "not ok $TAP_N - $2"
		TAP_BAD=$((TAP_BAD + 1))
	fi
}

note()
{
	printf '%s\n' "$*" | sed 's/^/# /'
}

ok()
{
	local name=$1 out status=0

	shift
	out=$(mktemp)
	"$@" >"$out" 2>&1 || status=$?
	tap_result "$status" "$name"
	if [ "$status" != 0 ]; then
		note "status $status of: $*"
		tail -n 40 "$out" | sed 's/^/#   /'
	fi
	rm -f "$out"
	return 0
}

is()
{
	if [ "$2" = "$3" ]; then
		tap_result 0 "$1"
	else
		tap_result 1 "$1"
		note "got    \"$2\""
		note "wanted \"$3\""
	fi
}

skip()
{
	TAP_N=$((TAP_N + 1))
	echo "ok $TAP_N - $1 # SKIP $2"
}

done_testing()
{
	[ -n "$TAP_PLAN" ] || echo "1..$TAP_N"
	if [ -n "$TAP_PLAN" ] && [ "$TAP_N" != "$TAP_PLAN" ]; then
		note "planned $TAP_PLAN tests, ran $TAP_N"
		exit 1
	fi
	[ "$TAP_BAD" = 0 ]
	exit
}
