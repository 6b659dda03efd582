# SPDX-License-Identifier: GPL-2.0
#
# awk -v json=FILE -v curves=DIR -v commit=ID -f report.awk TABLE LOG...
#
# Reads the table of benchmarks and what the guests said (bench.h), one file per
# guest; prints the table of results, writes them to FILE, and a file of points per
# curve (x, tcp, xtcp) to DIR. A benchmark whose group was run and that has no
# figure is an error.
#
# FILE holds, as JSON:
#	schema		1
#	kernel, commit	what was measured
#	benchmarks	a list of
#	  id, name, kind, unit, what, bar, stretch	as in the table; no bar: null
#	  tcp, xtcp	value, mean, p10, p90, n: per unit, means over the guests; null: none
#	  ratio		what the bar is held against
#	  ratio_means	the same of the means: series with two humps show here
#	  spread	the ratio's largest and least in different guests, apart, in percent
#	  met, met_stretch	true, false or null
#	  boots		the ratio of each guest
#
# With kind over:X, tcp is the figure X and xtcp the row's own, both of kernel TCP.

FILENAME == ARGV[1] {
	if ($0 !~ /^#/ && NF) {
		split($0, f, "|")
		id[++rows] = f[1]; name[rows] = f[2]; group[rows] = f[3]; kind[rows] = f[4]
		unit[rows] = f[5]; bar[rows] = f[6]; stretch[rows] = f[7]; what[rows] = f[8]
	}
	next
}
FNR == 1 {
	file++
	g = FILENAME
	sub(/.*\//, "", g)
	sub(/\.boot[0-9]*$/, "", g)
	ran[g] = 1
}
$1 == "kernel" { kernel = $2 }
$1 == "figure" && NF == 8 {
	key = $2 SUBSEP $3
	at = ++n[key]
	value[key, at] = $4; mean[key] += $5; p10[key] += $6; p90[key] += $7; count[key] = $8
	sum[key] += $4
}
$1 == "point" && NF == 5 {
	key = $2 SUBSEP ($4 + 0)
	if (!(key in point_seen)) {
		point_seen[key] = ++points
		point_curve[points] = $2; point_x[points] = $4 + 0
	}
	point_sum[point_seen[key], $3] += $5
	point_n[point_seen[key], $3]++
}

function avg(nm, fam,	key) {
	key = nm SUBSEP fam
	return n[key] ? sum[key] / n[key] : ""
}

# What stands in the two columns: name and family of each.
function columns(r,	base) {
	ln = rn = name[r]; lf = "tcp"; rf = "xtcp"
	if (kind[r] ~ /^over:/) { ln = substr(kind[r], 6); rf = "tcp" }
	if (kind[r] ~ /^own:/) { dn = substr(kind[r], 5); df = "xtcp" } else { dn = ln; df = lf }
}

function ratio_at(r, i,	v, d, base) {
	v = value[rn, rf, i]
	if (kind[r] == "most" || kind[r] == "least") return v
	d = value[dn, df, i]
	v = d > 0 ? v / d : 0
	if (kind[r] !~ /^scale:/) return v
	base = substr(kind[r], 7)
	d = value[base, "tcp", i]
	d = d > 0 ? value[base, "xtcp", i] / d : 0
	return d > 0 ? v / d : 0
}

function met(r, x, limit) {
	if (limit == "" || kind[r] == "floor") return "null"
	# as printed: three decimals
	x = sprintf("%.3f", x) + 0
	return (kind[r] ~ /^(least|rate|scale:.*)$/ ? x >= limit + 0 : x <= limit + 0) ? "true" : "false"
}

function side(nm, fam,	key) {
	key = nm SUBSEP fam
	if (!n[key]) return "null"
	return sprintf("{\"value\": %.1f, \"mean\": %.1f, \"p10\": %.1f, \"p90\": %.1f, \"n\": %d}",
		sum[key] / n[key], mean[key] / n[key], p10[key] / n[key], p90[key] / n[key], count[key])
}

function quote(s) { gsub(/["\\]/, "\\\\&", s); return "\"" s "\"" }
function or_null(s) { return s == "" ? "null" : s }

# Thousands, as README shows them; small numbers with a decimal.
function show(v,	s, out) {
	if (v == "") return "-"
	if (v < 1000 && v != int(v)) return sprintf("%.1f", v)
	s = sprintf("%.0f", v)
	while (length(s) > 3) {
		out = "," substr(s, length(s) - 2) out
		s = substr(s, 1, length(s) - 3)
	}
	return s out
}

function width(nm, fam,	key) {
	key = nm SUBSEP fam
	if (!n[key] || count[key] < 2 || sum[key] <= 0) return "-"
	return sprintf("%.1f", 100 * (p90[key] - p10[key]) / sum[key])
}

# A ratio of the means, where the bar is held against a ratio of values.
function means(r,	d) {
	if (kind[r] != "ratio" || count[rn SUBSEP rf] < 2) return ""
	d = mean[dn SUBSEP df]
	return d > 0 ? sprintf("%.3f", mean[rn SUBSEP rf] / d) : ""
}

function row(r,	i, boots, x, lo, hi, all, list, spread, m, ms) {
	columns(r)
	boots = n[rn, rf]
	if (kind[r] == "floor") boots = n[name[r], "tcp"]
	if (!boots || (kind[r] != "floor" && kind[r] !~ /^(most|least)$/ && n[dn, df] != boots)) {
		printf "%-4s %-24s missing\n", id[r], name[r]
		bad = 1
		return
	}
	lo = hi = ""
	for (i = 1; kind[r] != "floor" && i <= boots; i++) {
		x = ratio_at(r, i)
		all += x
		list = list (i > 1 ? ", " : "") sprintf("%.4f", x)
		if (lo == "" || x < lo) lo = x
		if (hi == "" || x > hi) hi = x
	}
	x = kind[r] == "floor" ? "" : all / boots
	spread = (x > 0 && boots > 1) ? sprintf("%.2f", 100 * (hi - lo) / x) : ""
	m = met(r, x, bar[r]); ms = met(r, x, stretch[r])
	printf "%-4s %-24s %-9s %11s %11s %9s %6s %7s  %-3s %6s %6s %6s %6s\n", id[r], name[r], unit[r],
		show(avg(ln, lf)), kind[r] == "floor" ? "-" : show(avg(rn, rf)),
		x == "" ? "-" : kind[r] ~ /^(most|least)$/ ? show(x) : sprintf("%.3f", x),
		bar[r] == "" ? "-" : bar[r], stretch[r] == "" ? "-" : stretch[r],
		m == "null" ? "-" : m == "true" ? "yes" : "no", means(r) == "" ? "-" : means(r), spread == "" ? "-" : spread,
		width(ln, lf), kind[r] == "floor" ? "-" : width(rn, rf)
	if (!json) return
	printf "%s    {\"id\": %s, \"name\": %s, \"kind\": %s, \"unit\": %s, \"what\": %s,\n", \
		written++ ? ",\n" : "", quote(id[r]), quote(name[r]), quote(kind[r]), quote(unit[r]), \
		quote(what[r]) >json
	printf "     \"bar\": %s, \"stretch\": %s, \"tcp\": %s,\n     \"xtcp\": %s,\n", bar[r] == "" ? "null" : bar[r] + 0, \
		stretch[r] == "" ? "null" : stretch[r] + 0, side(ln, lf), \
		kind[r] == "floor" ? "null" : side(rn, rf) >json
	printf "     \"ratio\": %s, \"ratio_means\": %s, \"spread\": %s, \"met\": %s, \"met_stretch\": %s, \"boots\": [%s]}", \
		x == "" ? "null" : sprintf("%.4f", x), or_null(means(r)), or_null(spread), m, ms, list >json
}

END {
	printf "kernel %s, xtcp %s\n", kernel, commit
	printf "%-4s %-24s %-9s %11s %11s %9s %6s %7s  %-3s %6s %6s %6s %6s\n", "id", "name", "unit",
		"tcp", "xtcp", "ratio", "bar", "stretch", "met", "means", "boots%", "tcp+-%", "xtcp+-%"
	if (json)
		printf "{\n  \"schema\": 1,\n  \"kernel\": %s,\n  \"commit\": %s,\n  \"benchmarks\": [\n", \
			quote(kernel), quote(commit) >json
	for (r = 1; r <= rows; r++)
		if (group[r] in ran)
			row(r)
	if (json)
		printf "\n  ]\n}\n" >json
	for (i = 1; curves && i <= points; i++) {
		out = curves "/" point_curve[i] ".dat"
		printf "%s %s %s\n", point_x[i],
			point_n[i, "tcp"] ? point_sum[i, "tcp"] / point_n[i, "tcp"] : "-",
			point_n[i, "xtcp"] ? point_sum[i, "xtcp"] / point_n[i, "xtcp"] : "-" >out
	}
	if (!file) bad = 1
	exit bad
}
