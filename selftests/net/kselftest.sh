# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For jobs, behind guest/tap.sh: runs a kselftest and makes its TAP part of ours.

# kselftest PROGRAM [ARGS...]
kselftest()
{
	local name log status=0 planned=0 ran=0 line

	name=$(basename "$1")
	log=$(mktemp)
	"$@" >"$log" 2>&1 || status=$?
	while IFS= read -r line; do
		case $line in
		"TAP version"*) ;;
		1..*) planned=${line#1..} ;;
		ok\ *|not\ ok\ *)
			ran=$((ran + 1))
			TAP_N=$((TAP_N + 1))
			case $line in
			not*) TAP_BAD=$((TAP_BAD + 1)); line=${line#not ok *[0-9] }
			      echo "not ok $TAP_N - $name ${line#* }" ;;
			*)    line=${line#ok *[0-9] }
			      echo "ok $TAP_N - $name ${line#* }" ;;
			esac ;;
		"#  RUN "*|"#            OK "*) ;;
		*) echo "# ${line#\# }" ;;
		esac
	done <"$log"
	rm -f "$log"
	# A crash in the middle must not look like fewer tests.
	is "$name ran all its tests" "$ran of $planned" "$planned of $planned"
	[ "$planned" != 0 ] || tap_result 1 "$name has tests"
	is "$name exit status" "$status" 0
}
