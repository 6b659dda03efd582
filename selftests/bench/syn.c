// SPDX-License-Identifier: GPL-2.0
/*
 * What a SYN costs: written to a TUN device, answered before the write returns.
 * Ticks of the time stamp counter, which under "selftests/vm/run --icount" are
 * instructions, the TUN device's own included; the median of all SYNs.
 *
 *	syn request|cookie tcp|xtcp
 *
 * request: the half-open request is kept; cookie: tcp_syncookies is 2.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/xtcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

#define N_SYNS	4000
#define PORT	80
#define LEN	52	/* IP, TCP, and the options of a usual SYN */

static void die(const char *what)
{
	fprintf(stderr, "syn: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static int tun_open(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "syn0" };
	struct sockaddr_in *sin = (struct sockaddr_in *)&ifr.ifr_addr;
	int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (tun < 0 || ioctl(tun, TUNSETIFF, &ifr))
		die("tun");
	sin->sin_family = AF_INET;
	inet_pton(AF_INET, "10.97.0.1", &sin->sin_addr);
	if (ioctl(s, SIOCSIFADDR, &ifr))
		die("address");
	inet_pton(AF_INET, "255.255.0.0", &sin->sin_addr);
	if (ioctl(s, SIOCSIFNETMASK, &ifr))
		die("netmask");
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(s, SIOCSIFFLAGS, &ifr))
		die("up");
	close(s);
	return tun;
}

static uint32_t sum(const uint8_t *p, int len, uint32_t s)
{
	for (; len > 0; p += 2, len -= 2)
		s += p[0] << 8 | p[1];
	return s;
}

static void sum_put(uint8_t *at, uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	at[0] = ~s >> 8;
	at[1] = ~s;
}

/* SYN number @i: MSS, SACK, timestamps, but no window scale. */
static void syn_make(uint8_t *p, int i)
{
	static const uint8_t tmpl[LEN] = {
		0x45, 0, 0, LEN, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 97, 1, 0, 10, 97, 0, 1,
		0x40, 0, 0, PORT, 1, 2, 3, 4, 0, 0, 0, 0, 0x80, 2, 0xff, 0xff, 0, 0, 0, 0,
		4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0,
	};

	memcpy(p, tmpl, LEN);
	p[14] = 1 + i / 250 % 200;
	p[15] = 1 + i % 250;
	p[27] = i;
	sum_put(p + 10, sum(p, 20, 0));
	sum_put(p + 36, sum(p + 12, LEN - 12, 6 + LEN - 20));
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static uint64_t ticks[N_SYNS];
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	uint8_t pkt[2048];
	int tun, lsn, i, answers = 0, xtcp, cookie;
	char path[64];

	if (argc != 3)
		return 2;
	cookie = !strcmp(argv[1], "cookie");
	xtcp = !strcmp(argv[2], "xtcp");
	if (unshare(CLONE_NEWNET))
		die("unshare");
	tun = tun_open();
	put("/proc/sys/net/core/somaxconn", "65535");
	snprintf(path, sizeof(path), "/proc/sys/net/%s/tcp_syncookies", xtcp ? "xtcp" : "ipv4");
	put(path, cookie ? "2" : "1");
	lsn = socket(xtcp ? AF_XTCP : AF_INET, SOCK_STREAM, 0);
	if (lsn < 0 || bind(lsn, (struct sockaddr *)&a, sizeof(a)) || listen(lsn, 65535))
		die("listen");
	for (i = 0; i < N_SYNS; i++) {
		uint64_t start;

		syn_make(pkt, i);
		start = __rdtsc();
		if (write(tun, pkt, LEN) != LEN)
			die("write");
		ticks[i] = __rdtsc() - start;
		while (read(tun, pkt, sizeof(pkt)) > 0)
			answers += pkt[9] == 6 && pkt[33] == 0x12;
	}
	qsort(ticks, N_SYNS, sizeof(*ticks), by_value);
	printf("syn %s %s %llu, %d of %d answered\n", argv[1], argv[2],
	       (unsigned long long)ticks[N_SYNS / 2], answers, N_SYNS);
	return answers < N_SYNS;
}
