// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/sys/net/xtcp: every row of include/xtcp/params.h is there, starts with
 * its default, keeps its limits and what is written; garbage is EINVAL.
 */
#include <kselftest_harness.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/xtcp.h>

#define DIR "/proc/sys/net/xtcp/"
#define XTCP_AUTO INT_MIN

struct row {
	const char *name;
	int n, def[3], min, max;
};

static const struct row rows[] = {
#define XTCP_PARAM(name, def, min, max, unit, source, meaning) \
	{ #name, 1, { def }, min, max },
#define XTCP_PARAM3(name, d0, d1, d2, min, max, unit, source, meaning) \
	{ #name, 3, { d0, d1, d2 }, min, max },
#define XTCP_PARAM_LAB XTCP_PARAM
#include <xtcp/params.h>
};

static int put(const char *dir, const char *name, const char *text)
{
	char path[128];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "%s%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		ret = errno ? -errno : -EIO;
	close(fd);
	return ret;
}

static int get(const char *dir, const char *name, char *text, size_t room)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, room - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fd);
	return n > 0 ? 0 : -EIO;
}

static void numbers(char *text, size_t room, const struct row *r, long long v)
{
	if (r->n == 1)
		snprintf(text, room, "%lld\n", v);
	else
		snprintf(text, room, "%lld\t%lld\t%lld\n", v, v, v);
}

FIXTURE(sysctl) { int unused; };

/* A netns of its own shows the defaults, whatever the first one was set to. */
FIXTURE_SETUP(sysctl)
{
	int fd;

	(void)self;
	(void)variant;
	fd = socket(AF_XTCP, SOCK_STREAM, XTCP_PROTO_IPV4);
	ASSERT_GE(fd, 0) {
		perror("socket(AF_XTCP): is the module loaded?");
	}
	close(fd);
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
}

FIXTURE_TEARDOWN(sysctl)
{
	(void)self;
	(void)variant;
}

TEST_F(sysctl, defaults)
{
	char want[64], is[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];

		ASSERT_EQ(0, get(DIR, r->name, is, sizeof(is))) {
			TH_LOG("%s is missing", r->name);
		}
		if (r->def[0] == XTCP_AUTO)
			continue;
		snprintf(want, sizeof(want), r->n == 1 ? "%d\n" : "%d\t%d\t", r->def[0],
			 r->def[1]);
		/* The largest of three depends on the size of the machine. */
		EXPECT_EQ(0, strncmp(want, is, strlen(want))) {
			TH_LOG("%s is %s, not %s", r->name, is, want);
		}
	}
}

/* The limits themselves are taken and read back; one beyond is not. */
TEST_F(sysctl, limits)
{
	char text[64], before[64], is[64];
	const long long none = 1LL << 40;
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		long long good[2] = { r->min, r->max };
		long long bad[4] = { r->min - 1LL, r->max + 1LL, none, -none };

		for (k = 0; k < 2; k++) {
			numbers(text, sizeof(text), r, good[k]);
			EXPECT_EQ(0, put(DIR, r->name, text)) {
				TH_LOG("%s refuses %s", r->name, text);
			}
			EXPECT_EQ(0, get(DIR, r->name, is, sizeof(is)));
			EXPECT_STREQ(text, is);
		}
		strcpy(before, is);
		for (k = 0; k < 4; k++) {
			numbers(text, sizeof(text), r, bad[k]);
			EXPECT_EQ(-EINVAL, put(DIR, r->name, text)) {
				TH_LOG("%s takes %s", r->name, text);
			}
		}
		EXPECT_EQ(0, get(DIR, r->name, is, sizeof(is)));
		EXPECT_STREQ(before, is);
	}
}

/* V stands for the value that is there already. */
static const char * const garbage[] = {
	"abc", "Vx", "xV", "-", "--V", "Ve3", "0x", " ", "\n", "V V V V V x", "\xff\xfe",
	"99999999999999999999", "-99999999999999999999", "V,5", "V.5", "+V", "\t\t",
};

/* The text with each V replaced by the first number that the knob shows. */
static void spell(char *out, size_t room, const char *text, const char *shown)
{
	size_t len = strcspn(shown, "\t\n"), n = 0;

	for (; *text && n + len + 1 < room; text++) {
		if (*text != 'V') {
			out[n++] = *text;
			continue;
		}
		memcpy(out + n, shown, len);
		n += len;
	}
	out[n] = '\0';
}

/* Nothing of it changes a value, and the answer is that of the kernel's knobs. */
/* One knob is the other's limit. */
TEST_F(sysctl, reordering)
{
	ASSERT_EQ(-EINVAL, put(DIR, "tcp_reordering", "301"));
	ASSERT_EQ(0, put(DIR, "tcp_max_reordering", "400"));
	ASSERT_EQ(0, put(DIR, "tcp_reordering", "400"));
	ASSERT_EQ(-EINVAL, put(DIR, "tcp_reordering", "401"));
}

TEST_F(sysctl, garbage)
{
	static const char ipv4[] = "/proc/sys/net/ipv4/", core[] = "/proc/sys/net/core/";
	char before[64], is[64], text[128], shown[64];
	size_t i, k;
	int ret, ref;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *dir = rows[i].n == 3 ? ipv4 : core;
		const char *name = rows[i].n == 3 ? "tcp_rmem" : "somaxconn";

		/* Three equal numbers, so that "V" alone would change nothing. */
		if (rows[i].n == 3) {
			ASSERT_EQ(0, put(DIR, rows[i].name, "9000 9000 9000"));
			ASSERT_EQ(0, put(dir, name, "9000 9000 9000"));
		}
		ASSERT_EQ(0, get(DIR, rows[i].name, before, sizeof(before)));
		ASSERT_EQ(0, get(dir, name, shown, sizeof(shown)));
		for (k = 0; k < ARRAY_SIZE(garbage); k++) {
			spell(text, sizeof(text), garbage[k], shown);
			ref = put(dir, name, text);
			spell(text, sizeof(text), garbage[k], before);
			ret = put(DIR, rows[i].name, text);
			EXPECT_EQ(ref, ret) {
				TH_LOG("%s := '%s'", rows[i].name, text);
			}
			EXPECT_EQ(0, get(DIR, rows[i].name, is, sizeof(is)));
			EXPECT_STREQ(before, is) {
				TH_LOG("%s := '%s'", rows[i].name, text);
			}
		}
	}
}

/* A name that net.ipv4 has takes and refuses the same texts. */
TEST_F(sysctl, like_ipv4)
{
	static const char * const texts[] = {
		"0", "1", "2", "3", "5", "10", "100", "127", "128", "255", "256", "1000",
		"32767", "32768", "65535", "65536", "2147483647", "2147483648", "-1",
		"0x10", "010", " 7", "7 ", "7\n",
	};
	static const char ipv4[] = "/proc/sys/net/ipv4/";
	char a[64], b[64];
	size_t i, k;
	int ra, rb;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].n != 1 || get(ipv4, rows[i].name, a, sizeof(a)))
			continue;
		for (k = 0; k < ARRAY_SIZE(texts); k++) {
			ra = put(ipv4, rows[i].name, texts[k]);
			rb = put(DIR, rows[i].name, texts[k]);
			/* Linux leaves some ranges open that would be nonsense here. */
			EXPECT_TRUE(rb == ra || (rb == -EINVAL && !ra)) {
				TH_LOG("%s := '%s': %d, net.ipv4 %d", rows[i].name, texts[k],
				       rb, ra);
			}
			/* This one Linux keeps in ticks and shows rounded up. */
			if (ra || rb || !strcmp(rows[i].name, "tcp_invalid_ratelimit"))
				continue;
			EXPECT_EQ(0, get(ipv4, rows[i].name, a, sizeof(a)));
			EXPECT_EQ(0, get(DIR, rows[i].name, b, sizeof(b)));
			EXPECT_STREQ(a, b);
		}
	}
}

TEST_F(sysctl, port_range)
{
	static const char * const bad[] = { "5", "60999 32768", "0 100", "1 65536", "x y",
					    "-1 100" };
	const char *name = "ip_local_port_range";
	char is[64];
	size_t i;

	EXPECT_EQ(0, get(DIR, name, is, sizeof(is)));
	EXPECT_STREQ("32768\t60999\n", is);
	EXPECT_EQ(0, put(DIR, name, "1024 65000"));
	EXPECT_EQ(0, get(DIR, name, is, sizeof(is)));
	EXPECT_STREQ("1024\t65000\n", is);
	for (i = 1; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, put(DIR, name, bad[i])) {
			TH_LOG("takes %s", bad[i]);
		}
	}
	EXPECT_EQ(0, get(DIR, name, is, sizeof(is)));
	EXPECT_STREQ("1024\t65000\n", is);
}

/* No triple is written in part, whichever of its numbers is wrong or missing. */
TEST_F(sysctl, triples)
{
	static const char * const bad[] = {
		"5000", "5000 6000", "5000 6000 x", "5000 0 7000", "0 6000 7000", "5000 6000 0",
		"5000 6000 2147483648", "5000 6000 -1", "5000,6000,7000",
	};
	char is[64];
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].n != 3)
			continue;
		for (k = 0; k < ARRAY_SIZE(bad); k++) {
			bool partial = k < 2;
			int ret;

			ASSERT_EQ(0, put(DIR, rows[i].name, "9000 9001 9002"));
			ret = put(DIR, rows[i].name, bad[k]);
			EXPECT_EQ(0, get(DIR, rows[i].name, is, sizeof(is)));
			/* As everywhere in /proc/sys, fewer numbers set the first ones. */
			EXPECT_EQ(partial ? 0 : -EINVAL, ret) {
				TH_LOG("%s := '%s'", rows[i].name, bad[k]);
			}
			EXPECT_STREQ(!partial ? "9000\t9001\t9002\n" : k ? "5000\t6000\t9002\n" :
				     "5000\t9001\t9002\n", is);
		}
	}
}

/* More text than any number has. */
TEST_F(sysctl, too_long)
{
	static char text[70000];
	char before[64], is[64];
	size_t i;

	memset(text, '1', sizeof(text) - 1);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		ASSERT_EQ(0, get(DIR, rows[i].name, before, sizeof(before)));
		EXPECT_GT(0, put(DIR, rows[i].name, text)) {
			TH_LOG("%s takes 69999 digits", rows[i].name);
		}
		text[5000] = '\0';
		EXPECT_EQ(-EINVAL, put(DIR, rows[i].name, text)) {
			TH_LOG("%s takes 5000 digits", rows[i].name);
		}
		text[5000] = '1';
		EXPECT_EQ(0, get(DIR, rows[i].name, is, sizeof(is)));
		EXPECT_STREQ(before, is);
	}
}

/* Nothing written is nothing changed, and no error. */
TEST_F(sysctl, empty)
{
	char before[64], is[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		ASSERT_EQ(0, get(DIR, rows[i].name, before, sizeof(before)));
		EXPECT_EQ(0, put(DIR, rows[i].name, ""));
		EXPECT_EQ(0, get(DIR, rows[i].name, is, sizeof(is)));
		EXPECT_STREQ(before, is);
	}
}

/* Every knob, not one of them: written here, it is untouched in the next netns. */
TEST_F(sysctl, independent)
{
	char before[ARRAY_SIZE(rows)][64], text[64], is[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		ASSERT_EQ(0, get(DIR, rows[i].name, before[i], sizeof(before[i])));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		numbers(text, sizeof(text), &rows[i], rows[i].max);
		ASSERT_EQ(0, put(DIR, rows[i].name, text));
	}
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(0, get(DIR, rows[i].name, is, sizeof(is)));
		EXPECT_STREQ(before[i], is) {
			TH_LOG("%s", rows[i].name);
		}
	}
	ASSERT_EQ(0, seteuid(65534));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(-EACCES, put(DIR, rows[i].name, before[i])) {
			TH_LOG("%s is for everybody to write", rows[i].name);
		}
	}
}

/* The first namespace's clock is the real one. */
TEST(lab_clock_of_the_first_netns)
{
	char is[64];
	int fd = socket(AF_XTCP, SOCK_STREAM, XTCP_PROTO_IPV4);

	ASSERT_GE(fd, 0);
	close(fd);
	EXPECT_EQ(-EPERM, put(DIR, "lab_timescale", "2"));
	EXPECT_EQ(-EPERM, put(DIR, "lab_timescale", "1000"));
	EXPECT_EQ(-EINVAL, put(DIR, "lab_timescale", "0"));
	EXPECT_EQ(-EINVAL, put(DIR, "lab_timescale", "1001"));
	EXPECT_EQ(0, put(DIR, "lab_timescale", "1"));
	EXPECT_EQ(0, get(DIR, "lab_timescale", is, sizeof(is)));
	EXPECT_STREQ("1\n", is);
}

struct own { int name, min, max, def; };

static const struct own own[] = {
	{ XTCP_TIMEWAIT_MS, -1, 86400000, -1 },
	{ XTCP_CONNECT_TIMEOUT_MS, 0, INT_MAX, 0 },
	{ XTCP_INIT_RTO_MS, 10, 60000, 0 },
	{ XTCP_ORPHAN_RETRIES, -1, 255, -1 },
	{ XTCP_SYNCOOKIES, -1, 2, -1 },
	{ XTCP_ABORT_ON_OVERFLOW, -1, 1, -1 },
	{ XTCP_ZEROCOPY, 0, 1, 0 },
};

static int own_get(int fd, int name)
{
	socklen_t len = sizeof(int);
	int v = INT_MIN;

	return getsockopt(fd, SOL_XTCP, name, &v, &len) || len != sizeof(v) ? INT_MIN : v;
}

static int own_set(int fd, int name, long long v)
{
	int i = v;

	return v != i ? -EINVAL : setsockopt(fd, SOL_XTCP, name, &i, sizeof(i)) ? -errno : 0;
}

/* The options of SOL_XTCP: limits, lengths, what is no option. */
TEST_F(sysctl, options)
{
	struct xtcp_listen_info info;
	char small[3] = "";
	long long big = 1;
	socklen_t len;
	size_t i;
	int fd = socket(AF_XTCP, SOCK_STREAM, XTCP_PROTO_IPV4);

	ASSERT_GE(fd, 0);
	for (i = 0; i < ARRAY_SIZE(own); i++) {
		const struct own *o = &own[i];

		EXPECT_EQ(o->def, own_get(fd, o->name));
		EXPECT_EQ(0, own_set(fd, o->name, o->min));
		EXPECT_EQ(o->min, own_get(fd, o->name));
		EXPECT_EQ(0, own_set(fd, o->name, o->max));
		EXPECT_EQ(o->max, own_get(fd, o->name));
		EXPECT_EQ(-EINVAL, own_set(fd, o->name, o->min - 1LL));
		EXPECT_EQ(-EINVAL, own_set(fd, o->name, o->max + 1LL));
		EXPECT_EQ(-EINVAL, own_set(fd, o->name, INT_MIN));
		EXPECT_EQ(-1, setsockopt(fd, SOL_XTCP, o->name, small, sizeof(small)));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, setsockopt(fd, SOL_XTCP, o->name, &big, sizeof(big)));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, setsockopt(fd, SOL_XTCP, o->name, (void *)8, sizeof(int)));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(o->max, own_get(fd, o->name));
		len = sizeof(small);
		EXPECT_EQ(-1, getsockopt(fd, SOL_XTCP, o->name, small, &len));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(0, own_set(fd, o->name, o->def));
		EXPECT_EQ(o->def, own_get(fd, o->name));
	}
	EXPECT_EQ(-ENOPROTOOPT, own_set(fd, 0, 1));
	EXPECT_EQ(-ENOPROTOOPT, own_set(fd, -1, 1));
	EXPECT_EQ(-ENOPROTOOPT, own_set(fd, 1000, 1));
	EXPECT_EQ(-ENOPROTOOPT, own_set(fd, XTCP_LISTEN_INFO, 1));
	EXPECT_EQ(INT_MIN, own_get(fd, 1000));
	EXPECT_EQ(ENOPROTOOPT, errno);
	/* of listeners only */
	len = sizeof(info);
	EXPECT_EQ(-1, getsockopt(fd, SOL_XTCP, XTCP_LISTEN_INFO, &info, &len));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, listen(fd, 5));
	memset(&info, 0xff, sizeof(info));
	EXPECT_EQ(0, getsockopt(fd, SOL_XTCP, XTCP_LISTEN_INFO, &info, &len));
	EXPECT_EQ(sizeof(info), len);
	EXPECT_EQ(0, info.accept_len);
	EXPECT_EQ(6, info.accept_max);
	close(fd);
}

TEST_F(sysctl, congestion_control)
{
	char is[128];

	EXPECT_EQ(0, get(DIR, "tcp_congestion_control", is, sizeof(is)));
	EXPECT_STREQ("cubic\n", is);
	EXPECT_EQ(0, get(DIR, "tcp_available_congestion_control", is, sizeof(is)));
	EXPECT_STREQ("reno cubic bbr\n", is);
	EXPECT_GT(0, put(DIR, "tcp_available_congestion_control", "reno"));
	EXPECT_EQ(0, put(DIR, "tcp_congestion_control", "reno"));
	EXPECT_EQ(0, get(DIR, "tcp_congestion_control", is, sizeof(is)));
	EXPECT_STREQ("reno\n", is);
	EXPECT_EQ(-ENOENT, put(DIR, "tcp_congestion_control", "nosuch"));
	EXPECT_EQ(0, get(DIR, "tcp_congestion_control", is, sizeof(is)));
	EXPECT_STREQ("reno\n", is);
}

static int choose(int fd, const char *name)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, strlen(name)) ? -errno : 0;
}

/* A child has its listener's algorithm if a user chose it, else the namespace's of the day. */
TEST_F(sysctl, child_congestion_control)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int i, l, s, c;
	char is[16];

	ASSERT_EQ(0, system("ip link set lo up"));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l = socket(AF_XTCP, SOCK_STREAM, XTCP_PROTO_IPV4);
	ASSERT_GE(l, 0);
	ASSERT_EQ(0, bind(l, (void *)&a, sizeof(a)));
	ASSERT_EQ(0, listen(l, 4));
	ASSERT_EQ(0, getsockname(l, (void *)&a, &len));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, put(DIR, "tcp_congestion_control", i == 1 ? "reno" : "cubic"));
		if (i == 2)
			ASSERT_EQ(0, choose(l, "bbr"));
		s = socket(AF_XTCP, SOCK_STREAM, XTCP_PROTO_IPV4);
		ASSERT_EQ(0, connect(s, (void *)&a, sizeof(a)));
		c = accept(l, NULL, NULL);
		ASSERT_GE(c, 0);
		len = sizeof(is);
		ASSERT_EQ(0, getsockopt(c, IPPROTO_TCP, TCP_CONGESTION, is, &len));
		EXPECT_STREQ(i == 2 ? "bbr" : i == 1 ? "reno" : "cubic", is);
		close(s);
		close(c);
	}
	close(l);
}

/* Who has no privilege chooses among those that are allowed; the default always is. */
TEST_F(sysctl, allowed_congestion_control)
{
	int fd = socket(AF_XTCP, SOCK_STREAM, XTCP_PROTO_IPV4);
	char is[64];

	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, get(DIR, "tcp_allowed_congestion_control", is, sizeof(is)));
	EXPECT_STREQ("reno cubic bbr\n", is);
	EXPECT_EQ(-ENOENT, put(DIR, "tcp_allowed_congestion_control", "reno nosuch"));
	EXPECT_EQ(0, get(DIR, "tcp_allowed_congestion_control", is, sizeof(is)));
	EXPECT_STREQ("reno cubic bbr\n", is);
	EXPECT_EQ(0, put(DIR, "tcp_allowed_congestion_control", "reno"));
	EXPECT_EQ(0, get(DIR, "tcp_allowed_congestion_control", is, sizeof(is)));
	EXPECT_STREQ("reno\n", is);
	EXPECT_EQ(0, choose(fd, "reno"));
	EXPECT_EQ(0, choose(fd, "cubic"));
	EXPECT_EQ(0, choose(fd, "reno"));
	ASSERT_EQ(0, seteuid(65534));
	EXPECT_EQ(0, choose(fd, "reno"));
	EXPECT_EQ(-EPERM, choose(fd, "cubic"));
	EXPECT_EQ(-ENOENT, choose(fd, "nosuch"));
	ASSERT_EQ(0, seteuid(0));
	EXPECT_EQ(0, put(DIR, "tcp_congestion_control", "cubic"));
	EXPECT_EQ(0, get(DIR, "tcp_allowed_congestion_control", is, sizeof(is)));
	EXPECT_STREQ("reno cubic\n", is);
	ASSERT_EQ(0, seteuid(65534));
	EXPECT_EQ(0, choose(fd, "cubic"));
	ASSERT_EQ(0, seteuid(0));
	close(fd);
}

/* One netns's knobs are not another's; nobody writes without privilege. */
TEST_F(sysctl, namespaces)
{
	char is[64];

	ASSERT_EQ(0, put(DIR, "tcp_syn_retries", "9"));
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	EXPECT_EQ(0, get(DIR, "tcp_syn_retries", is, sizeof(is)));
	EXPECT_STREQ("5\n", is);
	ASSERT_EQ(0, seteuid(65534));
	EXPECT_EQ(-EACCES, put(DIR, "tcp_syn_retries", "9"));
	EXPECT_EQ(0, get(DIR, "tcp_syn_retries", is, sizeof(is)));
}

TEST_HARNESS_MAIN
