// SPDX-License-Identifier: GPL-2.0
/*
 * What AF_XTCP costs beside kernel TCP: the same calls on both families, in
 * turns, in the same boot. One process has both ends of each connection, in one
 * network namespace or in two, so that the figure is the whole cost of one unit.
 *
 *	speed [--count] [--family tcp|xtcp|both] [--ns CLIENT SERVER] [--addr A]
 *	      [--units N] [--rounds N] [--port P] BENCH...
 *
 *	crr	connect, accept, a byte each way, both close
 *	rr	a byte each way on one connection
 *	bulk	64 KiB writes, per KiB
 *	small	1448 byte writes with TCP_NODELAY, each read at once, per KiB
 *	flow	64 KiB blocking writes to a reader in another process, per KiB
 *
 * With --count a unit is counted in ticks of the time stamp counter, which
 * under "selftests/vm/run --icount" are instructions; else in nanoseconds, and
 * rates are shown. Printed is the median of all units (the mean for flow). When
 * counting it is the least of the rounds' medians: where the slab allocator's
 * slabs end is left to chance, a round that crosses an end with each unit pays
 * up to 3 % for it, and each round begins elsewhere.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <linux/xtcp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define KIB		1024
#define WRITE_SIZE	(64 * KIB)
#define SMALL_SIZE	1448
#define WARM_UP		300
#define FLOW_BYTES	(16 * KIB * KIB)

enum family { TCP, XTCP, N_FAMILIES };

static const char * const family_name[] = { "tcp", "xtcp" };
static const int family_af[] = { AF_INET, AF_XTCP };

static struct {
	bool count;
	bool use[N_FAMILIES];
	int ns[2];			/* client's, server's; -1: where we are */
	struct in_addr addr;
	int units, rounds, port;
	size_t flow_bytes;
} opt = {
	.use = { true, true }, .ns = { -1, -1 }, .units = 500, .rounds = 6, .port = 7700,
	.flow_bytes = FLOW_BYTES,
};

/* One family's measurements of one benchmark. */
struct series {
	uint64_t *v;
	size_t n, max;
};

/* Two ends of a connection, and the listener. */
struct pair {
	int lsn, client, server;
};

static char buf[WRITE_SIZE];

#define __noreturn		__attribute__((noreturn))
#define __printf(a, b)		__attribute__((format(printf, a, b)))

static void __noreturn __printf(1, 2) die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "speed: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, ": %s\n", strerror(err));
	va_end(ap);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	if (opt.count)
		return __rdtsc();
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void note(struct series *s, uint64_t v)
{
	if (s->n == s->max) {
		s->max = s->max ? 2 * s->max : 1024;
		s->v = realloc(s->v, s->max * sizeof(*s->v));
		if (!s->v)
			die("memory");
	}
	s->v[s->n++] = v;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(struct series *s)
{
	qsort(s->v, s->n, sizeof(*s->v), by_value);
	return s->n ? s->v[s->n / 2] : 0;
}

static uint64_t mean(const struct series *s)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < s->n; i++)
		sum += s->v[i];
	return s->n ? sum / s->n : 0;
}

/* ------------------------------------------------------------------- sockets */

/* end: 0 the client's namespace, 1 the server's. */
static int open_socket(enum family f, int end)
{
	int fd;

	if (opt.ns[end] >= 0 && setns(opt.ns[end], CLONE_NEWNET))
		die("setns");
	fd = socket(family_af[f], SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket of %s", family_name[f]);
	return fd;
}

static struct sockaddr_in address(void)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET, .sin_port = htons(opt.port), .sin_addr = opt.addr,
	};

	return sa;
}

static int open_listener(enum family f)
{
	struct sockaddr_in sa = address();
	int fd = open_socket(f, 1), one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 128))
		die("listener of %s", family_name[f]);
	return fd;
}

/* Over veth and loopback the handshake is done when connect() returns. */
static void pair_open(struct pair *p, enum family f)
{
	struct sockaddr_in sa = address();

	p->client = open_socket(f, 0);
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
			note(s, now() - start);
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
			note(s, now() - start);
	}
	pair_close(p);
}

/* Move a MiB, writing as much as there is room for, then reading all there is. */
static void move_mib(const struct pair *p)
{
	size_t sent = 0, got = 0;
	ssize_t n;

	while (got < KIB * KIB) {
		while (sent < KIB * KIB) {
			n = write(p->client, buf, sizeof(buf));
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

static void run_bulk(enum family f, struct pair *p, struct series *s)
{
	int i;

	pair_open(p, f);
	set_nonblock(p->client);
	set_nonblock(p->server);
	for (i = -8; i < (opt.units + 19) / 20; i++) {
		uint64_t start = now();

		move_mib(p);
		if (i >= 0)
			note(s, (now() - start) / KIB);
	}
	pair_close(p);
}

static void run_small(enum family f, struct pair *p, struct series *s)
{
	int i;

	pair_open(p, f);
	set_nodelay(p->client);
	for (i = -WARM_UP; i < opt.units; i++) {
		uint64_t start = now();

		put(p->client, SMALL_SIZE);
		get(p->server, SMALL_SIZE);
		if (i >= 0)
			note(s, (now() - start) * KIB / SMALL_SIZE);
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
	note(s, (now() - start) / (opt.flow_bytes / KIB));
}

static const struct bench {
	const char *name;
	void (*run)(enum family f, struct pair *p, struct series *s);
	bool bytes;			/* a unit is a KiB */
	bool mean;			/* few and unlike each other: no median */
} benches[] = {
	{ "crr", run_crr, false, false },
	{ "rr", run_rr, false, false },
	{ "bulk", run_bulk, true, false },
	{ "small", run_small, true, false },
	{ "flow", run_flow, true, true },
};

/* -------------------------------------------------------------------- report */

/* A figure per unit, or as a rate: MB/s, units/s. */
static double figure(const struct bench *b, uint64_t per_unit)
{
	if (opt.count || !per_unit)
		return per_unit;
	return b->bytes ? KIB * 1e3 / per_unit : 1e9 / per_unit;
}

static const char *figure_unit(const struct bench *b)
{
	if (opt.count)
		return b->bytes ? "ticks/KiB" : "ticks";
	return b->bytes ? "MB/s" : "per_s";
}

static void report(const struct bench *b, const double *v)
{
	const char *path = opt.ns[0] >= 0 ? "veth" : "lo";
	enum family f;

	printf("%s.%s %s", b->name, path, figure_unit(b));
	for (f = 0; f < N_FAMILIES; f++)
		if (opt.use[f])
			printf(" %s %.1f", family_name[f], v[f]);
	if (opt.use[TCP] && opt.use[XTCP])
		printf(" xtcp/tcp %.3f", v[XTCP] / v[TCP]);
	printf("\n");
	fflush(stdout);
}

/*
 * Datagrams that nobody reads move the place where a slab ends, in the caches
 * that segments come from (their sizes: kmalloc-512, -1k and -2k).
 */
static int hold_memory(int round)
{
	static const size_t size[] = { 1, 400, 1000 };
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), i;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		die("UDP socket");
	for (i = 0; i < 3 * (5 * round % 11); i++)
		if (send(fd, buf, size[i % 3], 0) < 0)
			die("send");
	return fd;
}

static void run_round(const struct bench *b, enum family f, struct series *s)
{
	struct pair p;

	p.lsn = open_listener(f);
	b->run(f, &p, s);
	close(p.lsn);
	opt.port++;
}

static void measure(const struct bench *b)
{
	struct series s[N_FAMILIES] = { { 0 } };
	double v[N_FAMILIES] = { 0 }, now_v;
	enum family f;
	int i, held;

	for (i = 0; i < opt.rounds; i++) {
		held = hold_memory(i);
		for (f = 0; f < N_FAMILIES; f++) {
			if (!opt.use[f])
				continue;
			run_round(b, f, &s[f]);
			now_v = figure(b, b->mean ? mean(&s[f]) : median(&s[f]));
			if (!opt.count || !v[f] || now_v < v[f])
				v[f] = now_v;
			if (opt.count)
				s[f].n = 0;
		}
		close(held);
	}
	report(b, v);
	free(s[TCP].v);
	free(s[XTCP].v);
}

/*
 * Early after boot each random number costs a new seed, which would be counted
 * with every port and ISN. What is put in need not be secret in a benchmark.
 */
static void seed_random(void)
{
	struct {
		struct rand_pool_info info;
		char bytes[64];
	} seed = { .info = { .entropy_count = 512, .buf_size = 64 } };
	int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &seed))
		die("RNDADDENTROPY");
	close(fd);
}

/* --------------------------------------------------------------- command line */

static int open_netns(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("%s", path);
	return fd;
}

static void __noreturn usage(void)
{
	fprintf(stderr,
		"usage: speed [--count] [--family tcp|xtcp|both] [--ns CLIENT SERVER] [--addr A]\n"
		"             [--units N] [--rounds N] [--port P] [--mib N] crr|rr|bulk|small|flow...\n");
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
	} else if (!strcmp(name, "--family")) {
		const char *v = value(argv);

		opt.use[TCP] = strcmp(v, "xtcp");
		opt.use[XTCP] = strcmp(v, "tcp");
	} else if (!strcmp(name, "--ns")) {
		opt.ns[0] = open_netns(value(argv));
		opt.ns[1] = open_netns(value(argv));
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
		seed_random();
	for (; *argv; argv++)
		run_named(*argv);
	return 0;
}
