// SPDX-License-Identifier: GPL-2.0
/*
 * What AF_XTCP costs beside kernel TCP: the same calls on both families, in
 * turns, in the same boot. One process has both ends of each connection, in one
 * network namespace or in two, so that the figure is the whole cost of one unit.
 *
 *	speed [--count] [--figures] [--family tcp|xtcp|both] [--ns CLIENT SERVER]
 *	      [--addr A] [--units N] [--rounds N] [--port P] [--mib N] [--as NAME] BENCH...
 *
 *	crr	connect, accept, a byte each way, both close
 *	rr	a byte each way on one connection
 *	rr2	the same between two processes, each of which sleeps for its byte
 *	bulk	64 KiB writes, per KiB
 *	small	1448 byte writes with TCP_NODELAY, each read at once, per KiB
 *	flow	64 KiB blocking writes to a reader in another process, per KiB
 *	sendfile	as bulk, by sendfile()
 *	zerocopy	as bulk, by send(MSG_ZEROCOPY); on loopback the receiving side copies
 *
 * With --count a unit is counted in ticks of the time stamp counter, which
 * under "selftests/vm/run --icount" are instructions; else in nanoseconds, and
 * rates are shown. Printed is the median of all units (the mean for flow). When
 * counting it is the least of the rounds' medians: where the slab allocator's
 * slabs end is left to chance, a round that crosses an end with each unit pays
 * up to 3 % for it, and each round begins elsewhere. --figures: with the spread,
 * in the lines of bench.h; --as: under another name.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/errqueue.h>
#include <linux/xtcp.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define WRITE_SIZE	(64 * KIB)
#define SMALL_SIZE	1448
#define SMALL_WRITES	8		/* in a unit: not each has an ACK of its own */
#define WARM_UP		300
#define FLOW_BYTES	(16 * KIB * KIB)

static struct {
	bool count, figures;
	const char *as;
	bool use[N_FAMILIES];
	int ns[2];			/* client's, server's; -1: where we are */
	struct in_addr addr;
	int units, rounds, port;
	size_t flow_bytes;
} opt = {
	.use = { true, true }, .ns = { -1, -1 }, .units = 500, .rounds = 6, .port = 7700,
	.flow_bytes = FLOW_BYTES,
};

/* Two ends of a connection, and the listener. */
struct pair {
	int lsn, client, server;
};

static char buf[WRITE_SIZE];

static uint64_t now(void)
{
	struct timespec ts;

	if (opt.count)
		return ticks();
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* ------------------------------------------------------------------- sockets */

/* Over veth and loopback the handshake is done when connect() returns. */
static void pair_open(struct pair *p, enum family f)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET, .sin_port = htons(opt.port), .sin_addr = opt.addr,
	};

	netns_enter(opt.ns[0]);
	p->client = socket_open(f);
	if (connect(p->client, (struct sockaddr *)&sa, sizeof(sa)))
		die("connect of %s", family_name[f]);
	p->server = accept(p->lsn, NULL, NULL);
	if (p->server < 0)
		die("accept of %s", family_name[f]);
}

static void pair_close(struct pair *p)
{
	if (close(p->client) || close(p->server))
		die("close");
}

static void set_nodelay(int fd)
{
	int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		die("TCP_NODELAY");
}

static void set_nonblock(int fd)
{
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
		die("O_NONBLOCK");
}

static void put(int fd, size_t n)
{
	ssize_t got = write(fd, buf, n);

	if (got != (ssize_t)n)
		die("write: %zd of %zu", got, n);
}

static void get(int fd, size_t n)
{
	while (n) {
		ssize_t got = read(fd, buf, n);

		if (got <= 0)
			die("read: %zd", got);
		n -= got;
	}
}

static void ping(const struct pair *p)
{
	put(p->client, 1);
	get(p->server, 1);
	put(p->server, 1);
	get(p->client, 1);
}

/* ---------------------------------------------------------------- benchmarks */

static void run_crr(enum family f, struct pair *p, struct series *s)
{
	int i;

	for (i = -WARM_UP; i < opt.units; i++) {
		uint64_t start = now();

		pair_open(p, f);
		ping(p);
		pair_close(p);
		if (i >= 0)
			series_add(s, now() - start);
	}
}

static void run_rr(enum family f, struct pair *p, struct series *s)
{
	int i;

	pair_open(p, f);
	set_nodelay(p->client);
	set_nodelay(p->server);
	for (i = -WARM_UP; i < opt.units; i++) {
		uint64_t start = now();

		ping(p);
		if (i >= 0)
			series_add(s, now() - start);
	}
	pair_close(p);
}

static void __noreturn echo(int fd)
{
	char c;

	while (read(fd, &c, 1) == 1)
		if (write(fd, &c, 1) != 1)
			_exit(1);
	_exit(0);
}

static void run_rr2(enum family f, struct pair *p, struct series *s)
{
	int i, status;
	pid_t pid;

	pair_open(p, f);
	set_nodelay(p->client);
	set_nodelay(p->server);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		close(p->client);
		echo(p->server);
	}
	close(p->server);
	for (i = -WARM_UP; i < opt.units; i++) {
		uint64_t start = now();

		put(p->client, 1);
		get(p->client, 1);
		if (i >= 0)
			series_add(s, now() - start);
	}
	close(p->client);
	if (waitpid(pid, &status, 0) != pid || status)
		die("the process that echoes");
}

/* How a MiB is sent: bytes, or -1 and EAGAIN. */
typedef ssize_t (*send_fn)(int fd);

static ssize_t send_copy(int fd)
{
	return write(fd, buf, sizeof(buf));
}

static ssize_t send_file(int fd)
{
	static int file = -1;
	off_t off = 0;

	if (file < 0) {
		file = memfd_create("bench", 0);
		put(file, sizeof(buf));
	}
	return sendfile(fd, file, &off, sizeof(buf));
}

/* What the kernel has done with is the user's again: read all that it says of that. */
static void drain_errors(int fd)
{
	char control[128];
	struct msghdr msg;

	do {
		memset(&msg, 0, sizeof(msg));
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
	} while (!recvmsg(fd, &msg, MSG_ERRQUEUE));
}

static ssize_t send_zerocopy(int fd)
{
	ssize_t n = send(fd, buf, sizeof(buf), MSG_ZEROCOPY);

	if (n < 0)
		drain_errors(fd);
	return n;
}

static void set_zerocopy(int fd)
{
	int one = 1;

	/* before Linux 6.7 AF_XTCP has a name of its own for it */
	if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) &&
	    setsockopt(fd, SOL_XTCP, XTCP_ZEROCOPY, &one, sizeof(one)))
		die("SO_ZEROCOPY");
}

/* Move a MiB, writing as much as there is room for, then reading all there is. */
static void move_mib(const struct pair *p, send_fn send_some)
{
	size_t sent = 0, got = 0;
	ssize_t n;

	while (got < KIB * KIB) {
		while (sent < KIB * KIB) {
			n = send_some(p->client);
			if (n < 0 && errno == EAGAIN)
				break;
			if (n <= 0)
				die("write");
			sent += n;
		}
		for (;;) {
			n = read(p->server, buf, sizeof(buf));
			if (n < 0 && errno == EAGAIN)
				break;
			if (n <= 0)
				die("read");
			got += n;
		}
	}
}

static void run_mib(enum family f, struct pair *p, struct series *s, send_fn send_some)
{
	int i;

	pair_open(p, f);
	set_nonblock(p->client);
	set_nonblock(p->server);
	if (send_some == send_zerocopy)
		set_zerocopy(p->client);
	for (i = -8; i < (opt.units + 19) / 20; i++) {
		uint64_t start = now();

		move_mib(p, send_some);
		if (i >= 0)
			series_add(s, (now() - start) / KIB);
	}
	pair_close(p);
}

static void run_bulk(enum family f, struct pair *p, struct series *s)
{
	run_mib(f, p, s, send_copy);
}

static void run_sendfile(enum family f, struct pair *p, struct series *s)
{
	run_mib(f, p, s, send_file);
}

static void run_zerocopy(enum family f, struct pair *p, struct series *s)
{
	run_mib(f, p, s, send_zerocopy);
}

static void run_small(enum family f, struct pair *p, struct series *s)
{
	int i, j;

	pair_open(p, f);
	set_nodelay(p->client);
	for (i = -WARM_UP; i < opt.units; i++) {
		uint64_t start = now();

		for (j = 0; j < SMALL_WRITES; j++) {
			put(p->client, SMALL_SIZE);
			get(p->server, SMALL_SIZE);
		}
		if (i >= 0)
			series_add(s, (now() - start) * KIB / (SMALL_WRITES * SMALL_SIZE));
	}
	pair_close(p);
}

static void __noreturn flow_reader(int fd)
{
	size_t got = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		got += n;
	_exit(n < 0 || got != opt.flow_bytes);
}

/* Ends when the reader has read the last byte. */
static void run_flow(enum family f, struct pair *p, struct series *s)
{
	size_t sent = 0, size;
	uint64_t start;
	int status;
	pid_t pid;

	pair_open(p, f);
	start = now();
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		close(p->client);
		flow_reader(p->server);
	}
	close(p->server);
	while (sent < opt.flow_bytes) {
		size = opt.flow_bytes - sent < sizeof(buf) ? opt.flow_bytes - sent : sizeof(buf);
		put(p->client, size);
		sent += size;
	}
	close(p->client);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (status) {
		errno = EPROTO;
		die("the reader of %s lost something", family_name[f]);
	}
	series_add(s, (now() - start) / (opt.flow_bytes / KIB));
}

static const struct bench {
	const char *name;
	void (*run)(enum family f, struct pair *p, struct series *s);
	bool bytes;			/* a unit is a KiB */
	bool mean;			/* few and unlike each other: no median */
} benches[] = {
	{ "crr", run_crr, false, false },
	{ "rr", run_rr, false, false },
	{ "rr2", run_rr2, false, false },
	{ "bulk", run_bulk, true, false },
	{ "small", run_small, true, false },
	{ "flow", run_flow, true, true },
	{ "sendfile", run_sendfile, true, false },
	{ "zerocopy", run_zerocopy, true, false },
};

/* -------------------------------------------------------------------- report */

/* A value per unit, or as a rate: MB/s, units/s. */
static double value_of(const struct bench *b, struct series *s)
{
	double per_unit = b->mean ? series_mean(s) : series_median(s);

	if (opt.count || !per_unit)
		return per_unit;
	return b->bytes ? KIB * 1e3 / per_unit : 1e9 / per_unit;
}

static const char *unit_of(const struct bench *b)
{
	if (opt.count)
		return b->bytes ? "ticks/KiB" : "ticks";
	return b->bytes ? "MB/s" : "per_s";
}

static void report(const char *name, const struct bench *b, const double *v)
{
	enum family f;

	printf("%s %s", name, unit_of(b));
	for (f = 0; f < N_FAMILIES; f++)
		if (opt.use[f])
			printf(" %s %.1f", family_name[f], v[f]);
	if (opt.use[TCP] && opt.use[XTCP])
		printf(" xtcp/tcp %.3f", v[XTCP] / v[TCP]);
	printf("\n");
	fflush(stdout);
}

static void run_round(const struct bench *b, enum family f, struct series *s)
{
	struct pair p;

	netns_enter(opt.ns[1]);
	p.lsn = listener_open(f, opt.addr, opt.port, 128);
	b->run(f, &p, s);
	close(p.lsn);
	opt.port++;
}

static void measure(const struct bench *b)
{
	struct series all[N_FAMILIES] = { { 0 } }, s = { 0 };
	double v[N_FAMILIES] = { 0 }, now_v;
	char name[64];
	enum family f;
	int i, held;

	snprintf(name, sizeof(name), "%s.%s", b->name, opt.ns[0] >= 0 ? "veth" : "lo");
	for (i = 0; i < opt.rounds; i++) {
		held = memory_hold(i);
		for (f = 0; f < N_FAMILIES; f++) {
			if (!opt.use[f])
				continue;
			s.n = 0;
			run_round(b, f, &s);
			series_append(&all[f], &s);
			now_v = value_of(b, opt.count ? &s : &all[f]);
			if (!opt.count || !v[f] || now_v < v[f])
				v[f] = now_v;
		}
		close(held);
	}
	if (!opt.figures)
		report(opt.as ? opt.as : name, b, v);
	for (f = 0; f < N_FAMILIES; f++) {
		if (opt.figures && opt.use[f])
			figure(opt.as ? opt.as : name, f, &all[f], v[f]);
		free(all[f].v);
	}
	free(s.v);
}

/* --------------------------------------------------------------- command line */

static void __noreturn usage(void)
{
	fprintf(stderr,
		"usage: speed [--count] [--figures] [--family tcp|xtcp|both] [--ns CLIENT SERVER]\n"
		"             [--addr A] [--units N] [--rounds N] [--port P] [--mib N] [--as NAME]\n"
		"             crr|rr|rr2|bulk|small|flow...\n");
	exit(2);
}

static const char *value(char ***argv)
{
	if (!*++*argv)
		usage();
	return **argv;
}

static int number(char ***argv)
{
	int n = atoi(value(argv));

	if (n < 1)
		usage();
	return n;
}

static void parse_option(char ***argv)
{
	const char *name = **argv;

	if (!strcmp(name, "--count")) {
		opt.count = true;
	} else if (!strcmp(name, "--figures")) {
		opt.figures = true;
		opt.count = true;
	} else if (!strcmp(name, "--as")) {
		opt.as = value(argv);
	} else if (!strcmp(name, "--family")) {
		const char *v = value(argv);

		opt.use[TCP] = strcmp(v, "xtcp");
		opt.use[XTCP] = strcmp(v, "tcp");
	} else if (!strcmp(name, "--ns")) {
		opt.ns[0] = netns_open(value(argv));
		opt.ns[1] = netns_open(value(argv));
	} else if (!strcmp(name, "--addr")) {
		if (inet_pton(AF_INET, value(argv), &opt.addr) != 1)
			usage();
	} else if (!strcmp(name, "--units")) {
		opt.units = number(argv);
	} else if (!strcmp(name, "--rounds")) {
		opt.rounds = number(argv);
	} else if (!strcmp(name, "--port")) {
		opt.port = number(argv);
	} else if (!strcmp(name, "--mib")) {
		opt.flow_bytes = (size_t)number(argv) * KIB * KIB;
	} else {
		usage();
	}
}

static void run_named(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(benches) / sizeof(*benches); i++) {
		if (!strcmp(name, benches[i].name)) {
			measure(&benches[i]);
			return;
		}
	}
	usage();
}

int main(int argc, char **argv)
{
	opt.addr.s_addr = htonl(INADDR_LOOPBACK);
	if (argc < 2)
		usage();
	for (argv++; *argv && !strncmp(*argv, "--", 2); argv++)
		parse_option(&argv);
	if (!*argv)
		usage();
	if (opt.count)
		random_seed();
	for (; *argv; argv++)
		run_named(*argv);
	return 0;
}
