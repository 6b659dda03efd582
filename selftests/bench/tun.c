// SPDX-License-Identifier: GPL-2.0
/*
 * Peers on a TUN device, see tun.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "tun.h"

#define IP_LEN		20
#define TCP_LEN		20
#define TS_LEN		12		/* time stamps, padded */
#define SACK_LEN	28		/* three blocks, padded */
#define SYN_LEN		20		/* MSS, SACK, time stamps, window scale */
#define PEER_TS		1000		/* the peers' own clock stands still */
#define PORTS		50000u		/* of one peer's address, from 2000 on */

static int tun = -1;

/* ---------------------------------------------------------------- the device */

static void set_address(int s, struct ifreq *ifr, unsigned long what, uint32_t addr)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)&ifr->ifr_addr;

	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(addr);
	if (ioctl(s, what, ifr))
		die("address of the TUN device");
}

/* In a new network namespace. IPv6 would solicit routers on it. */
void tun_open(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "tun0" };
	int s;

	if (unshare(CLONE_NEWNET))
		die("unshare");
	file_put("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	if (tun < 0 || s < 0 || ioctl(tun, TUNSETIFF, &ifr))
		die("TUN device");
	set_address(s, &ifr, SIOCSIFADDR, TUN_HOST);
	set_address(s, &ifr, SIOCSIFNETMASK, 0xffff0000);
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(s, SIOCSIFFLAGS, &ifr))
		die("up");
	strcpy(ifr.ifr_name, "lo");
	ifr.ifr_flags = IFF_UP;
	if (ioctl(s, SIOCSIFFLAGS, &ifr))
		die("lo up");
	close(s);
}

/* ------------------------------------------------------------------ segments */

static uint32_t sum(const uint8_t *p, int len, uint32_t s)
{
	for (; len > 1; p += 2, len -= 2)
		s += p[0] << 8 | p[1];
	return len ? s + (p[0] << 8) : s;
}

static void put16(uint8_t *at, uint32_t v)
{
	at[0] = v >> 8;
	at[1] = v;
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static void put_sum(uint8_t *at, uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	put16(at, ~s);
}

static unsigned int put_sack(uint8_t *o, const struct peer *p)
{
	int i;

	if (p->sack[0][0] == p->sack[0][1])
		return 0;
	put32(o, 0x0101051a);
	for (i = 0; i < 3; i++) {
		put32(o + 4 + 8 * i, p->sack[i][0]);
		put32(o + 8 + 8 * i, p->sack[i][1]);
	}
	return SACK_LEN;
}

static unsigned int put_options(uint8_t *o, const struct peer *p, int flags)
{
	static const uint8_t syn[SYN_LEN] = {
		2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7,
	};

	if (flags & SYN) {
		memcpy(o, syn, SYN_LEN);
		put32(o + 8, PEER_TS);
		return SYN_LEN;
	}
	if (!p->ts)
		return 0;
	put32(o, 0x0101080a);
	put32(o + 4, PEER_TS);
	put32(o + 8, p->ts);
	return TS_LEN + put_sack(o + TS_LEN, p);
}

static unsigned int segment_make(uint8_t *b, const struct peer *p, int flags, unsigned int len)
{
	uint8_t *t = b + IP_LEN;
	unsigned int opt, all;

	memset(b, 0, IP_LEN + TCP_LEN);
	opt = put_options(t + TCP_LEN, p, flags);
	memset(t + TCP_LEN + opt, 'x', len);
	all = IP_LEN + TCP_LEN + opt + len;
	b[0] = 0x45;
	put16(b + 2, all);
	b[6] = 0x40;
	b[8] = 64;
	b[9] = IPPROTO_TCP;
	put32(b + 12, p->addr);
	put32(b + 16, TUN_HOST);
	put_sum(b + 10, sum(b, IP_LEN, 0));
	put16(t, p->port);
	put16(t + 2, p->to);
	put32(t + 4, p->seq);
	put32(t + 8, flags & ACK ? p->ack : 0);
	t[12] = (TCP_LEN + opt) << 2;
	t[13] = flags;
	put16(t + 14, 0xffff);
	put_sum(t + 16, sum(b + 12, all - 12, IPPROTO_TCP + all - IP_LEN));
	return all;
}

static uint64_t tun_write(const uint8_t *b, unsigned int len)
{
	uint64_t start = ticks();
	ssize_t n = write(tun, b, len);
	uint64_t t = ticks() - start;

	if (n != (ssize_t)len)
		die("write to the TUN device");
	return t;
}

/* Send @len bytes in a segment with @flags; what that cost. */
uint64_t peer_send(struct peer *p, int flags, unsigned int len)
{
	uint8_t b[2048];
	uint64_t t;

	t = tun_write(b, segment_make(b, p, flags, len));
	p->seq += len + !!(flags & SYN) + !!(flags & FIN);
	return t;
}

/* Peer number @n, which has said nothing yet. */
struct peer peer_number(unsigned int n, uint16_t to)
{
	struct peer p = {
		.addr = TUN_HOST + 0x100 + n / PORTS, .port = 2000 + n % PORTS, .to = to,
		.seq = 0x01020304 + n * 64000u,
	};

	return p;
}

/* ------------------------------------------------------------------- answers */

static void hear_options(struct peer *p, const uint8_t *o, const uint8_t *end)
{
	while (o < end && *o) {
		if (*o == 1) {
			o++;
			continue;
		}
		if (o[0] == 8)
			p->ts = get32(o + 2);
		o += o[1] ? o[1] : 1;
	}
}

static void hear(struct peer *p, const uint8_t *b, ssize_t len)
{
	const uint8_t *t = b + IP_LEN;
	int head = (t[12] >> 4) * 4;

	if (len < IP_LEN + TCP_LEN || b[0] != 0x45 || b[9] != IPPROTO_TCP ||
	    get32(b + 16) != p->addr || (t[2] << 8 | t[3]) != p->port)
		return;
	p->flags = t[13];
	if (t[13] & RST)
		return;
	hear_options(p, t + TCP_LEN, t + head);
	p->ack = get32(t + 4) + (len - IP_LEN - head) + !!(t[13] & SYN) + !!(t[13] & FIN);
}

/* Take in all answers; those to others, and the retransmitted, are thrown away. */
void peer_hear(struct peer *p)
{
	uint8_t b[2048];
	ssize_t n;

	p->flags = 0;
	while (tun >= 0 && (n = read(tun, b, sizeof(b))) > 0)
		hear(p, b, n);
}

/* --------------------------------------------------------------------- floor */

/* A packet whose IP header is too short: IP drops it at once. */
uint64_t tun_dropped(unsigned int len)
{
	struct peer p = peer_number(0, 9);
	uint8_t b[2048];
	unsigned int all = segment_make(b, &p, ACK, len);

	b[0] = 0x44;
	return tun_write(b, all);
}

/* The part of every injected packet's cost that is not TCP's: the median. */
uint64_t tun_floor(void)
{
	struct series s = { 0 };
	uint64_t v;
	int i;

	for (i = 0; i < 1000; i++)
		series_add(&s, tun_dropped(20));
	v = series_median(&s);
	free(s.v);
	return v;
}
