// SPDX-License-Identifier: GPL-2.0
/*
 * What the server's side alone costs: peers are played on a TUN device, their
 * segments and the server's calls are counted in ticks of the time stamp counter
 * (instructions, in "selftests/vm/run --icount"), the peers' own work is not. From
 * each injected packet the cost of one that IP drops at once is taken off.
 *
 *	inject tcp|xtcp [--units N] [--rounds N] BENCH...
 *
 *	scrr.c		a connection with a byte each way, the client closes first
 *	scrr.s		the server closes first, TIME-WAIT stays
 *	syn.cookie	a SYN is answered with a cookie
 *	synq		a SYN is answered and kept
 *	ack.bad		an ACK whose cookie is forged is refused
 *	ack.good	an ACK with a good cookie becomes a connection
 *	ack.sack	an ACK whose SACK blocks name three bytes somewhere in a flight of
 *			100 segments: after thousands of those as long as it takes
 *	floodcrr	scrr.c with 1000 spoofed SYNs before each
 *	drop		what is taken off
 *	survive		500 connects over the loopback while another process floods as
 *			fast as it can: how many, how long, beside none
 *	curve.conns	scrr.c among ever more idle connections
 *	curve.flood	scrr.c with ever more spoofed SYNs before each
 *
 * The value of a series is the least of the rounds' medians, as with speed.
 */
#include <errno.h>
#include <linux/xtcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "tun.h"

#define WARM_UP		300
#define FLOOD		1000
#define FLOOD_UNITS	30
#define CURVE_UNITS	200
#define BACKLOG		65535
#define CONNECTS	500
#define SEGMENT		1448
#define FLIGHT		(100 * SEGMENT)
#define SPOOFED		10000000u	/* the first of the peers that never answer */

static enum family family;
static int units = 500, rounds = 4, port = 80;
static int lsn;
static unsigned int next_peer, next_spoofed = SPOOFED;
static uint64_t floor_ticks;
static unsigned int lost;

/* A call of the server, counted. */
#define COUNT(t, call) ({			\
	uint64_t start_ = ticks();		\
	__typeof__(call) ret_ = (call);		\
						\
	(t) += ticks() - start_;		\
	ret_;					\
})

static void answer_must(const struct peer *p, int flags)
{
	if ((p->flags & (SYN | FIN | RST | ACK)) != flags) {
		errno = EPROTO;
		die("%s answered with flags 0x%x, not 0x%x", family_name[family], p->flags, flags);
	}
}

static uint64_t net(uint64_t t, int packets)
{
	return t > packets * floor_ticks ? t - packets * floor_ticks : 0;
}

/* ---------------------------------------------------------------- connections */

/* Handshake and accept(): -1 if there was none. */
static int server_open(struct peer *p, uint64_t *t)
{
	*t += peer_send(p, SYN, 0);
	peer_hear(p);
	if (p->flags != (SYN | ACK))
		return -1;
	*t += peer_send(p, ACK, 0);
	return COUNT(*t, accept(lsn, NULL, NULL));
}

static void server_exchange(struct peer *p, int fd, uint64_t *t)
{
	char c;

	*t += peer_send(p, PSH | ACK, 1);
	if (COUNT(*t, read(fd, &c, 1)) != 1 || COUNT(*t, write(fd, &c, 1)) != 1)
		die("exchange over %s", family_name[family]);
	peer_hear(p);
}

static uint64_t unit_scrr_c(void)
{
	struct peer p = peer_number(next_peer++, port);
	uint64_t t = 0;
	int fd = server_open(&p, &t);

	if (fd < 0) {
		lost++;
		return 0;
	}
	server_exchange(&p, fd, &t);
	t += peer_send(&p, FIN | ACK, 0);
	COUNT(t, close(fd));
	peer_hear(&p);
	answer_must(&p, FIN | ACK);
	t += peer_send(&p, ACK, 0);
	return net(t, 5);
}

static uint64_t unit_scrr_s(void)
{
	struct peer p = peer_number(next_peer++, port);
	uint64_t t = 0;
	int fd = server_open(&p, &t);

	if (fd < 0)
		die("connection over %s", family_name[family]);
	server_exchange(&p, fd, &t);
	COUNT(t, close(fd));
	peer_hear(&p);
	answer_must(&p, FIN | ACK);
	t += peer_send(&p, FIN | ACK, 0);
	peer_hear(&p);
	answer_must(&p, ACK);
	return net(t, 4);
}

static void flood(int n)
{
	struct peer p;
	int i;

	for (i = 0; i < n; i++) {
		p = peer_number(next_spoofed++, port);
		peer_send(&p, SYN, 0);
		if (i % 64 == 63)
			peer_hear(&p);	/* or the device's queue is full */
	}
	p = peer_number(0, port);
	peer_hear(&p);
}

static uint64_t unit_flood(void)
{
	flood(FLOOD);
	return unit_scrr_c();
}

/* ------------------------------------------------------------------- segments */

static uint64_t unit_syn(void)
{
	struct peer p = peer_number(next_peer++, port);
	uint64_t t = peer_send(&p, SYN, 0);

	peer_hear(&p);
	answer_must(&p, SYN | ACK);
	return net(t, 1);
}

static uint64_t unit_ack_bad(void)
{
	struct peer p = peer_number(next_spoofed++, port);
	uint64_t t;

	p.ack = 0x5a5a5a5a + next_spoofed * 40503u;
	t = peer_send(&p, ACK, 0);
	peer_hear(&p);
	answer_must(&p, RST);
	return net(t, 1);
}

static uint64_t unit_ack_good(void)
{
	struct linger abort_it = { .l_onoff = 1 };
	struct peer p = peer_number(next_peer++, port);
	uint64_t t;
	int fd;

	peer_send(&p, SYN, 0);
	peer_hear(&p);
	answer_must(&p, SYN | ACK);
	t = peer_send(&p, ACK, 0);
	fd = accept(lsn, NULL, NULL);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it)))
		die("no connection by a cookie over %s", family_name[family]);
	close(fd);
	peer_hear(&p);
	return net(t, 1);
}

/* A flight that is acknowledged in crumbs; for the next listener there is a new one. */
static struct {
	struct peer p;
	int fd;
	uint32_t una, flight, n;
} crumbs = { .fd = -1 };

static void crumbs_begin(void)
{
	static const char data[65536];
	struct linger abort_it = { .l_onoff = 1 };
	int room = 1000000;
	uint32_t end;
	uint64_t t;

	if (crumbs.fd >= 0)
		close(crumbs.fd);
	crumbs.p = peer_number(next_peer++, port);
	crumbs.fd = server_open(&crumbs.p, &t);
	if (crumbs.fd < 0 || setsockopt(crumbs.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) ||
	    setsockopt(crumbs.fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it)))
		die("connection over %s", family_name[family]);
	for (crumbs.una = end = crumbs.p.ack; end - crumbs.una < FLIGHT;) {
		while (send(crumbs.fd, data, sizeof(data), MSG_DONTWAIT) > 0)
			;
		peer_hear(&crumbs.p);
		end = crumbs.p.ack;
		while (end - crumbs.una >= SEGMENT && end - crumbs.una < FLIGHT) {
			crumbs.una += SEGMENT;
			crumbs.p.ack = crumbs.una;
			peer_send(&crumbs.p, ACK, 0);
		}
		crumbs.p.ack = end;
	}
	crumbs.flight = end - crumbs.una;
	crumbs.n = 0;
}

static uint64_t unit_ack_sack(void)
{
	struct peer *p = &crumbs.p;
	uint64_t t;
	int i;

	if (p->to != port)
		crumbs_begin();
	p->ack = crumbs.una;
	for (i = 0; i < 3; i++) {
		p->sack[i][0] = crumbs.una + 1 +
				(crumbs.n * 37 + i * (crumbs.flight / 3)) % (crumbs.flight - 2);
		p->sack[i][1] = p->sack[i][0] + 1;
	}
	crumbs.n++;
	t = peer_send(p, ACK, 0);
	peer_hear(p);
	return net(t, 1);
}

static uint64_t unit_drop(void)
{
	return tun_dropped(20);
}

static const struct bench {
	const char *name;
	uint64_t (*unit)(void);
	const char *cookies;
	int backlog;
	int units, warm_up;		/* 0: as many as ever */
} benches[] = {
	{ "scrr.c", unit_scrr_c, "1", 1024, 0, 0 },
	{ "scrr.s", unit_scrr_s, "1", 1024, 0, 0 },
	{ "syn.cookie", unit_syn, "2", 1024, 0, 0 },
	{ "synq", unit_syn, "1", BACKLOG, 0, 0 },
	{ "ack.bad", unit_ack_bad, "2", 1024, 0, 0 },
	{ "ack.good", unit_ack_good, "2", 1024, 0, 0 },
	{ "ack.sack", unit_ack_sack, "1", 1024, 0, 0 },
	{ "floodcrr", unit_flood, "1", 128, FLOOD_UNITS, 4 },
	{ "drop", unit_drop, "1", 128, 0, 0 },
};

/* -------------------------------------------------------------------- rounds */

static void server_start(const char *cookies, int backlog)
{
	struct in_addr any = { .s_addr = INADDR_ANY };
	struct timeval soon = { .tv_usec = 1000 };

	family_knob(family, "tcp_syncookies", cookies);
	lsn = listener_open(family, any, ++port, backlog);
	/* what does not come at once never comes */
	if (setsockopt(lsn, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)))
		die("SO_RCVTIMEO");
}

static void run_units(uint64_t (*unit)(void), int n, int warm_up, struct series *s)
{
	int i;

	for (i = -warm_up; i < n; i++) {
		uint64_t t = unit();

		if (i >= 0 && t)
			series_add(s, t);
	}
}

static void measure(const struct bench *b)
{
	struct series all = { 0 }, s = { 0 };
	int i, held, n = b->units ? b->units : units;
	uint64_t least = ~0ull;

	lost = 0;
	for (i = 0; i < (b->units ? 2 : rounds); i++) {
		held = memory_hold(i);
		server_start(b->cookies, b->backlog);
		/* a forged cookie is looked at when cookies have been sent of late */
		if (*b->cookies == '2')
			unit_syn();
		s.n = 0;
		run_units(b->unit, n, b->units ? b->warm_up : WARM_UP, &s);
		series_append(&all, &s);
		if (s.n && series_median(&s) < least)
			least = series_median(&s);
		close(lsn);
		close(held);
	}
	figure(b->name, family, &all, all.n ? least : 0);
	if (b->unit == unit_flood)
		figure_one("floodcrr.done", family, 100.0 * all.n / (2 * n));
	free(all.v);
	free(s.v);
}

/* -------------------------------------------------------------------- curves */

static void point(const char *curve, double x, uint64_t (*unit)(void))
{
	struct series s = { 0 };

	run_units(unit, CURVE_UNITS, CURVE_UNITS / 4, &s);
	figure_point(curve, family, x, series_median(&s));
	free(s.v);
}

static void curve_conns(void)
{
	static const int step[] = { 0, 1000, 2000, 4000, 8000, 16000 };
	static struct peer p[16000];
	uint64_t t = 0;
	int i, n = 0;

	files_allow(20000);
	server_start("1", 1024);
	for (i = 0; i < (int)(sizeof(step) / sizeof(*step)); i++) {
		for (; n < step[i]; n++) {
			p[n] = peer_number(next_peer++, port);
			if (server_open(&p[n], &t) < 0)
				die("connection %d over %s", n, family_name[family]);
		}
		point("conns", n, unit_scrr_c);
	}
	while (n--)
		peer_send(&p[n], RST, 0);
}

static int flood_now;

static uint64_t unit_flood_now(void)
{
	flood(flood_now);
	return unit_scrr_c();
}

static void curve_flood(void)
{
	static const int step[] = { 0, 1, 10, 30, 100, 300 };
	int i;

	server_start("1", 128);
	for (i = 0; i < (int)(sizeof(step) / sizeof(*step)); i++) {
		flood_now = step[i];
		point("flood", flood_now, unit_flood_now);
	}
	close(lsn);
}

/* ------------------------------------------------------------------ survival */

/* A process that floods until it is killed; counts in @sent. */
static pid_t flood_start(volatile unsigned long *sent)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	while (!pid) {
		flood(32);
		*sent += 32;
	}
	return pid;
}

/* A good client and server: false if the connection did not come about. */
static bool connect_one(struct series *s)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval limit = { .tv_sec = 10 };
	int client = socket_open(family), server;
	uint64_t start;
	bool done;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)))
		die("SO_SNDTIMEO");
	start = ticks();
	done = !connect(client, (struct sockaddr *)&sa, sizeof(sa));
	start = ticks() - start;
	server = accept(lsn, NULL, NULL);
	if (done && server >= 0)
		series_add(s, start);
	close(client);
	if (server >= 0)
		close(server);
	return done && server >= 0;
}

static int connect_many(struct series *s)
{
	int i, done = 0;

	s->n = 0;
	for (i = 0; i < CONNECTS; i++) {
		done += connect_one(s);
		usleep(1000);
	}
	return done;
}

static void survive(void)
{
	volatile unsigned long *sent = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct series s = { 0 };
	unsigned long before;
	uint64_t start;
	pid_t pid;
	int done;

	if (sent == MAP_FAILED)
		die("mmap");
	server_start("1", 128);
	connect_many(&s);
	connect_many(&s);
	figure("survive.idle", family, &s, series_median(&s));
	pid = flood_start(sent);
	usleep(500000);
	before = *sent;
	start = ticks();
	done = connect_many(&s);
	printf("# %s: one spoofed SYN in %lu instructions\n", family_name[family],
	       (unsigned long)((ticks() - start) / (*sent - before + 1)));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	figure_one("survive.done", family, done);
	figure("survive.p50", family, &s, series_median(&s));
	figure("survive.p99", family, &s, series_at(&s, 99));
	free(s.v);
}

/* --------------------------------------------------------------- command line */

static void __noreturn usage(void)
{
	fprintf(stderr, "usage: inject tcp|xtcp [--units N] [--rounds N] BENCH...\n");
	exit(2);
}

static void run_named(const char *name)
{
	size_t i;

	if (!strcmp(name, "curve.conns")) {
		curve_conns();
		return;
	}
	if (!strcmp(name, "curve.flood")) {
		curve_flood();
		return;
	}
	if (!strcmp(name, "survive")) {
		survive();
		return;
	}
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
	if (argc < 3)
		usage();
	family = family_parse(argv[1]);
	for (argv += 2; argv[0] && argv[1] && !strncmp(*argv, "--", 2); argv += 2) {
		int n = atoi(argv[1]);

		if (n < 1)
			usage();
		if (!strcmp(*argv, "--units"))
			units = n;
		else if (!strcmp(*argv, "--rounds"))
			rounds = n;
		else
			usage();
	}
	random_seed();
	tun_open();
	file_put("/proc/sys/net/core/somaxconn", "65535");
	floor_ticks = tun_floor();
	for (; *argv; argv++)
		run_named(*argv);
	return 0;
}
