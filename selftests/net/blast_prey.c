// SPDX-License-Identifier: GPL-2.0
/*
 * Prey: connections between host A and peers the blaster plays, led into each
 * state of RFC 9293 3.3.2 and then shot at with anything, exact hits included.
 * What becomes of them is theirs; that they come into the state is checked.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/xtcp.h>

#include "blast.h"

struct prey {
	bool v6, ts, alive;
	u8 host;
	u16 port, sut_port;
	u32 nxt, una;		/* our next sequence number; theirs we acknowledged */
	u32 sut_nxt;		/* theirs, highest end heard */
	bool heard_syn;
	u32 tsval, sut_tsval;
	int fd;
};

/*
 * How to get there: P a passive open of the host's socket, p only its SYN, A an
 * active one, a only its SYN, x the peer's SYN crosses that. Then s shutdown(),
 * c close(), k the peer acknowledges what it has heard, f it sends FIN, w the
 * host's program writes and the peer says nothing, z the same with the window
 * closed.
 */
static const struct scene {
	const char *script;
	int state;		/* of tcp_info; 0: the socket is closed, or there is none */
} scenes[] = {
	{ "p", 0 }, { "a", TCP_SYN_SENT }, { "ax", TCP_SYN_RECV },
	{ "P", TCP_ESTABLISHED }, { "A", TCP_ESTABLISHED }, { "Pw", TCP_ESTABLISHED },
	{ "Pz", TCP_ESTABLISHED },
	{ "Ps", TCP_FIN_WAIT1 }, { "Pws", TCP_FIN_WAIT1 }, { "Pc", 0 }, { "Pzc", 0 },
	{ "Psk", TCP_FIN_WAIT2 }, { "Pck", 0 },
	{ "Psf", TCP_CLOSING }, { "Pcf", 0 },
	{ "Pf", TCP_CLOSE_WAIT }, { "Pfw", TCP_CLOSE_WAIT },
	{ "Pfs", TCP_LAST_ACK }, { "Pfc", 0 },
	{ "Pckf", 0 }, { "Ackf", 0 },		/* TIME-WAIT */
	{ "Pcfk", 0 },				/* TIME-WAIT through CLOSING */
};

static struct prey prey;
static int listeners[2][2];			/* by cookies, IPv6 */
static unsigned long n_reached[ARRAY_SIZE(scenes)], n_missed[ARRAY_SIZE(scenes)];
static int last_missed = -1;

static int sut_socket(bool v6)
{
	int fd = socket(AF_XTCP, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			v6 ? XTCP_PROTO_IPV6 : XTCP_PROTO_IPV4);

	if (fd < 0)
		blast_die("socket: %s", strerror(errno));
	return fd;
}

static int sut_listener(bool v6, u16 port, int cookies)
{
	int fd = sut_socket(v6), one = 1;
	struct sockaddr_in6 a;
	socklen_t len = wire_address(&a, v6, HOST_A, port);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (setsockopt(fd, SOL_XTCP, XTCP_SYNCOOKIES, &cookies, sizeof(cookies)) ||
	    bind(fd, (void *)&a, len) || listen(fd, 64))
		blast_die("listener: %s", strerror(errno));
	return fd;
}

void prey_init(void)
{
	int c, v;

	for (c = 0; c < 2; c++)
		for (v = 0; v < 2; v++)
			listeners[c][v] = sut_listener(v, c ? PORT_COOKIE : PORT_PREY,
						       c ? 2 : 1);
}

/* ---- the peer's part */

void prey_hear(const struct heard *h)
{
	struct prey *p = &prey;

	if (!p->alive || h->v6 != p->v6 || h->dst != p->host || h->dport != p->port ||
	    (h->flags & TH_RST))
		return;
	p->sut_port = h->sport;
	if (h->flags & TH_SYN) {
		p->sut_nxt = h->end;
		p->heard_syn = true;
	} else if ((int32_t)(h->end - p->sut_nxt) > 0) {
		p->sut_nxt = h->end;
	}
	if (h->ts)
		p->sut_tsval = h->tsval;
}

/* A good segment of the peer's. */
static struct seg prey_seg(struct prey *p, u16 flags)
{
	struct seg s = {
		.v6 = p->v6, .src = p->host, .dst = HOST_A, .sport = p->port,
		.dport = p->sut_port, .seq = p->nxt, .ack = flags & TH_ACK ? p->una : 0,
		.flags = flags, .win = 65535, .doff = -1, .cut = -1, .ttl = 64,
	};

	if (flags & TH_SYN) {
		memcpy(s.opt, "\2\4\5\xb4\1\3\3\7\1\1\4\2", 12);
		s.opt_len = 12;
	}
	if (p->ts)
		s.opt_len += seg_opt_ts(s.opt + s.opt_len, ++p->tsval, p->sut_tsval);
	return s;
}

static void prey_send(struct prey *p, u16 flags)
{
	struct seg s = prey_seg(p, flags);

	wire_send(HOST_A, &s);
	p->nxt += !!(flags & TH_SYN) + !!(flags & TH_FIN);
	pump();
}

/* Until the host's SYN or SYN-ACK is here; other processes may hold it up. */
static bool await_syn(struct prey *p)
{
	int i;

	for (i = 0; i < 2000 && !p->heard_syn; i++) {
		wire_wait(5);
		pump();
	}
	p->una = p->sut_nxt;
	return p->heard_syn;
}

/* Take what is ours out of the accept queue; the rest was made by chance shots. */
static bool prey_accept(struct prey *p, int lfd, int wait_ms)
{
	struct pollfd pfd = { .fd = lfd, .events = POLLIN };
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	int fd;

	while (poll(&pfd, 1, wait_ms) == 1) {
		len = sizeof(a);
		fd = accept4(lfd, (void *)&a, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		if (wait_ms && ntohs(a.sin6_port) == p->port) {
			p->fd = fd;
			return true;
		}
		close(fd);
	}
	return false;
}

static bool open_passive(struct prey *p, bool whole)
{
	int cookies = one_in(3);

	p->sut_port = cookies ? PORT_COOKIE : PORT_PREY;
	prey_accept(p, listeners[cookies][p->v6], 0);
	prey_send(p, TH_SYN);
	if (!await_syn(p))
		return false;
	if (!whole)
		return true;
	prey_send(p, TH_ACK);
	return prey_accept(p, listeners[cookies][p->v6], 10000);
}

static bool open_active(struct prey *p)
{
	struct sockaddr_in6 a;
	socklen_t len = wire_address(&a, p->v6, p->host, p->port);

	p->fd = sut_socket(p->v6);
	if (!connect(p->fd, (void *)&a, len) || errno != EINPROGRESS)
		return false;
	return await_syn(p);
}

static void prey_write(struct prey *p)
{
	char buf[3000];

	memset(buf, 'x', sizeof(buf));
	if (send(p->fd, buf, sizeof(buf), MSG_NOSIGNAL) > 0)
		pump();
}

static bool prey_step(struct prey *p, char step)
{
	struct seg s;

	switch (step) {
	case 'P':
	case 'p':
		return open_passive(p, step == 'P');
	case 'a':
		return open_active(p);
	case 'A':
		if (!open_active(p))
			return false;
		prey_send(p, TH_SYN | TH_ACK);
		return true;
	case 'x':
		prey_send(p, TH_SYN);
		return true;
	case 's':
		shutdown(p->fd, SHUT_WR);
		break;
	case 'c':
		close(p->fd);
		p->fd = -1;
		break;
	case 'k':
		p->una = p->sut_nxt;
		prey_send(p, TH_ACK);
		return true;
	case 'f':
		prey_send(p, TH_FIN | TH_ACK);
		return true;
	case 'z':
		s = prey_seg(p, TH_ACK);
		s.win = 0;
		wire_send(HOST_A, &s);
		prey_write(p);
		return true;
	case 'w':
		prey_write(p);
		return true;
	}
	pump();
	return true;
}

static int prey_state(struct prey *p)
{
	struct tcp_info ti = { 0 };
	socklen_t len = sizeof(ti);

	if (p->fd < 0 || getsockopt(p->fd, IPPROTO_TCP, TCP_INFO, &ti, &len))
		return 0;
	return ti.tcpi_state;
}

static bool prey_lead(struct prey *p, const struct scene *sc)
{
	static u16 port;
	const char *c;

	memset(p, 0, sizeof(*p));
	port = (port + 1) % 50000;
	p->v6 = one_in(2);
	p->ts = one_in(2);
	p->host = HOST_PREY + rnd(8);
	p->port = 10000 + port;
	p->nxt = one_in(4) ? -rnd(200) : rnd(0);
	p->tsval = one_in(4) ? -rnd(100) : rnd(0);
	p->fd = -1;
	p->alive = true;
	for (c = sc->script; *c; c++)
		if (!prey_step(p, *c))
			return false;
	return prey_state(p) == sc->state;
}

/* ---- the shots */

/* What its program does meanwhile. */
static void prey_program(struct prey *p)
{
	static char buf[8192];

	if (p->fd < 0)
		return;
	switch (rnd(7)) {
	case 0:
	case 1:
		if (recv(p->fd, buf, sizeof(buf), one_in(4) ? MSG_PEEK : 0) < 0)
			errno = 0;
		break;
	case 2:
		send(p->fd, buf, 1 + rnd(sizeof(buf)), MSG_NOSIGNAL);
		break;
	case 3:
		prey_state(p);
		break;
	case 4:
		if (one_in(8))
			shutdown(p->fd, rnd(3));
		break;
	}
}

static void prey_shoot(struct prey *p)
{
	static const u8 flags[] = {
		TH_ACK, TH_ACK, TH_PSH | TH_ACK, TH_FIN | TH_ACK, TH_RST, TH_RST | TH_ACK,
		TH_SYN, TH_SYN | TH_ACK,
	};
	struct seg s = prey_seg(p, flags[rnd(sizeof(flags))]);

	if (s.flags & TH_PSH)
		s.len = 1 + rnd(1400);
	if (one_in(3))
		s.ack = p->sut_nxt;
	mutate(&s);
	wire_send(HOST_A, &s);
}

/* An ICMP error about the last thing the host may have sent to it. */
static void prey_icmp(struct prey *p)
{
	u8 quote[60] = { 0 };
	int hl = p->v6 ? 40 : 20;

	if (p->v6) {
		quote[0] = 0x60;
		quote[6] = IPPROTO_TCP;
		memcpy(quote + 8, "\xfd\x99", 2);
		memcpy(quote + 24, "\xfd\x99", 2);
		quote[23] = HOST_A;
		quote[39] = p->host;
	} else {
		quote[0] = 0x45;
		put16(quote + 2, 40);
		quote[9] = IPPROTO_TCP;
		put32(quote + 12, 0x0a630000 | HOST_A);
		put32(quote + 16, 0x0a630000 | p->host);
	}
	put16(quote + hl, p->sut_port);
	put16(quote + hl + 2, p->port);
	put32(quote + hl + 4, one_in(3) ? rnd(0) : p->sut_nxt - rnd(3000));
	quote[hl + 12] = 0x50;
	if (one_in(8))
		quote[rnd(hl)] = rnd(256);
	wire_icmp(HOST_A, quote, one_in(4) ? rnd(hl + 20) : hl + 8 + rnd(12), p->v6);
}

static void prey_end(struct prey *p)
{
	struct linger lg = { .l_onoff = 1 };

	if (p->fd >= 0) {
		if (one_in(2))
			setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
		close(p->fd);
	}
	p->alive = false;
}

/**
 * prey_round() - one connection, led into the next state and shot at
 */
void prey_round(void)
{
	static unsigned int next;
	unsigned int i = next++ % ARRAY_SIZE(scenes);
	struct prey *p = &prey;
	int shots = 8 + rnd(40);

	if (prey_lead(p, &scenes[i])) {
		n_reached[i]++;
	} else {
		n_missed[i]++;
		last_missed = prey_state(p);
	}
	while (shots--) {
		if (one_in(12))
			prey_icmp(p);
		else
			prey_shoot(p);
		prey_program(p);
		pump();
	}
	prey_end(p);
}

/**
 * prey_listener() - shots at the listeners that belong to no connection
 *
 * SYNs, also from where nobody answers, segments to nobody, cookies that are none.
 */
void prey_listener(void)
{
	static const u8 flags[] = {
		TH_SYN, TH_SYN, TH_ACK, TH_PSH | TH_ACK, TH_RST, TH_FIN | TH_ACK, TH_FIN, 0,
		TH_SYN | TH_ACK, TH_SYN | TH_FIN,
	};
	struct prey p = { .v6 = one_in(2), .ts = one_in(2), .host = HOST_RANDOM + rnd(100),
			  .port = rnd(65536), .tsval = rnd(0), .sut_tsval = rnd(0),
			  .nxt = rnd(0), .una = rnd(0),
			  .sut_port = one_in(20) ? rnd(65536) : PORT_GOOD + rnd(3) };
	struct seg s = prey_seg(&p, flags[rnd(sizeof(flags))]);

	if (one_in(3))
		mutate(&s);
	/* with its queue full of these the prey's listener would send it cookies */
	if (s.flags & TH_SYN && s.dport == PORT_PREY)
		s.dport = PORT_GOOD;
	if (one_in(50))
		s.sport = 0;
	wire_send(HOST_A, &s);
}

/**
 * prey_verdict() - was every state reached, every time?
 *
 * Return: true if so.
 */
bool prey_verdict(void)
{
	bool good = true;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(scenes); i++) {
		if (n_reached[i] && !n_missed[i])
			continue;
		printf("# prey \"%s\": reached %lu times, missed %lu times (state %d)\n",
		       scenes[i].script, n_reached[i], n_missed[i], last_missed);
		good = false;
	}
	return good;
}
