// SPDX-License-Identifier: GPL-2.0
/*
 * The storm's socket options and ioctls: random levels, names, lengths and
 * pointers. Where a value decides how long an orphan lives, or how much memory
 * root may take, it is kept small: the storm has to end.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/xtcp.h>

#include "storm.h"

/**
 * storm_garbage() - a pointer and a length that need not fit each other
 * @s: the thread
 * @len: the length
 *
 * Return: random bytes, the end of a page with nothing behind it, or nowhere.
 */
void *storm_garbage(struct storm *s, int *len)
{
	u32 i;

	*len = one_in(s, 8) ? (int)rnd(s, 0) : (int)rnd(s, 300);
	switch (rnd(s, 6)) {
	case 0:
		return NULL;
	case 1:
		return s->edge;
	case 2:
		return s->edge - rnd(s, 64);
	case 3:
		return (void *)((u64)rnd(s, 0) << 32 | rnd(s, 0));
	}
	for (i = 0; i < 320; i += 4) {
		u32 r = rnd(s, 0);

		memcpy(s->buf + i, &r, 4);
	}
	return s->buf;
}

struct opt {
	int level, name, most;		/* 0: any value */
};

static const struct opt known[] = {
	{ SOL_SOCKET, SO_LINGER, 0 }, { SOL_SOCKET, SO_RCVBUF, 0 },
	{ SOL_SOCKET, SO_SNDBUF, 0 }, { SOL_SOCKET, SO_SNDBUFFORCE, 1 << 20 },
	{ SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20 }, { SOL_SOCKET, SO_KEEPALIVE, 2 },
	{ SOL_SOCKET, SO_OOBINLINE, 2 }, { SOL_SOCKET, SO_RCVLOWAT, 0 },
	{ SOL_SOCKET, SO_ZEROCOPY, 2 }, { SOL_SOCKET, SO_TIMESTAMPING, 0 },
	{ SOL_SOCKET, SO_PEEK_OFF, 0 }, { SOL_SOCKET, SO_BUSY_POLL, 50 },
	{ SOL_SOCKET, SO_PRIORITY, 0 }, { SOL_SOCKET, SO_MARK, 0 },
	{ SOL_SOCKET, SO_BINDTODEVICE, 0 }, { SOL_SOCKET, SO_BINDTOIFINDEX, 3 },
	{ SOL_SOCKET, SO_ATTACH_FILTER, 0 }, { SOL_SOCKET, SO_DETACH_FILTER, 0 },
	{ SOL_SOCKET, SO_REUSEPORT, 2 }, { SOL_SOCKET, SO_REUSEADDR, 2 },
	{ IPPROTO_TCP, TCP_NODELAY, 2 }, { IPPROTO_TCP, TCP_CORK, 2 },
	{ IPPROTO_TCP, TCP_MAXSEG, 0 }, { IPPROTO_TCP, TCP_KEEPIDLE, 0 },
	{ IPPROTO_TCP, TCP_KEEPINTVL, 0 }, { IPPROTO_TCP, TCP_KEEPCNT, 0 },
	{ IPPROTO_TCP, TCP_SYNCNT, 4 }, { IPPROTO_TCP, TCP_LINGER2, 2 },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, 3 }, { IPPROTO_TCP, TCP_WINDOW_CLAMP, 0 },
	{ IPPROTO_TCP, TCP_QUICKACK, 2 }, { IPPROTO_TCP, TCP_CONGESTION, 0 },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, 0 }, { IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0 },
	{ IPPROTO_TCP, TCP_INQ, 2 }, { IPPROTO_TCP, TCP_FASTOPEN, 0 },
	{ IPPROTO_TCP, TCP_REPAIR, 0 }, { IPPROTO_TCP, TCP_ULP, 0 },
	{ IPPROTO_TCP, TCP_MD5SIG, 0 }, { IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, 0 },
	{ IPPROTO_TCP, TCP_SAVE_SYN, 2 },
	{ SOL_XTCP, XTCP_TIMEWAIT_MS, 1000 }, { SOL_XTCP, XTCP_CONNECT_TIMEOUT_MS, 0 },
	{ SOL_XTCP, XTCP_INIT_RTO_MS, 100 }, { SOL_XTCP, XTCP_ORPHAN_RETRIES, 3 },
	{ SOL_XTCP, XTCP_ZEROCOPY, 2 },
	{ SOL_XTCP, XTCP_SYNCOOKIES, 3 }, { SOL_XTCP, XTCP_ABORT_ON_OVERFLOW, 2 },
	{ SOL_XTCP, XTCP_LISTEN_INFO, 0 },
	{ IPPROTO_IP, IP_TTL, 0 }, { IPPROTO_IP, IP_TOS, 0 }, { IPPROTO_IP, IP_MINTTL, 0 },
	{ IPPROTO_IP, IP_OPTIONS, 0 }, { IPPROTO_IP, IP_MTU_DISCOVER, 6 },
	{ IPPROTO_IP, IP_RECVERR, 2 }, { IPPROTO_IP, IP_FREEBIND, 2 },
	{ IPPROTO_IP, IP_TRANSPARENT, 2 }, { IPPROTO_IP, IP_ADD_MEMBERSHIP, 0 },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 2 },
	{ IPPROTO_IPV6, IPV6_V6ONLY, 2 }, { IPPROTO_IPV6, IPV6_ADDRFORM, 3 },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, 0 }, { IPPROTO_IPV6, IPV6_RTHDR, 0 },
	{ IPPROTO_IPV6, IPV6_DSTOPTS, 0 }, { IPPROTO_IPV6, IPV6_TCLASS, 0 },
	{ IPPROTO_IPV6, IPV6_2292PKTOPTIONS, 0 }, { IPPROTO_IPV6, IPV6_MTU, 0 },
};

static const int levels[] = {
	SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6, SOL_XTCP, IPPROTO_RAW, 0x7fffffff,
};

/* These decide how long things last. */
static bool lasting(int level, int name)
{
	if (level == SOL_XTCP)
		return true;
	if (level == IPPROTO_TCP)
		return name == TCP_LINGER2 || name == TCP_DEFER_ACCEPT;
	return level == SOL_SOCKET && (name == SO_SNDBUFFORCE || name == SO_RCVBUFFORCE ||
				       name == SO_MAX_PACING_RATE);
}

static u32 some_value(struct storm *s)
{
	static const u32 values[] = { 0, 1, 2, 1000, 65535, 0x7fffffff, 0x80000000, 0xffffffff };

	return one_in(s, 4) ? rnd(s, 0) : values[rnd(s, ARRAY_SIZE(values))];
}

void call_setsockopt(struct storm *s)
{
	const struct opt *o = &known[rnd(s, ARRAY_SIZE(known))];
	int level = o->level, name = o->name, len = sizeof(u32);
	u32 v[4] = { some_value(s), some_value(s), some_value(s), some_value(s) };
	void *p = v;

	if (o->most)
		v[0] = rnd(s, o->most) + (level == SOL_XTCP && name == XTCP_ORPHAN_RETRIES);
	if (level == SOL_SOCKET && name == SO_LINGER) {
		len = 8;
		v[1] %= 3;
	}
	if (one_in(s, 8)) {
		level = levels[rnd(s, ARRAY_SIZE(levels))];
		name = rnd(s, 90);
	}
	if (!lasting(level, name)) {
		if (one_in(s, 4))
			len = rnd(s, sizeof(v) + 1);
		if (one_in(s, 6))
			p = storm_garbage(s, &len);
	} else if (level != o->level || name != o->name) {
		return;
	}
	storm_result("setsockopt", setsockopt(slot_get(s), level, name, p, len));
}

void call_getsockopt(struct storm *s)
{
	const struct opt *o = &known[rnd(s, ARRAY_SIZE(known))];
	int level = o->level, name = o->name, len;
	void *p = storm_garbage(s, &len);
	socklen_t slen = len;

	if (one_in(s, 4)) {
		level = levels[rnd(s, ARRAY_SIZE(levels))];
		name = rnd(s, 90);
	}
	if (one_in(s, 6)) {
		level = IPPROTO_TCP;
		name = one_in(s, 2) ? TCP_INFO : TCP_CC_INFO;
	}
	storm_result("getsockopt", getsockopt(slot_get(s), level, name, p, &slen));
}

void call_ioctl(struct storm *s)
{
	static const unsigned long nrs[] = {
		SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK, FIONBIO, FIOASYNC, FIONREAD,
		SIOCSPGRP, SIOCGPGRP, SIOCGSTAMP_OLD, SIOCGIFCONF, SIOCGIFFLAGS, SIOCADDRT,
		SIOCGIFADDR, FIOQSIZE,
	};
	int len, v = rnd(s, 2);
	unsigned long nr = nrs[rnd(s, ARRAY_SIZE(nrs))];
	void *p = storm_garbage(s, &len);

	if (nr == FIONBIO || nr == FIOASYNC || nr == SIOCSPGRP)
		p = &v;
	if (one_in(s, 8))
		nr = one_in(s, 2) ? 0x5400 + rnd(s, 256) : 0x8900 + rnd(s, 16);
	storm_result("ioctl", ioctl(slot_get(s), nr, p));
}
