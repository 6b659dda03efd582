# SPDX-License-Identifier: GPL-2.0
# Congestion control over a bottleneck, beside the models. Included by ../user.mk.
#
#   flows   a few minutes of virtual time per path; FLOWS=--long for ten times that

FLOWS	?=

.PHONY: flows
$(O)/opt/flows:
	@mkdir -p $@
$(eval $(call rules,opt/flows,$(T)flows,-O2))

$(O)/flows: $(call obj,opt/flows,$(wildcard $(T)flows/*.c)) $(call obj,opt/core,$(CORE))
	@$(CC) -o $@ $^ -lm

flows: $(O)/flows
	$(O)/flows $(FLOWS) > $(O)/flows.tap || { grep '^not ok' $(O)/flows.tap; exit 1; }
	@tail -n 1 $(O)/flows.tap
