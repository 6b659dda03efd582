# SPDX-License-Identifier: GPL-2.0
# The raw-peer, interop and coexistence programs; included by Makefile, which
# builds what is in PROGS from NAME.c alone unless a rule says more.

RAW_SRCS := raw_main.c raw_peer.c raw_script.c raw_sut.c raw_trace.c raw_mint.c \
	    $(notdir $(wildcard $(SRC)/raw_t_*.c))

PROGS += raw_test raw_xfer raw_coexist raw_load ports_full tw_million rcv_window pace_flow

$(O)/rcv_window $(O)/pace_flow: $(SRC)/netns.h

$(O)/raw_test: $(RAW_SRCS:%=$(SRC)/%) $(SRC)/raw_peer.h $(SRC)/packet.h $(SRC)/raw_addr.h $(SRC)/raw_info.h \
	       $(SRC)/raw_mint.h $(O)/raw_core.o $(TOP)/include/uapi/linux/xtcp.h | $(O)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c %.o,$^)

# What a second host of a fleet would compute: the core, for raw_mint.c.
$(O)/raw_core.o: $(wildcard $(TOP)/src/core/*.c $(TOP)/src/core/*.h) | $(O)
	$(CC) -O2 -g -std=gnu11 -r -nostdlib -o $@ $(filter %.c,$^)
