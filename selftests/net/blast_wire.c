// SPDX-License-Identifier: GPL-2.0
/* The blaster's wire: two TUN devices, packets made, taken apart and checked. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blast.h"

static u8 pattern[MAX_DATA];

/* splitmix64 */
static u64 rnd64(void)
{
	static u64 state;
	u64 z;

	if (!state)
		state = blast.seed * 0x2545f4914f6cdd1dull + 1;
	state += 0x9e3779b97f4a7c15ull;
	z = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

u32 rnd(u32 n)
{
	u64 r = rnd64();

	return n ? (r >> 16) % n : r >> 32;
}

bool one_in(u32 n)
{
	return !rnd(n);
}

/* ---- devices */

static void sysctl(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		blast_die("%s: %s", path, strerror(errno));
	close(fd);
}

socklen_t wire_address(struct sockaddr_in6 *a, bool v6, u8 host, u16 port)
{
	struct sockaddr_in *a4 = (void *)a;

	memset(a, 0, sizeof(*a));
	if (v6) {
		a->sin6_family = AF_INET6;
		inet_pton(AF_INET6, "fd99::", &a->sin6_addr);
		a->sin6_addr.s6_addr[15] = host;
		a->sin6_port = htons(port);
		return sizeof(*a);
	}
	a4->sin_family = AF_INET;
	a4->sin_addr.s_addr = htonl(0x0a630000 | host);
	a4->sin_port = htons(port);
	return sizeof(*a4);
}

/* An IPv6 address comes into use by a worker, which tells nobody. */
static void wait_usable(u8 host)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	int i, s;

	for (i = 0; i < 500; i++) {
		struct pollfd p = { .events = POLLIN };
		bool good;

		s = socket(AF_INET6, SOCK_DGRAM, 0);
		p.fd = s;
		wire_address(&a, true, host, 0);
		good = s >= 0 && !bind(s, (void *)&a, len) &&
		       !getsockname(s, (void *)&a, &len) && !connect(s, (void *)&a, len) &&
		       send(s, "", 1, 0) == 1 && poll(&p, 1, 20) == 1 && p.revents == POLLIN;
		close(s);
		if (good)
			return;
		poll(NULL, 0, 10);
	}
	blast_die("the IPv6 address does not come into use");
}

static void if_up(int s, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP | IFF_RUNNING };

	strcpy(ifr.ifr_name, name);
	if (ioctl(s, SIOCSIFFLAGS, &ifr))
		blast_die("%s up: %s", name, strerror(errno));
}

static void if_addresses(const char *name, u8 host)
{
	struct { struct in6_addr addr; u32 prefixlen; int ifindex; } r6;
	int s = socket(AF_INET, SOCK_DGRAM, 0), s6 = socket(AF_INET6, SOCK_DGRAM, 0);
	struct ifreq ifr = { 0 };
	struct sockaddr_in6 a;

	if_up(s, "lo");
	strcpy(ifr.ifr_name, name);
	wire_address(&a, false, host, 0);
	memcpy(&ifr.ifr_addr, &a, sizeof(ifr.ifr_addr));
	if (ioctl(s, SIOCSIFADDR, &ifr))
		blast_die("address of %s: %s", name, strerror(errno));
	((struct sockaddr_in *)&ifr.ifr_addr)->sin_addr.s_addr = htonl(0xffffff00);
	if (ioctl(s, SIOCSIFNETMASK, &ifr))
		blast_die("netmask of %s: %s", name, strerror(errno));
	if_up(s, name);
	wire_address(&a, true, host, 0);
	r6.addr = a.sin6_addr;
	r6.prefixlen = 64;
	r6.ifindex = if_nametoindex(name);
	if (ioctl(s6, SIOCSIFADDR, &r6))
		blast_die("IPv6 address of %s: %s", name, strerror(errno));
	close(s);
	close(s6);
	wait_usable(host);
}

/* Into a new namespace with a TUN device and one of our addresses. */
static int new_side(u8 host)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd;

	if (unshare(CLONE_NEWNET))
		blast_die("unshare: %s", strerror(errno));
	sysctl("ipv6/conf/default/accept_dad", "0");
	/* the flows on the loopback device are blasted from this one */
	sysctl("ipv4/conf/default/accept_local", "1");
	sysctl("ipv4/conf/default/rp_filter", "0");
	sysctl("ipv4/conf/all/rp_filter", "0");
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	strcpy(ifr.ifr_name, "blast0");
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		blast_die("tun: %s", strerror(errno));
	if_addresses("blast0", host);
	/* what is left of a connection ends soon */
	sysctl("xtcp/tcp_fin_timeout", "2");
	sysctl("xtcp/tcp_orphan_retries", "2");
	sysctl("xtcp/tcp_timewait_ms", "1500");
	return fd;
}

void wire_init(void)
{
	u32 i;

	/* Text, so that a byte of ours in somebody's stream is seen for what it is. */
	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = "BLASTER!"[i % 8];
	blast.tun[1] = new_side(HOST_B);
	blast.ns_b = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	blast.tun[0] = new_side(HOST_A);
}

/* ---- checksums */

/* @l4: the transport's part, @len bytes; addresses from the IP header @ip. */
static u16 l4_sum(const u8 *ip, bool v6, int proto, const u8 *l4, int len)
{
	u32 sum = v6 ? sum16(0, ip + 8, 32) : sum16(0, ip + 12, 8);

	return ~sum16(sum + proto + (len >> 16) + (len & 0xffff), l4, len);
}

/* ---- making */

static int put_ip(u8 *ip, const struct seg *s, int proto, int payload)
{
	static u16 id;

	if (s->v6) {
		memset(ip, 0, 40);
		put32(ip, 0x60000000 | s->tos << 20);
		put16(ip + 4, payload);
		ip[6] = proto;
		ip[7] = s->ttl;
		ip[8] = 0xfd;
		ip[9] = 0x99;
		memcpy(ip + 24, ip + 8, 15);
		ip[23] = s->src;
		ip[39] = s->dst;
		return 40;
	}
	memset(ip, 0, 20);
	ip[0] = 0x45;
	ip[1] = s->tos;
	put16(ip + 2, 20 + payload);
	put16(ip + 4, ++id);
	ip[8] = s->ttl;
	ip[9] = proto;
	put32(ip + 12, 0x0a630000 | s->src);
	put32(ip + 16, 0x0a630000 | s->dst);
	put16(ip + 10, (u16)~sum16(0, ip, 20));
	return 20;
}

void wire_pass(int host, const u8 *pkt, int len)
{
	ssize_t n = write(blast.tun[host - 1], pkt, len);

	/* A packet that IP does not even look at is refused. */
	if (n != len && errno != EINVAL && errno != ENOBUFS && errno != ENOMEM)
		blast_die("writing %d bytes to the device: %s", len, strerror(errno));
}

/* The TCP segment alone, checksum in place; returns its length. */
static int put_tcp(u8 *th, const struct seg *s, const u8 *ip)
{
	int ol = (s->opt_len + 3) & ~3, len = 20 + ol + s->len;

	memset(th, 0, 20 + ol);
	memcpy(th + 20, s->opt, s->opt_len);
	memcpy(th + 20 + ol, pattern, s->len);
	put16(th, s->sport);
	put16(th + 2, s->dport);
	put32(th + 4, s->seq);
	put32(th + 8, s->ack);
	put16(th + 12, (s->doff < 0 ? 5 + ol / 4 : s->doff) << 12 | (s->flags & 0xfff));
	put16(th + 14, s->win);
	put16(th + 18, s->urg);
	if (s->cut >= 0 && s->cut < len)
		len = s->cut;
	if (len >= 18)
		put16(th + 16, l4_sum(ip, s->v6, IPPROTO_TCP, th, len) ^ s->csum_xor);
	return len;
}

/* One piece of @l4, from @off on, as an IP fragment. */
static void send_fragment(int host, const struct seg *s, const u8 *l4, int off, int len,
			  bool more, u32 id)
{
	static u8 pkt[MAX_PKT];
	int hl;

	if (s->v6) {
		hl = put_ip(pkt, s, 44, 8 + len);
		pkt[40] = IPPROTO_TCP;
		pkt[41] = 0;
		put16(pkt + 42, off | more);
		put32(pkt + 44, id);
		hl += 8;
	} else {
		hl = put_ip(pkt, s, IPPROTO_TCP, len);
		put16(pkt + 4, id);
		put16(pkt + 6, off / 8 | (more ? 0x2000 : 0));
		put16(pkt + 10, 0);
		put16(pkt + 10, (u16)~sum16(0, pkt, 20));
	}
	memcpy(pkt + hl, l4 + off, len);
	wire_pass(host, pkt, hl + len);
}

static void send_fragments(int host, const struct seg *s, const u8 *l4, int len)
{
	int size = 8 * (1 + rnd(one_in(2) ? 4 : 180)), n = (len + size - 1) / size, i;
	bool shuffle = one_in(3), hole = one_in(4);
	u32 id = rnd(0);

	if (n > 40)
		return send_fragment(host, s, l4, 0, len, false, id);
	for (i = 0; i < n; i++) {
		int off = size * (shuffle ? n - 1 - i : i);
		int part = len - off < size ? len - off : size;

		if (hole && one_in(n))
			continue;
		send_fragment(host, s, l4, off, part, off + part < len, id);
		if (one_in(16))		/* twice, or overlapping the one before */
			send_fragment(host, s, l4, off >= 8 ? off - 8 : 0, part,
				      off + part < len, id);
	}
}

/* IPv4 options, or IPv6 extension headers, around the segment. */
static void send_extended(int host, const struct seg *s, const u8 *l4, int len)
{
	static u8 pkt[MAX_PKT];
	int hl, extra = 4 * (1 + rnd(10)), n, i;

	if (s->v6) {
		u8 *h = pkt + 40;

		n = 1 + rnd(3);
		put_ip(pkt, s, one_in(2) ? 0 : 60, 8 * n + len);
		for (i = 0; i < n; i++, h += 8) {
			memset(h, 0, 8);
			h[0] = i + 1 < n ? 60 : IPPROTO_TCP;
			h[2] = 1;		/* PadN */
			h[3] = 4;
			if (one_in(6))
				h[2] = rnd(256);
		}
		hl = 40 + 8 * n;
	} else {
		put_ip(pkt, s, IPPROTO_TCP, len + extra);
		pkt[0] = 0x45 + extra / 4;
		memset(pkt + 20, 1, extra);	/* NOP */
		if (one_in(3)) {
			pkt[20] = rnd(256);
			pkt[21] = rnd(extra + 2);
			pkt[22] = rnd(256);
		}
		put16(pkt + 10, 0);
		put16(pkt + 10, (u16)~sum16(0, pkt, 20 + extra));
		hl = 20 + extra;
	}
	memcpy(pkt + hl, l4, len);
	wire_pass(host, pkt, hl + len);
}

/**
 * wire_send() - a segment goes to a host
 * @host: HOST_A or HOST_B
 * @s: the segment; what it says of itself may be wrong
 */
void wire_send(int host, const struct seg *s)
{
	static u8 pkt[MAX_PKT], l4[MAX_PKT];
	int hl = put_ip(pkt, s, IPPROTO_TCP, 0), len = put_tcp(l4, s, pkt);

	blast.sent++;
	switch (s->shape) {
	case SHAPE_FRAGS:
		send_fragments(host, s, l4, len);
		return;
	case SHAPE_EXT:
		send_extended(host, s, l4, len);
		return;
	default:
		break;
	}
	put_ip(pkt, s, IPPROTO_TCP, len);
	memcpy(pkt + hl, l4, len);
	if (s->shape == SHAPE_SHORT)
		len = rnd(len + 1);
	wire_pass(host, pkt, hl + len);
	if (s->csum_xor && s->shape == SHAPE_PLAIN && s->cut < 0 && s->doff < 0 &&
	    host == HOST_A && s->dport >= PORT_GOOD && s->dport <= PORT_COOKIE)
		blast.bad_csum++;
}

/**
 * wire_icmp() - an ICMP error of a random kind
 * @host: to whom
 * @quoted: the packet of his it is about
 * @len: bytes of it that are quoted
 * @v6: its family
 */
void wire_icmp(int host, const u8 *quoted, int len, bool v6)
{
	static const u8 types4[] = { 3, 3, 3, 4, 5, 11, 12 }, types6[] = { 1, 1, 2, 2, 3, 4 };
	struct seg s = { .v6 = v6, .src = HOST_RANDOM + rnd(100), .dst = host, .ttl = 64 };
	u8 pkt[1300], *ic;
	int hl;

	if (len > 1200)
		len = 1200;
	hl = put_ip(pkt, &s, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 8 + len);
	ic = pkt + hl;
	memset(ic, 0, 8);
	ic[0] = v6 ? types6[rnd(sizeof(types6))] : types4[rnd(sizeof(types4))];
	ic[1] = one_in(8) ? rnd(256) : rnd(16);
	if (!v6 && one_in(3))
		ic[1] = 4;		/* frag needed */
	put32(ic + 4, one_in(4) ? rnd(0) : rnd(1600));
	memcpy(ic + 8, quoted, len);
	put16(ic + 2, v6 ? l4_sum(pkt, true, IPPROTO_ICMPV6, ic, 8 + len) :
			   (u16)~sum16(0, ic, 8 + len));
	blast.sent++;
	wire_pass(host, pkt, hl + 8 + len);
}

int seg_opt_ts(u8 *o, u32 val, u32 ecr)
{
	memcpy(o, "\1\1\10\12", 4);
	put32(o + 4, val);
	put32(o + 8, ecr);
	return 12;
}

/* ---- taking apart */

static void hear_options(struct heard *h, const u8 *o, int len)
{
	while (len > 0 && *o) {
		int ol;

		if (*o == 1) {
			o++;
			len--;
			continue;
		}
		ol = len > 1 ? o[1] : 0;
		if (ol < 2 || ol > len)
			blast_die("the stack sent a malformed option list");
		if (*o == 3 && ol == 3) {
			h->ws = o[2];
		} else if (*o == 8 && ol == 10) {
			h->ts = true;
			h->tsval = get32(o + 2);
		}
		o += ol;
		len -= ol;
	}
}

/* False: not TCP. What the stack sends must be sound, whatever it was sent. */
static bool hear_segment(struct heard *h, const u8 *pkt, int len)
{
	int hl, proto, doff;
	const u8 *th;

	if (len < 40)
		return false;
	h->v6 = pkt[0] >> 4 == 6;
	hl = h->v6 ? 40 : (pkt[0] & 15) * 4;
	proto = h->v6 ? pkt[6] : pkt[9];
	if (proto != IPPROTO_TCP)
		return false;
	th = pkt + hl;
	doff = len < hl + 20 ? 0 : (th[12] >> 4) * 4;
	if (doff < 20 || hl + doff > len)
		blast_die("the stack sent data offset %d in %d bytes", doff, len - hl);
	if (l4_sum(pkt, h->v6, IPPROTO_TCP, th, len - hl))
		blast_die("the stack sent a wrong checksum");
	if (len > 1500)
		blast_die("the stack sent %d bytes, the MTU is 1500", len);
	h->src = h->v6 ? pkt[23] : pkt[15];
	h->dst = h->v6 ? pkt[39] : pkt[19];
	h->sport = get16(th);
	h->dport = get16(th + 2);
	h->seq = get32(th + 4);
	h->ack = get32(th + 8);
	h->flags = th[13];
	h->win = get16(th + 14);
	h->end = h->seq + (len - hl - doff) + !!(h->flags & TH_SYN) + !!(h->flags & TH_FIN);
	h->ws = -1;
	h->ts = false;
	hear_options(h, th + 20, doff - 20);
	blast.heard++;
	return true;
}

/**
 * wire_hear() - the next TCP segment a host sent
 * @host: which
 * @h: filled; pkt points into a buffer that lasts until the next call
 *
 * Return: false if there is none now.
 */
bool wire_hear(int host, struct heard *h)
{
	static u8 pkt[MAX_PKT];
	int n;

	while ((n = read(blast.tun[host - 1], pkt, sizeof(pkt))) > 0) {
		memset(h, 0, sizeof(*h));
		h->pkt = pkt;
		h->pkt_len = n;
		if (hear_segment(h, pkt, n))
			return true;
	}
	return false;
}

/* Until a host has something to say, at most @ms. */
void wire_wait(int ms)
{
	struct pollfd p[] = {
		{ .fd = blast.tun[0], .events = POLLIN },
		{ .fd = blast.tun[1], .events = POLLIN },
	};

	poll(p, 2, ms);
}
