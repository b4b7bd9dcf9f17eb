/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Static probes for tracers, of the provider "pidtrack": pidtrack(7) lists
 * them.  One that nobody has attached to is a no-op instruction, and its
 * arguments are what is at hand.  Knows nothing.
 */
#ifndef PT_PROBES_H
#define PT_PROBES_H

#ifdef PT_HAVE_PROBES
#include <sys/sdt.h>
#define PROBE2(name, a, b) DTRACE_PROBE2(pidtrack, name, a, b)
#define PROBE3(name, a, b, c) DTRACE_PROBE3(pidtrack, name, a, b, c)
#define PROBE4(name, a, b, c, d) DTRACE_PROBE4(pidtrack, name, a, b, c, d)
#else
#define PROBE2(name, a, b) ((void)(a), (void)(b))
#define PROBE3(name, a, b, c) (PROBE2(name, a, b), (void)(c))
#define PROBE4(name, a, b, c, d) (PROBE3(name, a, b, c), (void)(d))
#endif

#endif
