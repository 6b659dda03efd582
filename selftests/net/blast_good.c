// SPDX-License-Identifier: GPL-2.0
/*
 * Good connections, from host B to A through the blaster, and within A: each
 * sends a stream and gets one back, every byte is checked. The blaster knows
 * their addresses and ports, and of those it carries the sequence numbers too:
 * it needs them to leave out what any TCP would have to take for genuine, not
 * to hit. What it sends fails one check at least, and which is known:
 *
 *	far	sequence number outside the window; all else exact
 *	ack	sequence number exact, ACK of the future or ancient (RFC 5961 5)
 *	rst	RST in the window, not at its left edge (RFC 5961 3)
 *	syn	SYN in the window (RFC 5961 4)
 *	broken	checksum, data offset or length wrong; all else exact
 *	paws	timestamp old; all else exact (RFC 7323 5)
 *	icmp	an ICMP error that quotes it (RFC 5927)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/xtcp.h>

#include "blast.h"

#define CHUNK	16384
#define BUF	65536		/* so that windows are small beside 2^32 */
#define LIMIT_S	120		/* a transfer that stands still so long is broken */
#define PACE	200		/* shots between two transfers of a client */
#define FAR	0x100000u	/* beyond any window of these connections */

/* ---- the programs */

static const struct kind {
	bool v6, local;
} kinds[] = {
	{ false, false }, { true, false }, { false, false }, { true, false },
	{ false, true }, { true, true },
};

static atomic_ulong n_done[ARRAY_SIZE(kinds)], n_bad;
static atomic_int n_clients;
static atomic_bool stop;

static u8 stream_byte(u32 seed, u32 off)
{
	u32 z = (off >> 2) * 0x9e3779b9u + seed;

	z = (z ^ (z >> 16)) * 0x85ebca6bu;
	return (z ^ (z >> 13)) >> (off & 3) * 8;
}

static bool send_stream(int fd, u32 seed, u32 len)
{
	u8 buf[CHUNK];
	u32 off, i;

	for (off = 0; off < len;) {
		u32 n = len - off < CHUNK ? len - off : CHUNK;
		ssize_t r;

		for (i = 0; i < n; i++)
			buf[i] = stream_byte(seed, off + i);
		r = send(fd, buf, n, MSG_NOSIGNAL);
		if (r <= 0)
			return false;
		off += r;
	}
	return true;
}

static bool check_stream(int fd, u32 seed, u32 len)
{
	u8 buf[CHUNK];
	u32 off, i;

	for (off = 0; off < len;) {
		u32 n = len - off < CHUNK ? len - off : CHUNK;
		ssize_t r = recv(fd, buf, n, 0);

		if (!r)
			errno = ENODATA;
		if (r <= 0)
			return false;
		for (i = 0; i < r; i++) {
			if (buf[i] != stream_byte(seed, off + i)) {
				fprintf(stderr, "# byte %u is wrong: %.16s\n", off + i, buf + i);
				errno = EILSEQ;
				return false;
			}
		}
		off += r;
	}
	return true;
}

static void set_options(int fd)
{
	struct timeval tv = { .tv_sec = LIMIT_S };
	int buf = BUF;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buf, sizeof(buf));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buf, sizeof(buf));
}

static void bad(const char *who, const char *what)
{
	fprintf(stderr, "# a good connection broke: %s: %s: %s\n", who, what, strerror(errno));
	atomic_fetch_add(&n_bad, 1);
}

/* What a connection starts with: lengths and seeds of both directions. */
struct order {
	u32 put, get, seed;
};

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	struct order o;
	u8 c;

	/* no word is not the server's to judge: a chance shot at the listener */
	if (recv(fd, &o, sizeof(o), MSG_WAITALL) == sizeof(o)) {
		if (!check_stream(fd, o.seed, o.put))
			bad("server", "receive");
		else if (!send_stream(fd, ~o.seed, o.get))
			bad("server", "send");
		else if (recv(fd, &c, 1, 0) != 0)
			bad("server", "end");
	}
	close(fd);
	return NULL;
}

static int good_socket(bool v6)
{
	int fd = socket(AF_XTCP, SOCK_STREAM | SOCK_CLOEXEC,
			v6 ? XTCP_PROTO_IPV6 : XTCP_PROTO_IPV4);

	if (fd < 0)
		blast_die("socket: %s", strerror(errno));
	set_options(fd);
	return fd;
}

static void *server(void *arg)
{
	int lfd = (int)(intptr_t)arg, fd;
	struct timeval forever = { 0 };
	pthread_t t;

	setsockopt(lfd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
	for (;;) {
		fd = accept(lfd, NULL, NULL);
		if (fd < 0)
			continue;
		set_options(fd);
		if (pthread_create(&t, NULL, serve, (void *)(intptr_t)fd))
			blast_die("pthread_create: %s", strerror(errno));
		pthread_detach(t);
	}
	return NULL;
}

static bool transfer(const struct kind *k, struct order *o)
{
	int fd = good_socket(k->v6);
	struct sockaddr_in6 a;
	socklen_t len = wire_address(&a, k->v6, HOST_A, PORT_GOOD);
	bool good = false;

	o->put = 1 + o->seed % 60000;
	o->get = 1 + o->seed / 7 % 60000;
	if (connect(fd, (void *)&a, len))
		bad("client", "connect");
	else if (send(fd, o, sizeof(*o), MSG_NOSIGNAL) != sizeof(*o) ||
		 !send_stream(fd, o->seed, o->put))
		bad("client", "send");
	else if (!check_stream(fd, ~o->seed, o->get))
		bad("client", "receive");
	else
		good = true;
	close(fd);
	return good;
}

static void *client(void *arg)
{
	const struct kind *k = arg;
	u32 i = k - kinds;
	struct order o = { .seed = blast.seed * 2654435761u + i * 40503 };
	u64 next = 0;

	if (!k->local && setns(blast.ns_b, CLONE_NEWNET))
		blast_die("setns: %s", strerror(errno));
	while (!stop) {
		if (blast.sent < next) {
			poll(NULL, 0, 2);
			continue;
		}
		next = blast.sent + PACE;
		o.seed = o.seed * 1664525u + 1013904223u;
		if (transfer(k, &o))
			atomic_fetch_add(&n_done[i], 1);
	}
	atomic_fetch_sub(&n_clients, 1);
	return NULL;
}

static void start(void *(*fn)(void *arg), void *arg)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	if (pthread_create(&t, &attr, fn, arg))
		blast_die("pthread_create: %s", strerror(errno));
	pthread_detach(t);
}

void good_init(void)
{
	struct sockaddr_in6 a;
	int v, fd, one = 1;
	socklen_t len;
	u32 i;

	for (v = 0; v < 2; v++) {
		fd = good_socket(v);
		len = wire_address(&a, v, HOST_A, PORT_GOOD);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, (void *)&a, len) || listen(fd, 256))
			blast_die("server: %s", strerror(errno));
		start(server, (void *)(intptr_t)fd);
	}
	n_clients = ARRAY_SIZE(kinds);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		start(client, (void *)&kinds[i]);
}

void good_stop(void)
{
	stop = true;
}

bool good_running(void)
{
	return n_clients > 0;
}

bool good_verdict(void)
{
	bool good = !n_bad;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		printf("# good connections %s IPv%d: %lu\n",
		       kinds[i].local ? "within the host," : "through the wire,",
		       kinds[i].v6 ? 6 : 4, n_done[i]);
		good = good && n_done[i];
	}
	if (n_bad)
		printf("# %lu complaints\n", n_bad);
	return good;
}

/* ---- what the wire knows of them */

/* One direction: what the sender has sent. */
struct half {
	u32 nxt, ack;
	u32 edge;		/* right edge of the window it announces */
	u32 tsval;
	int ws;
	bool known, acks, ts, fin;
};

static struct track {
	bool v6, used;
	u16 port;		/* of the client, in B */
	struct half h[2];	/* from A, from B */
	u8 quote[64];		/* the last packet A sent, as an ICMP error quotes it */
} tracks[64];

static struct track *track_of(bool v6, u16 port, bool make)
{
	static u32 hand;
	struct track *t;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(tracks); i++)
		if (tracks[i].used && tracks[i].v6 == v6 && tracks[i].port == port)
			return &tracks[i];
	if (!make)
		return NULL;
	t = &tracks[hand++ % ARRAY_SIZE(tracks)];
	memset(t, 0, sizeof(*t));
	t->used = true;
	t->v6 = v6;
	t->port = port;
	return t;
}

static void note(struct track *t, struct half *h, const struct heard *g)
{
	if (g->flags & TH_RST) {
		t->used = false;
		return;
	}
	if (g->flags & TH_SYN) {
		memset(h, 0, sizeof(*h));
		h->known = true;
		h->nxt = g->end;
		h->ws = g->ws;
	}
	if ((int32_t)(g->end - h->nxt) > 0)
		h->nxt = g->end;
	h->acks |= !(g->flags & TH_SYN);
	h->ack = g->ack;
	h->edge = g->ack + (g->win << (g->flags & TH_SYN || h->ws < 0 ? 0 : h->ws));
	h->ts = g->ts;
	if (g->ts)
		h->tsval = g->tsval;
	h->fin |= !!(g->flags & TH_FIN);
}

/**
 * good_forward() - carry a segment to the other side
 * @from: HOST_A or HOST_B
 * @g: what was heard
 */
void good_forward(int from, const struct heard *g)
{
	bool a = from == HOST_A;
	u16 port = a ? g->dport : g->sport;
	struct track *t;

	if ((a ? g->sport : g->dport) == PORT_GOOD) {
		t = track_of(g->v6, port, !a && g->flags == TH_SYN);
		/* a new connection on an old port: nothing of the old one counts */
		if (t && !a && (g->flags & TH_SYN))
			t->h[0].known = false;
		if (t && a)
			memcpy(t->quote, g->pkt, g->pkt_len < 64 ? g->pkt_len : 64);
		if (t)
			note(t, &t->h[!a], g);
	}
	wire_pass(a ? HOST_B : HOST_A, g->pkt, g->pkt_len);
}

/* Both ends are ESTABLISHED as far as the wire can tell, and neither closes. */
static bool steady(const struct track *t)
{
	return t->used && t->h[0].known && t->h[1].known && t->h[1].acks &&
	       !t->h[0].fin && !t->h[1].fin;
}

static struct track *pick(void)
{
	u32 i, from = rnd(ARRAY_SIZE(tracks));

	for (i = 0; i < ARRAY_SIZE(tracks); i++) {
		struct track *t = &tracks[(from + i) % ARRAY_SIZE(tracks)];

		if (steady(t))
			return t;
	}
	return NULL;
}

/* ---- the shots */

static u32 outside(u32 n)
{
	return n + FAR + rnd(0x80000000u - 2 * FAR);
}

static u16 any_flags(void)
{
	static const u8 flags[] = {
		TH_ACK, TH_PSH | TH_ACK, TH_FIN | TH_ACK, TH_RST, TH_RST | TH_ACK, TH_SYN,
		TH_SYN | TH_ACK, TH_FIN, 0, TH_SYN | TH_FIN | TH_ACK, 0x3f,
	};

	return flags[rnd(sizeof(flags))];
}

/* Of the segments without RST and SYN: ACK, data, FIN. */
static u16 plain_flags(void)
{
	static const u8 flags[] = { TH_ACK, TH_PSH | TH_ACK, TH_FIN | TH_ACK };

	return flags[rnd(sizeof(flags))];
}

/* Left of the window, all of it, or right of it; near or far. */
static void shoot_far(struct seg *s, const struct half *from, const struct half *to)
{
	s->flags = any_flags();
	s->ack = one_in(4) ? rnd(0) : from->ack;
	switch (rnd(4)) {
	case 0:			/* ends where the window begins, or before */
		s->flags &= ~TH_SYN;
		s->seq = to->ack - s->len - 2 - rnd(65536);
		break;
	case 1:
		s->seq = to->edge + FAR + rnd(65536);
		break;
	case 2:
		s->seq = outside(from->nxt);
		break;
	default:
		s->seq = from->nxt - FAR - rnd(0x80000000u - 2 * FAR);
	}
}

static void shoot_ack(struct seg *s, const struct half *from, const struct half *to)
{
	s->flags = plain_flags();
	s->seq = from->nxt + (one_in(2) ? 0 : rnd(20000));
	s->ack = one_in(2) ? outside(to->nxt) : to->nxt - FAR - rnd(0x80000000u - 2 * FAR);
}

static void shoot_rst(struct seg *s, const struct half *from, const struct half *to)
{
	u32 room = to->edge - from->nxt;

	/* what is on its way may stand at the left edge soon: beyond all of it */
	s->flags = one_in(2) ? TH_RST : TH_RST | TH_ACK;
	s->seq = from->nxt + 1 + rnd(room && room < FAR ? room : FAR);
	s->ack = one_in(2) ? from->ack : rnd(0);
}

static void shoot_syn(struct seg *s, const struct half *from)
{
	s->flags = one_in(2) ? TH_SYN : TH_SYN | TH_ACK;
	s->seq = one_in(2) ? from->nxt + rnd(3) - 1 : from->nxt + rnd(65536);
	s->ack = one_in(2) ? from->ack : rnd(0);
}

static void shoot_broken(struct seg *s, const struct half *from)
{
	s->flags = any_flags();
	s->seq = from->nxt;
	s->ack = from->ack;
	switch (rnd(3)) {
	case 0:
		s->csum_xor = 1 + rnd(65534);
		break;
	case 1:
		s->doff = rnd(5);
		break;
	case 2:
		s->cut = rnd(20);
		break;
	}
}

static bool shoot_paws(struct seg *s, const struct half *from)
{
	if (!from->ts)
		return false;
	s->flags = plain_flags();
	s->seq = from->nxt;
	s->ack = from->ack;
	s->opt_len = seg_opt_ts(s->opt, from->tsval - FAR - rnd(0x80000000u - 2 * FAR),
				one_in(2) ? 0 : rnd(0));
	return true;
}

/* Random numbers at a connection that the wire does not carry, or that begins. */
static void shoot_blind(void)
{
	struct seg s = {
		.v6 = one_in(2), .src = one_in(2) ? HOST_A : HOST_B, .dst = HOST_A,
		.sport = 32768 + rnd(28232), .dport = PORT_GOOD, .seq = rnd(0), .ack = rnd(0),
		.flags = any_flags(), .win = rnd(65536), .len = one_in(2) ? 0 : rnd(1400),
		.doff = -1, .cut = -1, .ttl = 64,
	};
	struct track *t = &tracks[rnd(ARRAY_SIZE(tracks))];

	if (s.src == HOST_B && t->used && t->v6 == s.v6)
		s.sport = t->port;
	/* a SYN to a free pair of ports is a connection, not a shot at one */
	s.flags &= ~TH_SYN;
	mutate_harmless(&s);
	wire_send(HOST_A, &s);
}

static void shoot_icmp(const struct track *t)
{
	u8 quote[64];
	int hl = t->v6 ? 40 : 20;

	memcpy(quote, t->quote, sizeof(quote));
	if (one_in(2))
		put32(quote + hl + 4, rnd(0));
	wire_icmp(HOST_A, quote, sizeof(quote), t->v6);
}

/**
 * good_shoot() - one segment at a good connection that it must survive
 */
void good_shoot(void)
{
	struct track *t = pick();
	bool to_a = !one_in(3);		/* else at the client's end */
	const struct half *from, *to;
	struct seg s = { .doff = -1, .cut = -1, .ttl = 64 };

	if (!t || one_in(8)) {
		shoot_blind();
		return;
	}
	if (one_in(10)) {
		shoot_icmp(t);
		return;
	}
	from = &t->h[to_a];
	to = &t->h[!to_a];
	s.v6 = t->v6;
	s.src = to_a ? HOST_B : HOST_A;
	s.dst = to_a ? HOST_A : HOST_B;
	s.sport = to_a ? t->port : PORT_GOOD;
	s.dport = to_a ? PORT_GOOD : t->port;
	s.win = rnd(65536);
	s.len = one_in(2) ? 0 : 1 + rnd(1400);
	if (from->ts)
		s.opt_len = seg_opt_ts(s.opt, one_in(2) ? from->tsval : rnd(0), to->tsval);
	switch (rnd(7)) {
	case 0:
	case 1:
		shoot_far(&s, from, to);
		break;
	case 2:
		shoot_ack(&s, from, to);
		break;
	case 3:
		shoot_rst(&s, from, to);
		break;
	case 4:
		shoot_syn(&s, from);
		break;
	case 5:
		shoot_broken(&s, from);
		break;
	case 6:
		if (!shoot_paws(&s, from))
			shoot_far(&s, from, to);
		break;
	}
	mutate_harmless(&s);
	wire_send(s.dst, &s);
}
