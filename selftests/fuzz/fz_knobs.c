// SPDX-License-Identifier: GPL-2.0
/*
 * What users and administrators type: values of socket options, the text of
 * tcp_syncookies_key, names of congestion controls. What is refused changes
 * nothing; what is taken is in range and means what was said.
 */
#include <errno.h>

#include "../../src/core/optval.h"
#include "fz.h"

/* Bytes: what to try, then its text or numbers. */
const struct fz_shape fz_shape = { 0, 0 };

#define KEY1	"00112233445566778899aabbccddeeff"
#define KEY2	"0f0e0d0c-0b0a0908-07060504-03020100"

static const char *const texts[] = {
	"\1" KEY1, "\1" KEY2, "\1" KEY1 "," KEY2, "\1" KEY2 "," KEY1, "\1" KEY1 ",", "\1",
	"\2reno", "\2new_reno", "\2cubic", "\2", "\2reno ",
};

static u64 n_keys[3], n_taken, n_refused, n_cc;

size_t fz_seed(unsigned int n, u8 *out, size_t room)
{
	size_t len;

	if (n >= ARRAY_SIZE(texts) + 200)
		return 0;
	if (n >= ARRAY_SIZE(texts)) {
		fz_seed_random(n, out, 61);
		out[0] = 0;
		return 61;
	}
	len = strlen(texts[n]);
	memcpy(out, texts[n], len);
	return len;
}

const char *fz_missing(void)
{
	if (!n_keys[1] || !n_keys[2])
		return "a text that holds keys";
	if (!n_taken || !n_refused)
		return "a value taken, a value refused";
	return n_cc ? NULL : "the name of a congestion control";
}

/* ---- socket options */

static const struct { int name, lo, hi; bool zero; } tcp_opts[] = {
	{ TCP_MAXSEG, 88, 32767, true }, { TCP_KEEPIDLE, 1, 32767 },
	{ TCP_KEEPINTVL, 1, 32767 }, { TCP_KEEPCNT, 1, 127 }, { TCP_SYNCNT, 1, 127 },
	{ TCP_LINGER2, -2147483647 - 1, 2147483647 }, { TCP_USER_TIMEOUT, 0, 2147483647 },
	{ TCP_THIN_LINEAR_TIMEOUTS, 0, 1 }, { TCP_THIN_DUPACK, 0, 1 },
};

static const struct { int name, lo, hi; bool zero; } own_opts[] = {
	{ XTCP_TIMEWAIT_MS, -1, 86400000 }, { XTCP_CONNECT_TIMEOUT_MS, 0, 2147483647 },
	{ XTCP_INIT_RTO_MS, 10, 60000, true }, { XTCP_ORPHAN_RETRIES, -1, 255 },
	{ XTCP_SYNCOOKIES, -1, 2 }, { XTCP_ABORT_ON_OVERFLOW, -1, 1 },
	{ XTCP_ZEROCOPY, 0, 1 },
};

/* What getsockopt() would say; 0 for what is not in the block. */
static s64 tcp_value(const struct xtcp_tcb *t, int name)
{
	switch (name) {
	case TCP_MAXSEG:
		return t->user_mss;
	case TCP_KEEPIDLE:
		return t->keep_idle_ms / 1000;
	case TCP_KEEPINTVL:
		return t->keep_intvl_ms / 1000;
	case TCP_KEEPCNT:
		return t->keep_cnt;
	case TCP_SYNCNT:
		return t->syn_retries;
	case TCP_LINGER2:
		return t->linger2_ms < 0 ? -1 : t->linger2_ms / 1000;
	case TCP_THIN_LINEAR_TIMEOUTS:
		return t->thin_lto;
	default:
		return t->user_timeout_ms;
	}
}

static void try_tcp(struct xtcp_tcb *t, int name, int val)
{
	struct xtcp_tcb was = *t;
	int err = xtcp_opt_tcp(t, name, val), want = -ENOPROTOOPT;
	s64 expect = val;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tcp_opts); i++) {
		if (tcp_opts[i].name != name)
			continue;
		want = (val >= tcp_opts[i].lo && val <= tcp_opts[i].hi) ||
		       (!val && tcp_opts[i].zero) ? 0 : -EINVAL;
		break;
	}
	FZ_NEED(err == want);
	n_taken += !err;
	n_refused += err == -EINVAL;
	if (err) {
		FZ_NEED(!memcmp(&was, t, sizeof(was)));
		return;
	}
	if (name == TCP_LINGER2)
		expect = val < 0 ? -1 : min(val, 120);
	FZ_NEED(name == TCP_THIN_DUPACK ? !memcmp(&was, t, sizeof(was)) :
					  tcp_value(t, name) == expect);
}

static void try_own(struct xtcp_tcb *t, int name, int val)
{
	struct xtcp_tcb was = *t;
	int err = xtcp_opt_own(t, name, val), want = -EINVAL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(own_opts); i++)
		if (own_opts[i].name == name &&
		    ((val >= own_opts[i].lo && val <= own_opts[i].hi) ||
		     (!val && own_opts[i].zero)))
			want = 0;
	FZ_NEED(err == want);
	if (err) {
		FZ_NEED(!memcmp(&was, t, sizeof(was)));
		return;
	}
	FZ_NEED(name != XTCP_CONNECT_TIMEOUT_MS || t->connect_timeout_ms == (u32)val);
	FZ_NEED(name != XTCP_INIT_RTO_MS || t->init_rto_ms == (u32)val);
	FZ_NEED(name != XTCP_ORPHAN_RETRIES || t->orphan_retries == val);
}

/* At least as long as was asked for, as far as 255 retransmissions go. */
static void try_defer(int secs)
{
	u8 n = xtcp_secs_to_retrans(secs);

	FZ_NEED(!n == (secs <= 0));
	FZ_NEED(n == 255 || xtcp_retrans_to_secs(n) >= max(secs, 0));
	FZ_NEED(n < 2 || xtcp_retrans_to_secs(n - 1) < secs);
}

static void options(struct fz_in *in)
{
	struct xtcp_params p;
	struct xtcp_tcb t;

	params_default(&p);
	xtcp_tcb_init(&t, &p, false);
	while (in->n) {
		u8 how = fz_u8(in);
		int val = how & 0x80 ? (int)fz_u32(in) : (s16)fz_u16(in);

		if ((how & 0x60) == 0x60)
			val = (u32)tcp_opts[(u32)val % ARRAY_SIZE(tcp_opts)].hi + (how & 1);
		else if ((how & 0x60) == 0x40)
			val = (u32)own_opts[(u32)val % ARRAY_SIZE(own_opts)].hi + (how & 1);
		try_defer(val);
		try_tcp(&t, how & 31, val);
		try_own(&t, how & 31, val);
	}
}

/* ---- texts */

/* Two digits at a time, as a reader would do it who forgets nothing; end or NULL. */
static const char *read_key(const char *s, siphash_key_t *k)
{
	unsigned int i;

	k->key[0] = 0;
	k->key[1] = 0;
	for (i = 0; i < 16; i++) {
		char two[3] = { 0 }, *end;

		s += i && *s == '-';
		two[0] = s[0];
		two[1] = s[0] ? s[1] : 0;
		if (!strchr("0123456789abcdefABCDEF", two[0]) || !two[0] ||
		    !strchr("0123456789abcdefABCDEF", two[1]) || !two[1])
			return NULL;
		k->key[i / 8] |= (u64)strtoul(two, &end, 16) << 8 * (i % 8);
		s += 2;
	}
	return s;
}

static void key_text(const char *s)
{
	struct xtcp_cookie_keys k, mine = { .n = 0 };
	int err = xtcp_cookie_keys_parse(s, &k);
	const char *at = read_key(s, &mine.key[0]);

	mine.n = at ? 1 : 0;
	if (at && *at == ',') {
		at = read_key(at + 1, &mine.key[1]);
		mine.n = 2;
	}
	if (!at || *at) {
		FZ_NEED(err == -EINVAL);
		return;
	}
	FZ_NEED(!err && k.n == mine.n);
	FZ_NEED(!memcmp(k.key, mine.key, k.n * sizeof(k.key[0])));
	n_keys[k.n]++;
}

static void cc_name(const char *s)
{
	const struct xtcp_cc_ops *cc = xtcp_cc_find(s);

	if (!cc) {
		FZ_NEED(strcmp(s, "reno") && strcmp(s, "cubic"));
		return;
	}
	FZ_NEED(!strcmp(cc->name, s) && strstr(xtcp_cc_names, s));
	n_cc++;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fz_in in = { data, size };
	u8 what = fz_u8(&in);
	char *text;

	if (what % 3 == 0) {
		options(&in);
		return 0;
	}
	text = malloc(in.n + 1);
	if (!text)
		abort();
	memcpy(text, in.p, in.n);
	text[in.n] = 0;
	if (what % 3 == 1)
		key_text(text);
	else
		cc_name(text);
	free(text);
	return 0;
}
