/* SPDX-License-Identifier: GPL-2.0 */
/* Addresses of the TUN link of the raw tests. */
#ifndef RAW_ADDR_H
#define RAW_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define SUT_ADDR4	"10.99.0.1"
#define PEER_ADDR4	"10.99.0.2"
#define SUT_ADDR6	"fd99::1"
#define PEER_ADDR6	"fd99::2"

union raw_addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* One end and a port, in the address family of the run; returns the length. */
socklen_t raw_addr(union raw_addr *a, bool peer, uint16_t port);

#endif /* RAW_ADDR_H */
