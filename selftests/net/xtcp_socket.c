// SPDX-License-Identifier: GPL-2.0
/*
 * What AF_XTCP has and kernel TCP has not: its own family and protocol number,
 * and the two stacks talking to each other on one host.
 */
#include <kselftest_harness.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/xtcp.h>

/* The ways to get a TCP socket. */
enum way { TCP, FAMILY, PROTOCOL };

static int make(enum way way, bool v6)
{
	int af = v6 ? AF_INET6 : AF_INET;

	switch (way) {
	case TCP:
		return socket(af, SOCK_STREAM, 0);
	case FAMILY:
		return socket(AF_XTCP, SOCK_STREAM, v6 ? XTCP_PROTO_IPV6 : XTCP_PROTO_IPV4);
	case PROTOCOL:
		return socket(af, SOCK_STREAM, IPPROTO_XTCP);
	}
	return -1;
}

static int protocol(int fd)
{
	int value = -1;
	socklen_t len = sizeof(value);

	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &value, &len);
	return value;
}

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t loopback(union address *a, bool v6)
{
	memset(a, 0, sizeof(*a));
	if (v6) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_addr = in6addr_loopback;
		return sizeof(a->in6);
	}
	a->in.sin_family = AF_INET;
	a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(a->in);
}

TEST(types)
{
	static const int bad_types[] = { SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET };
	static const int bad_protocols[] = { 2, 3, IPPROTO_TCP, 255, IPPROTO_XTCP, 0x7fffffff };
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(bad_types); i++) {
		EXPECT_EQ(-1, socket(AF_XTCP, bad_types[i], 0));
		EXPECT_EQ(ESOCKTNOSUPPORT, errno);
	}
	for (i = 0; i < ARRAY_SIZE(bad_protocols); i++) {
		fd = socket(AF_XTCP, SOCK_STREAM, bad_protocols[i]);
		EXPECT_EQ(-1, fd) {
			TH_LOG("protocol %d", bad_protocols[i]);
		}
		EXPECT_EQ(EPROTONOSUPPORT, errno);
	}
	EXPECT_EQ(-1, socket(AF_XTCP, SOCK_STREAM, -1));
	EXPECT_EQ(-1, socket(AF_XTCP, 0, 0));
	EXPECT_EQ(ESOCKTNOSUPPORT, errno);
	EXPECT_EQ(-1, socket(AF_INET, SOCK_DGRAM, IPPROTO_XTCP));
	EXPECT_EQ(EPROTONOSUPPORT, errno);
}

FIXTURE(ways) { int unused; };
FIXTURE_VARIANT(ways) { enum way server, client; bool v6; };
#define WAYS(s, c)							\
	FIXTURE_VARIANT_ADD(ways, s##_##c##_ipv4)			\
		{ .server = s, .client = c, .v6 = false };		\
	FIXTURE_VARIANT_ADD(ways, s##_##c##_ipv6)			\
		{ .server = s, .client = c, .v6 = true }
WAYS(TCP, FAMILY);
WAYS(FAMILY, TCP);
WAYS(FAMILY, FAMILY);
WAYS(TCP, PROTOCOL);
WAYS(PROTOCOL, TCP);
WAYS(PROTOCOL, FAMILY);
FIXTURE_SETUP(ways) { (void)self; (void)variant; }
FIXTURE_TEARDOWN(ways) { (void)self; (void)variant; }

/* A connection, a word each way, a close: whoever is at the ends. */
TEST_F(ways, talk)
{
	socklen_t len, alen;
	union address a;
	char buf[8] = "";
	int l, s, c;

	l = make(variant->server, variant->v6);
	ASSERT_LE(0, l);
	s = make(variant->client, variant->v6);
	ASSERT_LE(0, s);
	EXPECT_EQ(variant->server == TCP ? IPPROTO_TCP : IPPROTO_XTCP, protocol(l));
	EXPECT_EQ(variant->client == TCP ? IPPROTO_TCP : IPPROTO_XTCP, protocol(s));
	len = loopback(&a, variant->v6);
	ASSERT_EQ(0, bind(l, &a.sa, len));
	ASSERT_EQ(0, listen(l, 1));
	ASSERT_EQ(0, getsockname(l, &a.sa, &len));
	EXPECT_EQ(variant->v6 ? AF_INET6 : AF_INET, a.sa.sa_family);
	ASSERT_EQ(0, connect(s, &a.sa, len));
	alen = sizeof(a);
	c = accept(l, &a.sa, &alen);
	ASSERT_LE(0, c);
	EXPECT_EQ(len, alen);
	EXPECT_EQ(variant->v6 ? AF_INET6 : AF_INET, a.sa.sa_family);
	EXPECT_EQ(protocol(l), protocol(c));
	EXPECT_EQ(4, send(s, "ping", 4, 0));
	EXPECT_EQ(4, recv(c, buf, 4, MSG_WAITALL));
	EXPECT_STREQ("ping", buf);
	EXPECT_EQ(4, send(c, "pong", 4, 0));
	EXPECT_EQ(4, recv(s, buf, 4, MSG_WAITALL));
	EXPECT_STREQ("pong", buf);
	EXPECT_EQ(0, close(s));
	EXPECT_EQ(0, recv(c, buf, 4, 0));
	EXPECT_EQ(0, close(c));
	EXPECT_EQ(0, close(l));
}

/* A megabyte each way, sender and receiver taking turns by poll(). */
TEST_F(ways, bulk)
{
	static unsigned char out[2][1 << 20], in[2][1 << 20];
	size_t sent[2] = { 0 }, got[2] = { 0 };
	struct pollfd p[2];
	union address a;
	int fd[2], l, i;
	socklen_t len;
	ssize_t n;

	l = make(variant->server, variant->v6);
	fd[0] = make(variant->client, variant->v6);
	len = loopback(&a, variant->v6);
	ASSERT_EQ(0, bind(l, &a.sa, len));
	ASSERT_EQ(0, listen(l, 1));
	ASSERT_EQ(0, getsockname(l, &a.sa, &len));
	ASSERT_EQ(0, connect(fd[0], &a.sa, len));
	fd[1] = accept(l, NULL, NULL);
	ASSERT_LE(0, fd[1]);
	for (i = 0; i < 2; i++) {
		for (n = 0; n < 1 << 20; n++)
			out[i][n] = n * 7 + (n >> 8) * 13 + i;
	}
	while (got[0] < sizeof(in[0]) || got[1] < sizeof(in[1])) {
		for (i = 0; i < 2; i++) {
			p[i].fd = fd[i];
			p[i].events = POLLIN | (sent[i] < sizeof(out[i]) ? POLLOUT : 0);
		}
		ASSERT_LT(0, poll(p, 2, 20000)) {
			TH_LOG("stuck: sent %zu %zu got %zu %zu", sent[0], sent[1], got[0],
			       got[1]);
		}
		for (i = 0; i < 2; i++) {
			if (p[i].revents & POLLOUT) {
				n = send(fd[i], out[i] + sent[i], sizeof(out[i]) - sent[i],
					 MSG_DONTWAIT);
				sent[i] += n > 0 ? n : 0;
			}
			if (p[i].revents & POLLIN) {
				n = recv(fd[i], in[i] + got[i], sizeof(in[i]) - got[i],
					 MSG_DONTWAIT);
				ASSERT_LT(0, n);
				got[i] += n;
			}
		}
	}
	EXPECT_EQ(0, memcmp(out[0], in[1], sizeof(out[0])));
	EXPECT_EQ(0, memcmp(out[1], in[0], sizeof(out[1])));
}

TEST_HARNESS_MAIN
