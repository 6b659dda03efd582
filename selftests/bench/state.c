// SPDX-License-Identifier: GPL-2.0
/*
 * What connections, half-open requests and TIME-WAIT entries cost while they are
 * there, and when they go.
 *
 *	state tcp|xtcp est|child|synrecv N	bytes of each
 *	state tcp|xtcp tw N			TIME-WAIT of the server's side: bytes,
 *						instructions to end it, longest softirq
 *	state tcp|xtcp twc N CLIENT SERVER	the same of the client's side, each with
 *						a port of its own; two namespaces
 *	state tcp|xtcp cliff N CLIENT SERVER	connect() among N of them, all to one peer
 *	state tcp|xtcp lookup N			a segment that finds nothing among N of them
 *	state tcp|xtcp cap N			how many of N are kept, in how much memory
 *
 * Bytes are those of all slab caches' pages, before and after. What is done in
 * softirqs is counted from one trace event to the next, with a clock that in
 * "selftests/vm/run --icount" counts instructions.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/xtcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "tun.h"

#define TRACE		"/sys/kernel/tracing/"
#define SLAB_LINE	"%63s %*d %*d %*d %*d %ld : tunables %*d %*d %*d : slabdata %*d %ld"
#define PORT		80
#define PROBES		3000
#define VETH_SERVER	"10.88.0.2"
#define RANGE		28232		/* ports that connect() has by default */
#define CONNECTS	41
#define FEW		100		/* that fill the caches before */

static enum family family;
static int lsn;

/* -------------------------------------------------------------------- slabs */

static struct cache {
	char name[64];
	long bytes;
} caches[512];
static int n_caches;

static long cache_before(const char *name)
{
	int i;

	for (i = 0; i < n_caches; i++)
		if (!strcmp(caches[i].name, name))
			return caches[i].bytes;
	return 0;
}

/*
 * The pages of all caches, in bytes. @units: show what has grown since the last
 * time, by so many units; 0: this is the last time.
 */
static long slab_bytes(int units)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	long pages, slabs, sum = 0, grown;
	char line[512], name[64];

	if (!f)
		die("slabinfo");
	if (!units)
		n_caches = 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, SLAB_LINE, name, &pages, &slabs) != 3)
			continue;
		sum += pages * slabs * 4096;
		if (!units && n_caches < 512) {
			strcpy(caches[n_caches].name, name);
			caches[n_caches++].bytes = pages * slabs * 4096;
			continue;
		}
		grown = pages * slabs * 4096 - cache_before(name);
		if (units && labs(grown) / units >= 8)
			printf("# %s %s %ld\n", family_name[family], name, grown / units);
	}
	fclose(f);
	return sum;
}

/* Give back what the caches keep in hand. */
static void slab_shrink(void)
{
	DIR *dir = opendir("/sys/kernel/slab");
	char path[512];
	struct dirent *d;

	if (!dir)
		die("/sys/kernel/slab");
	while ((d = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", d->d_name);
		if (d->d_name[0] != '.' && !access(path, W_OK))
			file_put(path, "1");
	}
	closedir(dir);
}

static long bytes_before(void)
{
	struct peer nobody = peer_number(0, 0);

	slab_shrink();
	idle_s(3);
	peer_hear(&nobody);	/* what has been sent again waits on the device */
	slab_shrink();
	return slab_bytes(0);
}

static double bytes_each(long before, int n)
{
	slab_shrink();
	return (double)(slab_bytes(n) - before) / n;
}

/* --------------------------------------------------------------- connections */

static void server_start(void)
{
	struct in_addr any = { .s_addr = INADDR_ANY };

	tun_open();
	file_put("/proc/sys/net/core/somaxconn", "65535");
	lsn = listener_open(family, any, PORT, 65535);
}

static void peer_must(struct peer *p, int flags)
{
	peer_hear(p);
	if ((p->flags & (SYN | FIN | RST)) != flags) {
		errno = EPROTO;
		die("%s answered with flags 0x%x", family_name[family], p->flags);
	}
}

/* How far a peer goes: SYN, the whole handshake, or accept() as well. */
enum depth { DEPTH_REQUEST, DEPTH_CHILD, DEPTH_SOCKET };

static int server_open(struct peer *p, enum depth depth)
{
	int fd;

	peer_send(p, SYN, 0);
	peer_must(p, SYN);
	if (depth == DEPTH_REQUEST)
		return -1;
	peer_send(p, ACK, 0);
	if (depth == DEPTH_CHILD)
		return -1;
	fd = accept(lsn, NULL, NULL);
	if (fd < 0)
		die("accept");
	return fd;
}

static void memory(const char *name, enum depth depth, int n)
{
	struct peer *p = calloc(n + FEW, sizeof(*p));
	long before;
	int i;

	if (!p)
		die("memory");
	files_allow(n + FEW + 100);
	server_start();
	for (i = 0; i < n + FEW; i++)
		p[i] = peer_number(i, PORT);
	for (i = 0; i < FEW; i++)
		server_open(&p[i], depth);
	before = bytes_before();
	for (; i < n + FEW; i++)
		server_open(&p[i], depth);
	figure_one(name, family, bytes_each(before, n));
	/* nothing of it lives on when we are gone */
	for (i = 0; i < n + FEW; i++) {
		peer_send(&p[i], RST, 0);
		peer_hear(&p[i]);
	}
	free(p);
}

/* ----------------------------------------------------------------- TIME-WAIT */

/* The server closes first. */
static void tw_make(unsigned int n)
{
	struct peer p = peer_number(n, PORT);

	close(server_open(&p, DEPTH_SOCKET));
	peer_must(&p, FIN);
	peer_send(&p, FIN | ACK, 0);
	peer_must(&p, 0);
}

static long tw_count_tcp(void)
{
	static char text[4096];
	const char *at;

	if (!file_read("/proc/net/sockstat", text, sizeof(text)))
		die("sockstat");
	at = strstr(text, " tw ");
	return at ? atol(at + 4) : -1;
}

/* Two lines that begin with TcpState: names and numbers. */
static long tw_count_xtcp(void)
{
	static char text[65536];
	char *names, *numbers, *a, *b, *save_a, *save_b;

	if (!file_read("/proc/net/xtcp_netstat", text, sizeof(text)))
		die("xtcp_netstat");
	names = strstr(text, "TcpState:");
	numbers = names ? strstr(names + 1, "TcpState:") : NULL;
	if (!numbers)
		return -1;
	numbers[-1] = 0;
	numbers[strcspn(numbers, "\n")] = 0;
	a = strtok_r(names, " ", &save_a);
	b = strtok_r(numbers, " ", &save_b);
	while (a && b) {
		if (!strcmp(a, "TIME_WAIT"))
			return atol(b);
		a = strtok_r(NULL, " ", &save_a);
		b = strtok_r(NULL, " ", &save_b);
	}
	return -1;
}

static long tw_count(void)
{
	long n = family == XTCP ? tw_count_xtcp() : tw_count_tcp();

	if (n < 0) {
		errno = ENOENT;
		die("count of TIME-WAIT of %s", family_name[family]);
	}
	return n;
}

/* The namespace is new: the limit is the default. */
static void tw_allow(void)
{
	family_knob(family, "tcp_max_tw_buckets", "2000000");
}

static void tw_must(long n)
{
	if (tw_count() != n) {
		errno = ENOENT;
		die("%ld TIME-WAIT entries of %s, not %ld", tw_count(), family_name[family], n);
	}
}

/* ------------------------------------------------------------------ softirqs */

static void trace_begin(void)
{
	file_put(TRACE "tracing_on", "0");
	file_put(TRACE "trace", "");
	file_put(TRACE "buffer_size_kb", "32768");
	file_put(TRACE "trace_clock", "x86-tsc");
	/* TIMER, TASKLET and RCU */
	file_put(TRACE "events/irq/softirq_entry/filter", "vec == 1 || vec == 6 || vec == 9");
	file_put(TRACE "events/irq/softirq_exit/filter", "vec == 1 || vec == 6 || vec == 9");
	file_put(TRACE "events/irq/softirq_entry/enable", "1");
	file_put(TRACE "events/irq/softirq_exit/enable", "1");
	file_put(TRACE "tracing_on", "1");
}

static bool trace_line(const char *line, const char *event, uint64_t *at)
{
	const char *p = strstr(line, event);

	if (!p)
		return false;
	while (p > line && p[-1] >= '0' && p[-1] <= '9')
		p--;
	*at = strtoull(p, NULL, 10);
	return true;
}

/* Sum of all softirqs since trace_begin(), and the longest. */
static void trace_end(double *sum, double *longest)
{
	uint64_t begin = 0, end, t;
	char line[512];
	FILE *f;

	file_put(TRACE "tracing_on", "0");
	file_put(TRACE "events/irq/enable", "0");
	*sum = 0;
	*longest = 0;
	f = fopen(TRACE "trace", "r");
	if (!f)
		die("trace");
	while (fgets(line, sizeof(line), f)) {
		if (trace_line(line, ": softirq_entry", &t)) {
			begin = t;
		} else if (begin && trace_line(line, ": softirq_exit", &end)) {
			*sum += end - begin;
			if (end - begin > *longest)
				*longest = end - begin;
			begin = 0;
		}
	}
	fclose(f);
}

/* All @n entries end by themselves; an equal time without any is taken off. */
static void tw_end(const char *name, const char *stall, int n)
{
	double with, without, longest, unused;
	int s = 0, i;

	trace_begin();
	while (tw_count()) {
		idle_s(1);
		if (++s > 200) {
			errno = ETIMEDOUT;
			die("TIME-WAIT does not end");
		}
	}
	trace_end(&with, &longest);
	trace_begin();
	for (i = 0; i < s; i++) {
		idle_s(1);
		tw_count();
	}
	trace_end(&without, &unused);
	printf("# %s %s: %d s, %.0f ticks in softirqs, %.0f without entries, longest %.0f\n",
	       name, family_name[family], s, with, without, longest);
	figure_one(name, family, (with - without) / n);
	if (stall)
		figure_one(stall, family, longest);
}

static void tw_server(int n)
{
	long before;
	int i;

	server_start();
	tw_allow();
	for (i = 0; i < FEW; i++)
		tw_make(i);
	idle_s(65);
	before = bytes_before();
	for (; i < n + FEW; i++)
		tw_make(i);
	tw_must(n);
	figure_one("tw.bytes.s", family, bytes_each(before, n));
	tw_end("tw.expire.s", "tw.stall", n);
}

/*
 * Both ends are sockets here: a connection over a veth. The client closes first,
 * or aborts, so that nothing stays. What connect() cost.
 */
static uint64_t tw_pair(int ns_client, bool abort_it)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct linger linger = { .l_onoff = 1 };
	int client, server;
	uint64_t t;

	inet_pton(AF_INET, VETH_SERVER, &sa.sin_addr);
	netns_enter(ns_client);
	client = socket_open(family);
	t = ticks();
	if (connect(client, (struct sockaddr *)&sa, sizeof(sa)))
		die("connect");
	t = ticks() - t;
	server = accept(lsn, NULL, NULL);
	if (server < 0)
		die("accept");
	if (abort_it && setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		die("SO_LINGER");
	close(client);
	close(server);
	return t;
}

static void tw_client(int n, int ns_client, int ns_server)
{
	struct in_addr any = { .s_addr = INADDR_ANY };
	long before;
	int i;

	netns_enter(ns_server);
	lsn = listener_open(family, any, PORT, 128);
	for (i = 0; i < FEW; i++)
		tw_pair(ns_client, false);
	idle_s(75);
	before = bytes_before();
	for (i = 0; i < n; i++)
		tw_pair(ns_client, false);
	tw_must(n);
	figure_one("tw.bytes.c", family, bytes_each(before, n));
	tw_end("tw.expire.c", NULL, n);
}

static double connect_cost(struct series *s, int ns_client)
{
	int i;

	s->n = 0;
	for (i = 0; i < CONNECTS; i++)
		series_add(s, tw_pair(ns_client, true));
	return series_median(s);
}

/*
 * connect() while the ports to one peer run out. With half of them gone the
 * kernel's becomes so slow that what lies beyond is measured with ours only.
 */
static void cliff(int n, int ns_client, int ns_server)
{
	static const int percent[] = { 20, 50, 80, 90, 95, 98, 100, 150, 198 };
	struct in_addr any = { .s_addr = INADDR_ANY };
	struct series s = { 0 };
	int i, have = 0;

	netns_enter(ns_server);
	lsn = listener_open(family, any, PORT, 128);
	connect_cost(&s, ns_client);
	figure("connect.idle", family, &s, connect_cost(&s, ns_client));
	figure_point("cliff", family, 0, series_median(&s));
	for (i = 0; i < (int)(sizeof(percent) / sizeof(*percent)); i++) {
		if (family == TCP && percent[i] > 100)
			break;
		for (; have < (int)((long)n * percent[i] / 100); have++)
			tw_pair(ns_client, false);
		tw_must(have);
		connect_cost(&s, ns_client);
		figure_point("cliff", family, 100.0 * have / RANGE, series_median(&s));
		if (percent[i] == 100)
			figure("connect.half", family, &s, series_median(&s));
		else if (percent[i] == 198)
			figure("connect.full", family, &s, series_median(&s));
	}
}

/* A RST to the listener, of a connection that never was. */
static double probe(struct series *s)
{
	int i;

	s->n = 0;
	for (i = 0; i < PROBES; i++) {
		struct peer p = peer_number(2000000 + i * 7919u, PORT);

		series_add(s, peer_send(&p, RST, 0));
	}
	return series_median(s);
}

static void lookup(int n)
{
	struct series s = { 0 };
	double none, now = 0;
	int i, step;

	server_start();
	tw_allow();
	tw_make(0);
	idle_s(65);
	probe(&s);
	none = probe(&s);
	for (i = 0, step = n / 8; step <= n; step *= 2) {
		for (; i < step; i++)
			tw_make(i);
		tw_must(step);
		now = probe(&s);
		figure_point("lookup", family, step, now);
	}
	for (i = 0; i < (int)s.n; i++)
		s.v[i] = s.v[i] > none ? s.v[i] - none : 0;
	figure("tw.lookup", family, &s, now - none);
}

static void cap(int n)
{
	long before, kept;
	int i;

	server_start();
	if (family == XTCP)
		family_knob(family, "tcp_timewait_ms", "3600000");
	before = bytes_before();
	for (i = 0; i < n; i++)
		tw_make(i);
	kept = tw_count();
	figure_one("tw.kept", family, kept);
	slab_shrink();
	figure_one("tw.kept.MB", family, (slab_bytes(n) - before) / 1e6);
}

int main(int argc, char **argv)
{
	int n;

	if (argc < 4) {
		fprintf(stderr, "usage: state tcp|xtcp WHAT N\n");
		return 2;
	}
	family = family_parse(argv[1]);
	n = atoi(argv[3]);
	random_seed();
	if (!strcmp(argv[2], "est"))
		memory("est.bytes", DEPTH_SOCKET, n);
	else if (!strcmp(argv[2], "child"))
		memory("child.bytes", DEPTH_CHILD, n);
	else if (!strcmp(argv[2], "synrecv"))
		memory("synrecv.bytes", DEPTH_REQUEST, n);
	else if (!strcmp(argv[2], "tw"))
		tw_server(n);
	else if (!strcmp(argv[2], "twc") && argc == 6)
		tw_client(n, netns_open(argv[4]), netns_open(argv[5]));
	else if (!strcmp(argv[2], "cliff") && argc == 6)
		cliff(n, netns_open(argv[4]), netns_open(argv[5]));
	else if (!strcmp(argv[2], "lookup"))
		lookup(n);
	else if (!strcmp(argv[2], "cap"))
		cap(n);
	else
		return 2;
	return 0;
}
