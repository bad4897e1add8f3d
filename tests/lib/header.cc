// SPDX-License-Identifier: GPL-2.0-or-later
/* The control interface's header, as a C++ program sees it. */
#include "veneer.h"

#include "control.h"

extern "C" unsigned int cxx_size(enum cxx_struct which)
{
	switch (which) {
	case CXX_VERSION:
		return sizeof(struct veneer_version);
	case CXX_STACK_OPEN:
		return sizeof(struct veneer_stack_open);
	case CXX_STACK_INFO:
		return sizeof(struct veneer_stack_info);
	case CXX_STACK_LIST:
		return sizeof(struct veneer_stack_list);
	case CXX_COUNTERS:
		return sizeof(struct veneer_counters);
	case CXX_RANGE:
		return sizeof(struct veneer_range);
	case CXX_MAP:
		return sizeof(struct veneer_map);
	case CXX_TUNABLES:
		return sizeof(struct veneer_tunables);
	default:
		return 0;
	}
}
