// SPDX-License-Identifier: GPL-2.0
/* What waits while somebody holds the sock: a reader that sleeps in a page fault. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "raw_peer.h"

struct holder {
	int fd, uffd;
	char *page;
	pthread_t reader;
	ssize_t got;
};

static void *read_one(void *arg)
{
	struct holder *h = arg;

	h->got = recv(h->fd, h->page, 1, MSG_DONTWAIT);
	return NULL;
}

/* From here on the sock is locked. There is a byte to read. */
static void sock_hold(struct holder *h, int fd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range.len = 4096, .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffd_msg msg;

	h->fd = fd;
	h->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(h->page != MAP_FAILED);
	h->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	CHECK(h->uffd >= 0);
	CHECK(!ioctl(h->uffd, UFFDIO_API, &api));
	reg.range.start = (unsigned long)h->page;
	CHECK(!ioctl(h->uffd, UFFDIO_REGISTER, &reg));
	CHECK(!pthread_create(&h->reader, NULL, read_one, h));
	CHECK_EQ(read(h->uffd, &msg, sizeof(msg)), (ssize_t)sizeof(msg));
}

static void sock_release(struct holder *h)
{
	struct uffdio_zeropage zero = { .range = { (unsigned long)h->page, 4096 } };

	CHECK(!ioctl(h->uffd, UFFDIO_ZEROPAGE, &zero));
	CHECK(!pthread_join(h->reader, NULL));
	CHECK_EQ(h->got, 1);
	close(h->uffd);
	munmap(h->page, 4096);
}

/* FIN_WAIT2, with a byte to read. */
static void half_closed(struct peer *p)
{
	open_passive(p, "mss=1460");
	sut_shutdown(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "PA seq=1 len=1 ack=2");
	peer_rx(p, 500, "A ack=2");
}

RAW_TEST(backlog_fin_then_rst, "RFC 9293 3.10.7.4", T_XTCP)
{
	struct holder h;

	half_closed(p);
	sock_hold(&h, p->fd);
	peer_tx(p, "FA seq=2 ack=2");
	peer_tx(p, "R seq=3");
	sock_release(&h);
	CHECK_EQ(sut_state(p), ST_NONE);
}

/*
 * The table notes a connection's hash where a segment that has waited keeps its sequence
 * numbers: a peer can make those look like a note. With one bucket (job 34) such a hash
 * finds every TIME-WAIT entry, and half of them are on another wheel than it says.
 */
RAW_TEST(backlog_forged_hash, "RFC 9293 3.10.7.4", T_XTCP)
{
	struct holder h;
	int i;

	sut_sysctl("tcp_timewait_ms", "2000");
	for (i = 0; i < 16; i++) {
		peer_init(p);
		p->isn = 0x7fffffff - 3;
		p->nxt = p->isn;
		half_closed(p);
		sock_hold(&h, p->fd);
		peer_tx(p, "FA seq=2 ack=2");
		/* from 2^31 - 1 on, one byte: the end is the complement of the beginning */
		peer_tx(p, "R seq=3 len=1");
		sock_release(&h);
		CHECK_EQ(sut_state(p), ST_NONE);
		sut_close(p);
	}
	/* all of these end, and in time, if both wheels know how many they have */
	for (i = 0; i < 48; i++) {
		peer_init(p);
		open_passive(p, "mss=1460");
		sut_close(p);
		peer_rx(p, 500, "FA seq=1");
		peer_tx(p, "FA ack=2");
		peer_rx(p, 500, "A ack=2");
		peer_rx_none(p, 10);
	}
	CHECK(sut_count_state(ST_TIME_WAIT) > 0);
	peer_rx_none(p, 2500);
	CHECK_EQ(sut_count_state(ST_TIME_WAIT), 0);
}
