#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Has each knob a test that shows its effect? Every row of include/xtcp/params.h
# and every name that src/module/sysctl.c adds must be in knobs.txt, every test
# named there must exist, and name the knob in its file. Wants build/net/raw_test.
set -eu -o pipefail
cd "$(dirname "$0")/../.."
list=selftests/net/knobs.txt
bad=0

say() { echo "knobs: $*" >&2; bad=$((bad + 1)); }

knobs=$({
	sed -nE 's/^XTCP_PARAM(3|_LAB)?\(([a-z0-9_]+),.*/\2/p' include/xtcp/params.h
	sed -nE 's/^\t+\.procname\t= "([a-z0-9_]+)",/\1/p' src/module/sysctl.c
} | sort)
rows=$(sed -E '/^(#|$)/d' $list)

comm -3 <(uniq <<<"$knobs") <(awk '{ print $1 }' <<<"$rows" | sort -u) | while read -r name; do
	echo "knobs: $name is not both a knob and a row of $list" >&2
done
[ "$(uniq <<<"$knobs")" = "$(awk '{ print $1 }' <<<"$rows" | sort -u)" ] || bad=$((bad + 1))

raw=$(build/net/raw_test -l -f xtcp | sort -u)
while read -r knob program pattern; do
	names=()
	if [ "$program" = raw ]; then
		files=(selftests/net/raw_t_*.c)
		tests=$raw
	elif [ "$program" = job ]; then
		files=(selftests/vm/jobs/*.sh)
		tests=$(sed -nE 's/^run ([a-z0-9_]+) .*/\1/p' "${files[@]}")
	else
		files=("selftests/net/$program.c")
		tests=$(sed -nE 's/^(DIFF\(|TEST_F\([a-z_]+, |TEST\()([a-z0-9_]+)\).*/\2/p' "${files[@]}")
	fi
	while read -r name; do
		# shellcheck disable=SC2053  # a pattern
		[[ $name == $pattern ]] && names+=("$name")
	done <<<"$tests"
	[ ${#names[@]} -gt 0 ] || { say "$knob: no test is called $pattern"; continue; }
	grep -q "$knob" "${files[@]}" || say "$knob: $program never turns it"
done <<<"$rows"

[ $bad = 0 ] || exit 1
echo "knobs: $(wc -l <<<"$rows") knobs, each with a test of its effect"
