# SPDX-License-Identifier: GPL-2.0
# User-space tests of src/core. Run from the top with make -f.
#
#   unit   vector tests, TAP
#   sim    two to four hosts, a bad network, 20,000 seeds; and short runs, once for each
#          allocation that can fail in them; and once more without the core's predictions,
#          which must not make a difference
#
# SAN_SEEDS seeds run under AddressSanitizer and UBSan, SEEDS more at full speed,
# NTH_SEEDS with each allocation failing once. "million" is a run of MILLION
# seeds on JOBS processors. The fuzzers have rules of their own: fuzz/fuzz.mk.

T	:= $(dir $(lastword $(MAKEFILE_LIST)))
TOP	:= $(T)..
O	?= $(TOP)/build/user
SEEDS	?= 16000
SAN_SEEDS ?= 4000
NTH_SEEDS ?= 200
MILLION	?= 1000000
JOBS	?= 2

WARN	:= -Wall -Wextra -Wno-unused-parameter -Wmissing-prototypes -Wstrict-prototypes
BASE	:= -std=gnu11 -g $(WARN)
SAN	?= -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

CORE	:= $(wildcard $(TOP)/src/core/*.c)
UNIT	:= $(wildcard $(T)unit/*.c)
SIM	:= $(wildcard $(T)sim/*.c)
HDR	:= $(wildcard $(TOP)/src/core/*.h $(TOP)/include/xtcp/*.h $(T)*/*.h)

name	= $(patsubst %.c,%.o,$(notdir $(1)))
obj	= $(addprefix $(O)/$(1)/,$(call name,$(2)))

.PHONY: all unit sim million check clean
all: $(O)/unit $(O)/sim $(O)/sim-san

# one rule per (flavour, directory): san = sanitizers, opt = plain -O2
define rules
$(O)/$(1)/%.o: $(2)/%.c $(HDR) | $(O)/$(1)
	@$$(CC) $$(BASE) $(3) -c -o $$@ $$<
endef
$(eval $(call rules,san/core,$(TOP)/src/core,-O1 $(SAN)))
$(eval $(call rules,opt/core,$(TOP)/src/core,-O2))
$(eval $(call rules,long/core,$(TOP)/src/core,-O2 -DXTCP_NOTHING_FORESEEN))
$(eval $(call rules,san/unit,$(T)unit,-O1 $(SAN)))
$(eval $(call rules,san/sim,$(T)sim,-O1 $(SAN)))
$(eval $(call rules,opt/sim,$(T)sim,-O2))

$(addprefix $(O)/,san/core opt/core long/core san/unit san/sim opt/sim):
	@mkdir -p $@

$(O)/unit: $(call obj,san/unit,$(UNIT)) $(call obj,san/core,$(CORE))
	@$(CC) $(SAN) -o $@ $^ -lm
$(O)/sim-san: $(call obj,san/sim,$(SIM)) $(call obj,san/core,$(CORE))
	@$(CC) $(SAN) -o $@ $^ -lm
$(O)/sim: $(call obj,opt/sim,$(SIM)) $(call obj,opt/core,$(CORE))
	@$(CC) -o $@ $^

$(O)/sim-long: $(call obj,opt/sim,$(SIM)) $(call obj,long/core,$(CORE))
	@$(CC) -o $@ $^

unit: $(O)/unit
	$(O)/unit > $(O)/unit.tap || { grep -A2 '^not ok' $(O)/unit.tap; exit 1; }
	@tail -n 1 $(O)/unit.tap

sim: $(O)/sim $(O)/sim-san $(O)/sim-long
	$(O)/sim-san --count $(SAN_SEEDS)
	$(O)/sim --seed $$(($(SAN_SEEDS) + 1)) --count $(SEEDS) --digest | tee $(O)/sim.out
	@$(O)/sim-long --seed $$(($(SAN_SEEDS) + 1)) --count $(SEEDS) --digest >$(O)/sim-long.out
	@[ "$$(grep digest $(O)/sim.out)" = "$$(grep digest $(O)/sim-long.out)" ] || \
		{ echo "not ok - the long way sends something else"; exit 1; }
	@echo "ok - the same packets without header prediction"
	$(O)/sim-san --nth --count 10
	$(O)/sim --nth --seed 11 --count $(NTH_SEEDS)

million: $(O)/sim
	$(O)/sim --count $(MILLION) --jobs $(JOBS) --stats

check: unit sim explore mutants flows

clean:
	rm -rf $(O)

include $(T)explore/explore.mk
include $(T)flows/flows.mk
include $(T)fuzz/fuzz.mk
