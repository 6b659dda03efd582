// SPDX-License-Identifier: GPL-2.0
/* Attacks and damage on an established connection: RFC 5961, PAWS, checksums. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_peer.h"

/* Send a bad segment; AF_XTCP must count it under the reason given. */
static void __attribute__((format(printf, 3, 4)))
bad_tx(struct peer *p, const char *reason, const char *fmt, ...)
{
	char line[256], name[64];
	u32 nxt = p->nxt;
	long before = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	snprintf(name, sizeof(name), "Drop%s", reason);
	if (raw.xtcp) {
		before = sut_mib(name);
		if (before < 0)
			FAIL("no counter %s", name);
	}
	peer_tx(p, "%s", line);
	p->nxt = nxt;
	if (raw.xtcp && sut_mib(name) != before + 1)
		FAIL("%s counted %ld times", name, sut_mib(name) - before);
}

static void still_alive(struct peer *p)
{
	peer_rx_none(p, 30);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	peer_tx(p, "PA len=10");
	sut_read(p, 10);
}

RAW_TEST(rst_exact, "X-4 RFC 5961 3.2", T_BOTH)
{
	open_passive(p, "mss=1460");
	peer_tx(p, "R seq=1");
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK_EQ(sut_read_errno(p, 500), ECONNRESET);
}

RAW_TEST(rst_in_window, "X-4 RFC 5961 3.2", T_BOTH)
{
	long challenges = sut_mib("TCPChallengeACK");

	open_passive(p, "mss=1460");
	bad_tx(p, "RstChallenge", "R seq=2");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	CHECK_EQ(sut_mib("TCPChallengeACK"), challenges + 1);
	still_alive(p);
}

RAW_TEST(rst_outside_window, "X-4 RFC 5961 3.2", T_BOTH)
{
	open_passive(p, "mss=1460");
	bad_tx(p, "RstSeq", "R seq=0");
	bad_tx(p, "RstSeq", "R seq=900000");
	still_alive(p);
}

RAW_TEST(syn_challenge, "X-4 RFC 5961 4.2", T_BOTH)
{
	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_passive(p, "mss=1460");
	bad_tx(p, "SynChallenge", "S seq=5");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	bad_tx(p, "SynChallenge", "SA seq=5 ack=1");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	peer_tx(p, "S seq=-5000");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	still_alive(p);
}

RAW_TEST(synack_again, "4-46", T_BOTH)
{
	/* our ACK was lost: the server repeats its SYN-ACK */
	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_active(p, "mss=1460");
	peer_tx(p, "SA seq=0 ack=1 mss=1460");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	still_alive(p);
}

RAW_TEST(ack_future, "X-4 RFC 5961 5.2", T_BOTH)
{
	open_passive(p, "mss=1460");
	bad_tx(p, "AckFuture", "PA ack=5000 len=10");
	/* Linux 6.1 drops it without a word, later ones do as the RFC says */
	if (raw.xtcp)
		peer_rx(p, 500, "A seq=1 ack=1 len=0");
	else
		peer_rx_any(p, 100);
	still_alive(p);
}

RAW_TEST(ack_ancient, "X-4 RFC 5961 5.2", T_BOTH)
{
	open_passive(p, "mss=1460");
	bad_tx(p, "AckOld", "PA ack=-300000 len=10");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	still_alive(p);
}

RAW_TEST(challenge_rate_limit, "RFC 5961 7", T_BOTH)
{
	int i;

	open_passive(p, "mss=1460");
	for (i = 0; i < 5; i++)
		peer_tx(p, "R seq=2");
	peer_rx(p, 500, "A seq=1 ack=1");
	peer_rx_none(p, 100);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

RAW_TEST(no_ack_bit, "4-3", T_BOTH)
{
	open_passive(p, "mss=1460");
	bad_tx(p, "NoAck", "P seq=1 len=10");
	bad_tx(p, "NoAck", "F seq=1");
	still_alive(p);
}

RAW_TEST(data_beyond_window, "RFC 9293 3.10.7.4 first", T_BOTH)
{
	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_passive(p, "mss=1460");
	bad_tx(p, "Seq", "PA seq=900000 len=10");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	still_alive(p);
}

RAW_TEST(paws_old_segment, "4-32 4-96 RFC 7323 5.3", T_BOTH)
{
	long paws = sut_mib("PAWSEstab");

	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_passive(p, "mss=1460 ts");
	peer_tx(p, "PA len=10");
	sut_read(p, 10);
	peer_rx(p, 500, "A ack=11");
	p->ts_shift -= 100000;
	bad_tx(p, "Paws", "PA seq=11 len=10");
	peer_rx(p, 500, "A seq=1 ack=11 len=0");
	CHECK_EQ(sut_mib("PAWSEstab"), paws + 1);
	if (raw.xtcp) {
		/* a bare ACK that data have overtaken is not worth an answer */
		paws = sut_mib("PAWSOldAck");
		bad_tx(p, "Paws", "A seq=1");
		peer_rx_none(p, 30);
		CHECK_EQ(sut_mib("PAWSOldAck"), paws + 1);
	}
	/* a RST is not subject to PAWS (RFC 7323 5.2) */
	peer_tx(p, "R seq=11");
	CHECK_EQ(sut_state(p), ST_NONE);
}

/* A duplicate ACK that another has overtaken still tells of a loss (Linux). */
RAW_TEST(paws_dup_ack_overtaken, "RFC 7323 5.3, RFC 5681 2", T_BOTH)
{
	int i;

	/* nothing else shall find the loss, or the timeout be long */
	sut_sysctl("tcp_early_retrans", "0");
	open_passive(p, "mss=1012 sackok ts");
	sut_write(p, 8000);
	for (i = 0; i < 8; i++)
		peer_rx(p, 500, "A seq=%d len=1000", 1 + 1000 * i);
	/* the last of them comes first, and reports of one segment only */
	peer_tx(p, "A ack=1 sack=1001-2001");
	p->ts_shift -= 20;
	peer_tx(p, "A ack=1 sack=1001-3001");
	peer_tx(p, "A ack=1 sack=1001-5001");
	peer_rx(p, 100, "A seq=1 len=1000");
	p->ts_shift += 20;
	peer_tx(p, "A ack=8001");
	/* older than a timeout is too old */
	sut_write(p, 5000);
	for (i = 8; i < 13; i++)
		peer_rx(p, 500, "A seq=%d len=1000", 1 + 1000 * i);
	p->ts_shift -= 100000;
	for (i = 0; i < 3; i++)
		bad_tx(p, "Paws", "A ack=8001 sack=9001-%d", 10001 + 1000 * i);
	peer_rx(p, 100, "A seq=13001 len=0");
	peer_rx_none(p, 20);
	p->ts_shift += 100000;
	peer_tx(p, "A ack=13001");
}

RAW_TEST(checksum_bad, "X-20 4-5", T_BOTH)
{
	long errs = sut_mib("InCsumErrors"), in_errs = sut_mib("InErrs");

	open_passive(p, "mss=1460");
	bad_tx(p, "Csum", "PA seq=1 len=10 badcsum");
	bad_tx(p, "Csum", "R seq=1 badcsum");
	CHECK_EQ(sut_mib("InCsumErrors"), errs + 2);
	CHECK_EQ(sut_mib("InErrs"), in_errs + 2);
	still_alive(p);
}

RAW_TEST(data_offset_bad, "X-20 4-13", T_BOTH)
{
	long errs = sut_mib("InErrs");

	open_passive(p, "mss=1460");
	bad_tx(p, "Hdr", "PA seq=1 len=10 doff=4");
	bad_tx(p, "Hdr", "PA seq=1 len=10 doff=15");
	/* Linux drops the second without counting */
	CHECK_RANGE(sut_mib("InErrs"), errs + 1, errs + 2);
	still_alive(p);
}

RAW_TEST(port_zero, "X-20", T_BOTH)
{
	/* Nobody owns port 0: a RST or nothing, and no harm. */
	sut_listen(p, 8);
	peer_tx(p, "S sport=0 mss=1460");
	p->nxt = p->isn;
	peer_tx(p, "S dport=0 mss=1460");
	p->nxt = p->isn;
	if (peer_rx_any(p, 50))
		CHECK(p->last->flags & TH_RST);
	p->sut_known = false;
	open_passive(p, "mss=1460");
	still_alive(p);
}

RAW_TEST(old_data_again, "RFC 9293 3.10.7.4 first", T_BOTH)
{
	open_passive(p, "mss=1460");
	peer_tx(p, "PA len=10");
	peer_rx(p, 500, "A ack=11");
	bad_tx(p, "Old", "PA seq=1 len=10");
	peer_rx(p, 500, "A ack=11 len=0");
	sut_read(p, 10);
	peer_rx_none(p, 30);
}

RAW_TEST(no_socket_after_crash, "4-31", T_BOTH)
{
	int keep = sut_socket();

	open_passive(p, "mss=1460");
	sut_linger(p->fd, 1, 0);
	sut_close(p);
	peer_rx(p, 500, "RA");
	close(p->lfd);
	peer_tx(p, "PA ack=77 len=10");
	peer_rx(p, 500, "R seq=77 len=0");
	close(keep);
}
