// SPDX-License-Identifier: GPL-2.0
/*
 * The peer of race_smp: hand-made segments on a TUN device. What a thread
 * writes goes up the stack on that thread's processor, so that two threads can
 * deliver two segments of one connection at the same moment.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "race_smp.h"

#define SUT_ADDR	0x0a630001	/* 10.99.0.1 */
#define PEER_ADDR	0x0a630002

static int tun = -1;
static unsigned int next_port;

/* Laid out as on the wire. */
struct packet {
	struct iphdr ip;
	struct {
		uint16_t source, dest;
		uint32_t seq, ack;
		uint8_t doff, flags;
		uint16_t window, check, urg;
	} tcp;
	unsigned char data[64];
} __attribute__((packed));

static uint32_t sum16(const void *data, int len, uint32_t sum)
{
	const unsigned char *p = data;

	for (; len > 1; len -= 2, p += 2)
		sum += p[0] << 8 | p[1];
	return len ? sum + (p[0] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

void wire_init(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	struct sockaddr_in *a = (void *)&ifr.ifr_addr;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (tun >= 0)
		close(tun);
	tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	strcpy(ifr.ifr_name, "race0");
	if (tun < 0 || ioctl(tun, TUNSETIFF, &ifr))
		die("tun");
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(SUT_ADDR);
	if (ioctl(fd, SIOCSIFADDR, &ifr))
		die("address");
	a->sin_addr.s_addr = htonl(0xffffff00);
	if (ioctl(fd, SIOCSIFNETMASK, &ifr))
		die("netmask");
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr))
		die("up");
	close(fd);
}

void wire_fresh(struct wire *w, int sut_port)
{
	memset(w, 0, sizeof(*w));
	w->port = 1024 + next_port++ % 60000;
	w->sut_port = sut_port;
	w->isn = 0xffffffe0u + rnd(64);		/* about the wrap */
}

struct sockaddr_in wire_addr(const struct wire *w)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(w->port) };

	a.sin_addr.s_addr = htonl(PEER_ADDR);
	return a;
}

void wire_tx(const struct wire *w, int flags, uint32_t seq, uint32_t ack, int len)
{
	struct packet p = { };
	int i, size = sizeof(p) - sizeof(p.data) + len;
	uint32_t sum;

	p.ip.version = 4;
	p.ip.ihl = 5;
	p.ip.tot_len = htons(size);
	p.ip.ttl = 64;
	p.ip.protocol = IPPROTO_TCP;
	p.ip.saddr = htonl(PEER_ADDR);
	p.ip.daddr = htonl(SUT_ADDR);
	p.ip.check = fold(sum16(&p.ip, sizeof(p.ip), 0));
	p.tcp.source = htons(w->port);
	p.tcp.dest = htons(w->sut_port);
	p.tcp.seq = htonl(w->isn + seq);
	p.tcp.ack = flags & TH_ACK ? htonl(w->sut_isn + ack) : 0;
	p.tcp.doff = 5 << 4;
	p.tcp.flags = flags;
	p.tcp.window = htons(8000);
	for (i = 0; i < len; i++)
		p.data[i] = 'a' + (seq + i) % 26;
	sum = sum16(&p.ip.saddr, 8, IPPROTO_TCP + size - sizeof(p.ip));
	p.tcp.check = fold(sum16(&p.tcp, size - sizeof(p.ip), sum));
	if (write(tun, &p, size) != size)
		strange("tun: %s", strerror(errno));
}

void wire_flush(void)
{
	char buf[2048];

	while (read(tun, buf, sizeof(buf)) > 0)
		;
}

/* Are these @n bytes a segment to that port with (all of) such flags? */
static bool is_segment(const struct wire *w, const struct packet *p, ssize_t n, int flags)
{
	return n >= (ssize_t)(sizeof(*p) - sizeof(p->data)) && p->ip.version == 4 &&
	       p->ip.protocol == IPPROTO_TCP && p->tcp.dest == htons(w->port) &&
	       (p->tcp.flags & flags) == flags;
}

bool wire_has(const struct wire *w, int flags)
{
	struct packet p;
	bool has = false;
	ssize_t n;

	while ((n = read(tun, &p, sizeof(p))) > 0)
		has |= is_segment(w, &p, n, flags);
	return has;
}

bool wire_await(struct wire *w, int flags)
{
	struct pollfd pfd = { .fd = tun, .events = POLLIN };
	struct packet p;
	ssize_t n;

	for (;;) {
		n = read(tun, &p, sizeof(p));
		if (n < 0 && poll(&pfd, 1, PATIENCE_MS) != 1)
			break;
		if (!is_segment(w, &p, n, flags))
			continue;
		if (p.tcp.flags & TH_SYN) {
			w->sut_isn = ntohl(p.tcp.seq);
			w->sut_port = ntohs(p.tcp.source);
		}
		return true;
	}
	strange("port %u: no segment with flags %#x", w->port, flags);
	return false;
}

int wire_listen(int *port, int backlog)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = xsock(0, SOCK_NONBLOCK);

	if (bind(fd, (void *)&a, len) || listen(fd, backlog) || getsockname(fd, (void *)&a, &len))
		die("listen");
	*port = ntohs(a.sin_port);
	return fd;
}

int wire_open(struct wire *w, int lfd, int sut_port)
{
	int fd;

	wire_flush();
	wire_fresh(w, sut_port);
	wire_tx(w, TH_SYN, 0, 0, 0);
	if (!wire_await(w, TH_SYN | TH_ACK))
		return -1;
	wire_tx(w, TH_ACK, 1, 1, 0);
	if (!await(lfd, POLLIN, "a child"))
		return -1;
	fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		strange("accept: %s", strerror(errno));
	return fd;
}
