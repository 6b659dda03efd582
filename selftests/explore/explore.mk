# SPDX-License-Identifier: GPL-2.0
# All states of small worlds, and engines broken on purpose that the simulator
# and the explorer must find out. Included by ../user.mk.
#
#   explore   about 6 million states; EXPLORE=--large for more
#   mutants   one line per broken engine and who found out

EXPLORE	?=
EXPL	:= $(wildcard $(T)explore/*.c)

.PHONY: explore mutants
$(O)/opt/explore:
	@mkdir -p $@
$(eval $(call rules,opt/explore,$(T)explore,-O2))

# The core refuses an edge that is not listed; here it is told who asked for it.
WRAP	:= -Wl,--wrap=xtcp_state_set
$(O)/explore: $(call obj,opt/explore,$(EXPL)) $(call obj,opt/core,$(CORE))
	@$(CC) $(WRAP) -o $@ $^

explore: $(O)/explore
	$(O)/explore $(EXPLORE) > $(O)/explore.tap || { grep -v '^ok' $(O)/explore.tap; exit 1; }
	@tail -n 1 $(O)/explore.tap

mutants: $(O)/explore $(O)/sim
	$(T)explore/mutants -O $(O) -C "$(CC)" -F "$(BASE) -O1" -L "$(WRAP)" > $(O)/mutants.tap || \
		{ grep -A1 '^not ok' $(O)/mutants.tap; exit 1; }
	@tail -n 1 $(O)/mutants.tap
