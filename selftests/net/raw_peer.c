// SPDX-License-Identifier: GPL-2.0
/* The peer's side of the wire: a TUN device, packets made and taken apart. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "raw_peer.h"
#include "raw_addr.h"

struct raw_env raw = { .tun = -1, .mtu = 1500 };

#define MAX_PACKET	66000
#define MAX_PENDING	512

static struct segment *pending[MAX_PENDING];
static int n_pending;

/* ---- log: shown only when a test fails */

static char log_buf[256 * 1024];
static size_t log_len;
static u64 log_start_us;
static bool log_off;

u64 raw_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

void raw_log_pause(bool pause)
{
	log_off = pause;
}

void raw_log(const char *fmt, ...)
{
	size_t room = sizeof(log_buf) - log_len;
	va_list ap;
	int n;

	if (room < 200 || log_off)
		return;
	n = snprintf(log_buf + log_len, room, "# %9.3f ",
		     (raw_now_us() - log_start_us) / 1000.0);
	log_len += n;
	va_start(ap, fmt);
	n = vsnprintf(log_buf + log_len, sizeof(log_buf) - log_len - 1, fmt, ap);
	va_end(ap);
	if (n >= (int)(sizeof(log_buf) - log_len - 1))
		n = sizeof(log_buf) - log_len - 2;
	log_len += n;
	log_buf[log_len++] = '\n';
}

void raw_log_dump(void)
{
	size_t done = 0;

	while (done < log_len) {
		ssize_t n = write(STDOUT_FILENO, log_buf + done, log_len - done);

		if (n <= 0)
			return;
		done += n;
	}
}

void raw_fail(const char *file, int line, const char *fmt, ...)
{
	char msg[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	raw_log_dump();
	/* not by way of the log, which may be full */
	dprintf(STDOUT_FILENO, "# %9.3f FAILED %s:%d: %s\n",
		(raw_now_us() - log_start_us) / 1000.0, file, line, msg);
	raw_exit(1);
}

void (*raw_at_exit)(void);

/* What the test leaves open ends soon: an orphan pins its namespace. */
void raw_exit(int status)
{
	static bool once;

	if (!once) {
		once = true;
		if (raw_at_exit)
			raw_at_exit();
		sut_sysctl("tcp_orphan_retries", "1");
	}
	_exit(status);
}

void raw_skip(const char *why)
{
	dprintf(STDOUT_FILENO, "# skipped: %s\n", why);
	raw_exit(RAW_SKIP);
}

void raw_log_segment(const char *dir, const struct segment *seg)
{
	static const char names[] = "FSRPAU";
	char flags[8], opts[200] = "";
	int i, n = 0, o = 0;

	for (i = 0; i < 6; i++)
		if (seg->flags & (1 << i))
			flags[n++] = names[i];
	flags[n] = 0;
	if (seg->opts & OPT_MSS)
		o += sprintf(opts + o, " mss %u", seg->mss);
	if (seg->opts & OPT_WS)
		o += sprintf(opts + o, " ws %u", seg->ws);
	if (seg->opts & OPT_SACKOK)
		o += sprintf(opts + o, " sackok");
	if (seg->opts & OPT_TS)
		o += sprintf(opts + o, " ts %u/%u", seg->tsval, seg->tsecr);
	for (i = 0; i < seg->n_sack; i++)
		o += sprintf(opts + o, " sack %u-%u", seg->sack[i].l, seg->sack[i].r);
	raw_log("%s %u>%u %s seq %u ack %u win %u len %d%s", dir, seg->sport,
		seg->dport, flags, seg->seq, seg->ack, seg->win, seg->len, opts);
}

/* ---- device */

/* Is this the news that our address is now a local destination? */
static bool is_our_route(const struct nlmsghdr *nh, const struct in6_addr *addr)
{
	struct rtmsg *rtm = NLMSG_DATA(nh);
	int len = nh->nlmsg_len - NLMSG_LENGTH(sizeof(*rtm));
	struct rtattr *ra;

	if (nh->nlmsg_type != RTM_NEWROUTE || rtm->rtm_dst_len != 128)
		return false;
	for (ra = RTM_RTA(rtm); RTA_OK(ra, len); ra = RTA_NEXT(ra, len))
		if (ra->rta_type == RTA_DST &&
		    !memcmp(RTA_DATA(ra), addr, sizeof(*addr)))
			return true;
	return false;
}

static void wait_our_route(int s, const struct in6_addr *addr)
{
	char buf[8192] __attribute__((aligned(8)));
	struct nlmsghdr *nh;
	int len;

	for (;;) {
		len = recv(s, buf, sizeof(buf), 0);
		if (len < 0)
			FAIL("netlink: %m");
		for (nh = (void *)buf; NLMSG_OK(nh, len); nh = NLMSG_NEXT(nh, len)) {
			struct nlmsgerr *e = NLMSG_DATA(nh);

			if (nh->nlmsg_type == NLMSG_ERROR && e->error)
				FAIL("IPv6 address: %s", strerror(-e->error));
			if (is_our_route(nh, addr))
				return;
		}
	}
}

/*
 * By netlink, which alone can say "no duplicate address detection", and tells
 * when the kernel's worker has made the address reachable.
 */
static void set_if_v6(const char *name)
{
	struct {
		struct nlmsghdr nh;
		struct ifaddrmsg ifa;
		struct rtattr ra;
		struct in6_addr addr;
	} req = {
		.nh = { .nlmsg_len = sizeof(req), .nlmsg_type = RTM_NEWADDR,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK },
		.ifa = { .ifa_family = AF_INET6, .ifa_prefixlen = 64,
			 .ifa_flags = IFA_F_NODAD },
		.ra = { .rta_len = RTA_LENGTH(sizeof(req.addr)),
			.rta_type = IFA_LOCAL },
	};
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK,
				  .nl_groups = RTMGRP_IPV6_ROUTE };
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	inet_pton(AF_INET6, SUT_ADDR6, &req.addr);
	req.ifa.ifa_index = if_nametoindex(name);
	if (s < 0 || bind(s, (struct sockaddr *)&nl, sizeof(nl)) ||
	    send(s, &req, sizeof(req), 0) < 0)
		FAIL("netlink: %m");
	wait_our_route(s, &req.addr);
	close(s);
}

static void set_if(const char *name)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in *sin;
	struct ifreq ifr = { 0 };

	strcpy(ifr.ifr_name, "lo");
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	CHECK(ioctl(s, SIOCSIFFLAGS, &ifr) == 0);
	strcpy(ifr.ifr_name, name);
	sin = (struct sockaddr_in *)&ifr.ifr_addr;
	sin->sin_family = AF_INET;
	inet_pton(AF_INET, SUT_ADDR4, &sin->sin_addr);
	CHECK(ioctl(s, SIOCSIFADDR, &ifr) == 0);
	inet_pton(AF_INET, "255.255.255.0", &sin->sin_addr);
	CHECK(ioctl(s, SIOCSIFNETMASK, &ifr) == 0);
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	CHECK(ioctl(s, SIOCSIFFLAGS, &ifr) == 0);
	close(s);
	if (raw.v6)
		set_if_v6(name);
}

void raw_set_mtu(int mtu)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq ifr = { 0 };

	strcpy(ifr.ifr_name, "raw0");
	ifr.ifr_mtu = mtu;
	CHECK(ioctl(s, SIOCSIFMTU, &ifr) == 0);
	close(s);
	raw.mtu = mtu;
}

void raw_gso_off(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct ethtool_value off = { .cmd = ETHTOOL_SGSO };
	struct ifreq ifr = { .ifr_data = (void *)&off };

	strcpy(ifr.ifr_name, "raw0");
	CHECK(ioctl(s, SIOCETHTOOL, &ifr) == 0);
	close(s);
}

void raw_init(void)
{
	struct ifreq ifr = { 0 };

	log_start_us = raw_now_us();
	raw.tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	if (raw.tun < 0)
		FAIL("/dev/net/tun: %m");
	strcpy(ifr.ifr_name, "raw0");
	ifr.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
	if (ioctl(raw.tun, TUNSETIFF, &ifr) < 0)
		FAIL("TUNSETIFF: %m");
	set_if("raw0");
}

/* ---- checksums */

/* The transport checksum of a packet of len bytes with the field as it is. */
static u16 l4_sum(const u8 *ip, int len)
{
	bool v6 = ip[0] >> 4 == 6;
	int hl = v6 ? 40 : (ip[0] & 15) * 4;
	u32 sum;

	sum = v6 ? sum16(0, ip + 8, 32) : sum16(0, ip + 12, 8);
	sum += (v6 ? ip[6] : ip[9]) + len - hl;
	return ~sum16(sum, ip + hl, len - hl);
}

int raw_verify(const u8 *ip, int len)
{
	if (ip[0] >> 4 == 4 && (u16)~sum16(0, ip, (ip[0] & 15) * 4))
		return -1;
	return l4_sum(ip, len) ? -1 : 0;
}

/* ---- building */

static int put_ip(u8 *ip, int proto, int l4_len, u8 tos)
{
	static u16 id;

	if (raw.v6) {
		memset(ip, 0, 40);
		ip[0] = 0x60 | tos >> 4;
		ip[1] = tos << 4;
		put16(ip + 4, l4_len);
		ip[6] = proto;
		ip[7] = 64;
		inet_pton(AF_INET6, PEER_ADDR6, ip + 8);
		if (raw.spoof)
			ip[23] = raw.spoof;
		inet_pton(AF_INET6, SUT_ADDR6, ip + 24);
		return 40;
	}
	memset(ip, 0, 20);
	ip[0] = 0x45;
	ip[1] = tos;
	put16(ip + 2, 20 + l4_len);
	put16(ip + 4, ++id);
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = proto;
	inet_pton(AF_INET, PEER_ADDR4, ip + 12);
	if (raw.spoof)
		ip[15] = raw.spoof;
	inet_pton(AF_INET, SUT_ADDR4, ip + 16);
	put16(ip + 10, (u16)~sum16(0, ip, 20));
	return 20;
}

static int put_options(u8 *o, const struct segment *seg)
{
	u8 *start = o;
	int i;

	if (seg->opts & OPT_MSS) {
		*o++ = 2;
		*o++ = 4;
		put16(o, seg->mss);
		o += 2;
	}
	if (seg->opts & OPT_WS) {
		*o++ = 1;
		*o++ = 3;
		*o++ = 3;
		*o++ = seg->ws;
	}
	if (seg->opts & OPT_SACKOK) {
		memcpy(o, "\1\1\4\2", 4);
		o += 4;
	}
	if (seg->opts & OPT_TS) {
		memcpy(o, "\1\1\10\12", 4);
		put32(o + 4, seg->tsval);
		put32(o + 8, seg->tsecr);
		o += 12;
	}
	if (seg->n_sack) {
		*o++ = 1;
		*o++ = 1;
		*o++ = 5;
		*o++ = 2 + 8 * seg->n_sack;
		for (i = 0; i < seg->n_sack; i++, o += 8) {
			put32(o, seg->sack[i].l);
			put32(o + 4, seg->sack[i].r);
		}
	}
	return o - start;
}

static void tun_write(const u8 *pkt, int len)
{
	struct virtio_net_hdr vh = { .hdr_len = raw.linear < len ? raw.linear : len };
	struct iovec v[] = { { &vh, sizeof(vh) }, { (void *)pkt, len } };

	if (writev(raw.tun, v, 2) != (int)sizeof(vh) + len)
		FAIL("writing %d bytes to the device: %m", len);
}

void raw_send_segment(const struct segment *seg)
{
	static u8 pkt[MAX_PACKET];
	int hl = raw.v6 ? 40 : 20, ol;
	u8 *th = pkt + hl;

	memset(th, 0, 60);
	ol = put_options(th + 20, seg);
	put16(th, seg->sport);
	put16(th + 2, seg->dport);
	put32(th + 4, seg->seq);
	put32(th + 8, seg->ack);
	th[12] = (seg->doff ? seg->doff : (20 + ol) / 4) << 4;
	th[13] = seg->flags;
	put16(th + 14, seg->win);
	put16(th + 18, seg->urg);
	if (seg->len)
		memcpy(th + 20 + ol, seg->data, seg->len);
	put_ip(pkt, IPPROTO_TCP, 20 + ol + seg->len, seg->tos);
	put16(th + 16, l4_sum(pkt, hl + 20 + ol + seg->len));
	if (seg->bad_csum)
		put16(th + 16, get16(th + 16) ^ 0x5555);
	raw_log_segment("peer>", seg);
	tun_write(pkt, hl + 20 + ol + seg->len);
}

/**
 * raw_send_icmp() - an ICMP error about a segment the stack sent
 * @about: that segment
 * @type4: ICMPv4 type
 * @code4: its code
 * @type6: ICMPv6 type
 * @code6: its code
 * @mtu: for frag-needed / packet-too-big
 */
void raw_send_icmp(const struct segment *about, int type4, int code4,
		   int type6, int code6, u32 mtu)
{
	int hl = raw.v6 ? 40 : 20;
	int quote = about->ip_len < 500 ? about->ip_len : 500;
	u8 pkt[600];
	u8 *ic = pkt + hl;

	memset(ic, 0, 8);
	ic[0] = raw.v6 ? type6 : type4;
	ic[1] = raw.v6 ? code6 : code4;
	if (raw.v6)
		put32(ic + 4, mtu);
	else
		put16(ic + 6, mtu);
	memcpy(ic + 8, about->ip, quote);
	put_ip(pkt, raw.v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 8 + quote, 0);
	if (raw.v6)
		put16(ic + 2, l4_sum(pkt, hl + 8 + quote));
	else
		put16(ic + 2, (u16)~sum16(0, ic, 8 + quote));
	raw_log("peer> ICMP type %d code %d mtu %u about seq %u", ic[0], ic[1],
		mtu, about->seq);
	tun_write(pkt, hl + 8 + quote);
}

/* ---- taking apart */

static void get_options(struct segment *seg, const u8 *o, int len)
{
	while (len > 0 && *o) {
		int ol, i;

		if (*o == 1) {
			o++;
			len--;
			continue;
		}
		ol = len > 1 ? o[1] : 0;
		if (ol < 2 || ol > len)
			FAIL("the stack sent a malformed option list");
		if (*o == 2 && ol == 4) {
			seg->opts |= OPT_MSS;
			seg->mss = get16(o + 2);
		} else if (*o == 3 && ol == 3) {
			seg->opts |= OPT_WS;
			seg->ws = o[2];
		} else if (*o == 4 && ol == 2) {
			seg->opts |= OPT_SACKOK;
		} else if (*o == 8 && ol == 10) {
			seg->opts |= OPT_TS;
			seg->tsval = get32(o + 2);
			seg->tsecr = get32(o + 6);
		} else if (*o == 5) {
			seg->opts |= OPT_SACK;
			for (i = 2; i + 8 <= ol && seg->n_sack < 4; i += 8) {
				seg->sack[seg->n_sack].l = get32(o + i);
				seg->sack[seg->n_sack++].r = get32(o + i + 4);
			}
		} else {
			FAIL("the stack sent option %d of length %d", *o, ol);
		}
		o += ol;
		len -= ol;
	}
}

/* A TCP packet of our family, or NULL. */
static struct segment *parse(const u8 *pkt, int len)
{
	int hl, proto, total;
	struct segment *seg;
	const u8 *th;

	if (len < 40 || pkt[0] >> 4 != (raw.v6 ? 6 : 4))
		return NULL;
	hl = raw.v6 ? 40 : (pkt[0] & 15) * 4;
	proto = raw.v6 ? pkt[6] : pkt[9];
	total = raw.v6 ? 40 + (int)get16(pkt + 4) : (int)get16(pkt + 2);
	if (proto != IPPROTO_TCP || total != len || len < hl + 20)
		return NULL;
	seg = calloc(1, sizeof(*seg) + len);
	if (!seg)
		FAIL("out of memory");
	memcpy(seg->ip, pkt, len);
	seg->ip_len = len;
	seg->tos = raw.v6 ? get16(pkt) >> 4 : pkt[1];
	seg->ttl = raw.v6 ? pkt[7] : pkt[8];
	seg->df = raw.v6 || pkt[6] & 0x40;
	th = seg->ip + hl;
	seg->at_us = raw_now_us();
	seg->sport = get16(th);
	seg->dport = get16(th + 2);
	seg->seq = get32(th + 4);
	seg->ack = get32(th + 8);
	seg->doff = th[12] >> 4;
	seg->flags = th[13];
	seg->win = get16(th + 14);
	seg->urg = get16(th + 18);
	if (seg->doff < 5 || hl + seg->doff * 4 > len)
		FAIL("the stack sent data offset %d", seg->doff);
	get_options(seg, th + 20, seg->doff * 4 - 20);
	seg->data = seg->ip + hl + seg->doff * 4;
	seg->len = len - hl - seg->doff * 4;
	raw_log_segment(" sut>", seg);
	if (len > raw.mtu)
		FAIL("the stack sent %d bytes, the MTU is %d", len, raw.mtu);
	if (raw_verify(pkt, len))
		FAIL("the stack sent a wrong checksum");
	return seg;
}

static struct segment *take_pending(u16 sut_port, u16 peer_port)
{
	int i;

	for (i = 0; i < n_pending; i++) {
		struct segment *seg = pending[i];

		if (seg->dport != peer_port || (sut_port && seg->sport != sut_port))
			continue;
		n_pending--;
		memmove(pending + i, pending + i + 1,
			(n_pending - i) * sizeof(*pending));
		return seg;
	}
	return NULL;
}

/**
 * raw_recv_segment() - the next segment the stack sent to a peer
 * @sut_port: from this port, 0: any
 * @peer_port: to this port
 * @timeout_ms: how long to wait, 0: only what is there
 *
 * Segments to other ports are kept for whoever asks for them.
 *
 * Return: the segment, to be freed, or NULL
 */
struct segment *raw_recv_segment(u16 sut_port, u16 peer_port, int timeout_ms)
{
	u64 end = raw_now_us() + timeout_ms * 1000ull;
	static u8 pkt[MAX_PACKET];

	for (;;) {
		struct pollfd pfd = { .fd = raw.tun, .events = POLLIN };
		struct virtio_net_hdr vh;
		struct iovec v[] = { { &vh, sizeof(vh) }, { pkt, sizeof(pkt) } };
		struct segment *seg;
		int n, left;

		while ((n = readv(raw.tun, v, 2)) > 0) {
			seg = parse(pkt, n - sizeof(vh));
			if (!seg)
				continue;
			if (n_pending == MAX_PENDING)
				FAIL("%d segments nobody asked for", n_pending);
			pending[n_pending++] = seg;
		}
		seg = take_pending(sut_port, peer_port);
		if (seg)
			return seg;
		left = (int)((long long)(end - raw_now_us()) / 1000);
		if (timeout_ms <= 0 || left < 0)
			return NULL;
		poll(&pfd, 1, left + 1);
	}
}
