// SPDX-License-Identifier: GPL-2.0
/* The core's cookies for the raw tests; apart because both have their own integer types. */
#include <arpa/inet.h>
#include <time.h>

#include "../../src/core/cookie.h"
#include "raw_addr.h"
#include "raw_mint.h"

bool raw_mint(struct mint *m, bool v6)
{
	unsigned char laddr[16], faddr[16];
	struct xtcp_cookie_id id = {
		.laddr = laddr, .faddr = faddr, .alen = v6 ? 16 : 4,
		.lport = m->sut_port, .fport = m->peer_port,
	};
	struct xtcp_rq rq = {
		.mss_peer = m->mss, .ts_ok = m->ts, .sack_ok = m->sackok,
		.wscale_ok = m->ws >= 0, .snd_wscale = m->ws < 0 ? 0 : m->ws,
		.rcv_wscale = m->sut_ws < 0 ? 0 : m->sut_ws,
	};
	struct xtcp_cookie_keys k;

	if (xtcp_cookie_keys_parse(m->key, &k))
		return false;
	inet_pton(v6 ? AF_INET6 : AF_INET, v6 ? SUT_ADDR6 : SUT_ADDR4, laddr);
	inet_pton(v6 ? AF_INET6 : AF_INET, v6 ? PEER_ADDR6 : PEER_ADDR4, faddr);
	rq.rcv_nxt = m->peer_isn + 1;
	xtcp_cookie_make(&k, &id, &rq, time(NULL) + m->ticks * XTCP_COOKIE_TICK_S);
	m->isn = rq.iss;
	m->tsval = xtcp_cookie_tsval(&rq, m->tsval);
	return true;
}
