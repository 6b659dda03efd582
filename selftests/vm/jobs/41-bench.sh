#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: icount slub_debug=0 mem=1G timeout=300
#
# The benchmarks' instrument, not what it measures: two quick benchmarks and the
# report on them. Equal work must give equal figures, a table and JSON that agree
# with what the programs said, and a figure that is missing is an error.
. selftests/vm/guest/tap.sh
DIR=/tmp/bench
TABLE=selftests/bench/table

# measure GROUP ORDER BOOT
measure()
{
	selftests/bench/guest.sh "$1" "$2" quick >"$DIR/$1.boot$3"
}

report()
{
	awk -v json="$DIR/$1.json" -v curves=$DIR -v commit=test -f selftests/bench/report.awk \
		$TABLE "${@:2}" >"$DIR/$1.txt"
}

# said NAME FAMILY: the value in the program's own line
said()
{
	cat $DIR/*.boot1 | awk -v n="$1" -v f="$2" '$1 == "figure" && $2 == n && $3 == f { print $4 }'
}

# apart A B: by how many thousandths of B they differ
apart()
{
	awk -v a="$1" -v b="$2" 'BEGIN { d = a > b ? a - b : b - a; print (b > 0 ? int(1000 * d / b) : 9999) }'
}

both_families()
{
	awk -v a="$(said "$1" tcp)" -v b="$(said "$1" xtcp)" \
		'BEGIN { print a, b; exit !(a > 3000 && a < 200000 && b > 3000 && b < 200000) }'
}

table_says()
{
	grep -E "^B[0-9]+ +$1 " $DIR/all.txt | tee /dev/stderr |
		awk -v a="$(said "$1" tcp)" -v b="$(said "$1" xtcp)" '{ gsub(/,/, "")
			exit !($4 == int(a + 0.5) && $5 == int(b + 0.5) && $6 == sprintf("%.3f", b / a) &&
			       $9 == ($6 <= $7 ? "yes" : "no")) }'
}

json_says()
{
	selftests/bench/json_check.py $DIR/all.json "$(uname -r)" test "$1" \
		"$(said "$1" tcp)" "$(said "$1" xtcp)"
}

missing_is_told()
{
	grep -v ' xtcp ' $DIR/scrr.c.boot1 >$DIR/part/scrr.c.boot1
	! report part $DIR/part/scrr.c.boot1 && grep -q 'scrr.c *missing' $DIR/part.txt
}

mkdir -p $DIR/part
ok "server side of a connection" measure scrr.c "tcp xtcp" 1
ok "both families have a figure" both_families scrr.c
ok "SYN cookies" measure syn.cookie "xtcp tcp" 1
ok "both families have a figure" both_families syn.cookie
ok "the report is whole" report all $DIR/*.boot1
for name in scrr.c syn.cookie; do
	ok "the table says what was measured: $name" table_says $name
	ok "so does the JSON: $name" json_says $name
done
ok "a figure that is missing is an error" missing_is_told
measure syn.cookie "tcp xtcp" 2
a=$(awk '$1 == "figure" && $3 == "xtcp" { print $4 }' $DIR/syn.cookie.boot2)
b=$(said syn.cookie xtcp)
ok "measured again, in another order, within 1 % ($a, $b)" test "$(apart "$a" "$b")" -le 10
done_testing
