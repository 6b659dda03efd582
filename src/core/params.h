/* SPDX-License-Identifier: GPL-2.0 */
/* The values of one network namespace's knobs, laid out from the table. */
#ifndef XTCP_CORE_PARAMS_H
#define XTCP_CORE_PARAMS_H

#include "shim.h"

struct xtcp_params {
#define XTCP_PARAM(name, def, min, max, unit, source, meaning) int name;
#define XTCP_PARAM3(name, d0, d1, d2, min, max, unit, source, meaning) int name[3];
#include "../../include/xtcp/params.h"
};

/* Sysctl writes race with every reader on purpose: one int, read once. */
#define XTCP_P(t, name)	READ_ONCE((t)->p->name)

#endif /* XTCP_CORE_PARAMS_H */
