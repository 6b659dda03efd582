// SPDX-License-Identifier: GPL-2.0
/*
 * tw_million fill N END_S: N connections to a listener, each closed by the
 * listener's side, so that N TIME-WAIT entries stay; 2MSL shrinks as time goes
 * on, so that all of them are due at END_S seconds from now.
 * tw_million probe K: ns per segment that finds no flow.
 *
 * The peers are played on the TUN device "tw0" (10.200.0.1/16): a write to it
 * has been through the whole receive path when it returns, and what answers it
 * can be read.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/xtcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HOST		0x0ac80001u	/* 10.200.0.1 */
#define PEERS		0x0ac80100u	/* first peer: 10.200.1.0 */
#define PORT		7777
#define PEER_PORTS	60000		/* of one peer, from 2000 on */
#define ISN		1000000u

struct packet {
	struct iphdr ip;
	struct tcphdr tcp;
};

static int tun, listener;

static void die(const char *what)
{
	fprintf(stderr, "tw_million: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static uint16_t sum(const void *data, size_t len, uint32_t acc)
{
	const uint16_t *p = data;

	for (; len; len -= 2)
		acc += *p++;
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return ~acc;
}

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

/* One segment of peer number @n to the listener. */
static void send_segment(unsigned int n, int flags, uint32_t seq, uint32_t ack)
{
	struct packet k = {
		.ip = { .version = 4, .ihl = 5, .tot_len = htons(sizeof(k)), .ttl = 64,
			.protocol = IPPROTO_TCP, .frag_off = htons(0x4000),
			.saddr = htonl(PEERS + n / PEER_PORTS), .daddr = htonl(HOST) },
		.tcp = { .source = htons(2000 + n % PEER_PORTS), .dest = htons(PORT),
			 .seq = htonl(seq), .ack_seq = htonl(ack), .doff = 5,
			 .window = htons(65535) },
	};
	uint32_t pseudo = (k.ip.saddr & 0xffff) + (k.ip.saddr >> 16) + (k.ip.daddr & 0xffff) +
			  (k.ip.daddr >> 16) + htons(IPPROTO_TCP) + htons(sizeof(k.tcp));

	((uint8_t *)&k.tcp)[13] = flags;
	k.ip.check = sum(&k.ip, sizeof(k.ip), 0);
	k.tcp.check = sum(&k.tcp, sizeof(k.tcp), pseudo);
	if (write(tun, &k, sizeof(k)) != sizeof(k))
		die("write");
}

/* The next segment to peer @n that has the bits of @flags. */
static uint32_t receive(unsigned int n, int flags)
{
	struct pollfd pfd = { .fd = tun, .events = POLLIN };
	union {
		struct packet k;
		uint8_t b[256];
	} u;

	for (;;) {
		ssize_t len = read(tun, &u, sizeof(u));

		if (len < 0 && errno == EAGAIN) {
			if (poll(&pfd, 1, 5000) <= 0)
				die("no answer");
			continue;
		}
		if (len < (ssize_t)sizeof(u.k) || u.k.ip.version != 4 ||
		    u.k.ip.protocol != IPPROTO_TCP ||
		    u.k.tcp.dest != htons(2000 + n % PEER_PORTS))
			continue;
		if ((u.b[33] & flags) == flags)
			return ntohl(u.k.tcp.seq);
	}
}

static void open_tun(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "tw0" };

	tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &ifr))
		die("tw0");
}

static void open_listener(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int one = 1;

	listener = socket(AF_XTCP, SOCK_STREAM, XTCP_PROTO_IPV4);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(listener, (struct sockaddr *)&a, sizeof(a)) || listen(listener, 8))
		die("listener");
}

/* Handshake; our side closes first; the peer's FIN comes with its ACK. */
static void one_connection(unsigned int n)
{
	uint32_t iss;
	int fd;

	send_segment(n, SYN, ISN, 0);
	iss = receive(n, SYN | ACK);
	send_segment(n, ACK, ISN + 1, iss + 1);
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		die("accept");
	close(fd);
	receive(n, FIN);
	send_segment(n, FIN | ACK, ISN + 1, iss + 2);
	receive(n, ACK);
}

static void set_2msl(uint64_t ms)
{
	int fd = open("/proc/sys/net/xtcp/tcp_timewait_ms", O_WRONLY);

	if (fd < 0 || dprintf(fd, "%llu\n", (unsigned long long)ms) < 0)
		die("tcp_timewait_ms");
	close(fd);
}

static void fill(unsigned int n, unsigned int end_s)
{
	uint64_t start = now_ns(), end = start + end_s * 1000000000ull;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (i % 64 == 0) {
			if (now_ns() >= end)
				die("too slow: the first are due already");
			set_2msl((end - now_ns()) / 1000000 + 1);
		}
		one_connection(i);
	}
	printf("%u connections, %llu ns each\n", n,
	       (unsigned long long)((now_ns() - start) / n));
	printf("%lld ms left\n", (long long)(end - now_ns()) / 1000000);
}

/* A RST for no connection: looked up in vain, dropped by the listener, no answer. */
static void probe(unsigned int k)
{
	uint64_t start, best = ~0ull;
	unsigned int i, round;

	for (round = 0; round < 5; round++) {
		start = now_ns();
		for (i = 0; i < k; i++)
			send_segment(50 * PEER_PORTS + i * 7919 % (20 * PEER_PORTS), RST, ISN, 0);
		if (now_ns() - start < best)
			best = now_ns() - start;
	}
	printf("%llu\n", (unsigned long long)(best / k));
}

int main(int argc, char **argv)
{
	open_tun();
	open_listener();
	if (argc == 4 && !strcmp(argv[1], "fill")) {
		fill(atoi(argv[2]), atoi(argv[3]));
	} else if (argc == 3 && !strcmp(argv[1], "probe")) {
		probe(atoi(argv[2]));
	} else {
		fprintf(stderr, "usage: tw_million fill N END_S | probe K\n");
		return 2;
	}
	return 0;
}
