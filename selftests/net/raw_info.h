/* SPDX-License-Identifier: GPL-2.0 */
/* TCP_INFO as the kernel's header has it; <netinet/tcp.h> knows half of it. */
#ifndef RAW_INFO_H
#define RAW_INFO_H

#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "raw_peer.h"

static inline struct tcp_info raw_info(int fd)
{
	struct tcp_info i;
	socklen_t len = sizeof(i);

	memset(&i, 0, sizeof(i));
	CHECK(!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len));
	CHECK(len >= 104);
	return i;
}

#endif /* RAW_INFO_H */
