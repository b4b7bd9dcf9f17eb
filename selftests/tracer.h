/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a host costs, counted from outside: a tracer counts its system calls, or
 * its instructions, in each phase that the host says it is in.  What it clones
 * is counted beside, until it executes.
 *
 *	struct costs *costs = costs_new(_metadata);
 *	struct traced host = traced_start(_metadata, costs, run, argument);
 *
 *	traced_count(_metadata, &host, TRACE_CALLS);
 *	EXPECT_EQ(0, costs->host[1].calls);
 *	costs_free(costs);
 *
 * where the host prepares what it wants, and then
 *
 *	costs_start(_metadata, costs);		is traced from here on
 *	costs_phase(costs, 1);
 *	...					makes no call but by the library
 *	costs_phase(costs, 0);
 */
#ifndef TRACER_H
#define TRACER_H

#include <link.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

#include "harness.h"

#define TRACER_PHASES 8

struct cost {
	uint64_t calls;	       /* but for those below */
	uint64_t closes;       /* of descriptors */
	uint64_t memory;       /* malloc's own calls */
	uint64_t instructions; /* of the library */
	uint64_t elsewhere;    /* instructions of libc and all others */
	uint64_t allocations;
};

/* In memory that the host and its tracer share. */
struct costs {
	volatile int phase; /* 0: nothing is counted */
	int socket;	    /* the host's: it is ready, it may go on */
	struct cost host[TRACER_PHASES];
	struct cost launched[TRACER_PHASES];
};

enum tracing { TRACE_CALLS, TRACE_STEPS };

static inline struct costs *costs_new(struct __test_metadata *_metadata)
{
	struct costs *costs = mmap(NULL, sizeof(*costs), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, (void *)costs);
	return costs;
}

static inline void costs_free(struct costs *costs)
{
	munmap(costs, sizeof(*costs));
}

/* ---- the host ---- */

static inline void costs_start(struct __test_metadata *_metadata,
			       struct costs *costs)
{
	char byte = 0;

	ASSERT_EQ(1, write(costs->socket, &byte, 1));
	ASSERT_EQ(1, read(costs->socket, &byte, 1));
}

/* By getppid(2), which nothing else calls, the tracer gets to see it. */
static inline void costs_phase(struct costs *costs, int phase)
{
	costs->phase = phase;
	syscall(SYS_getppid);
}

struct traced {
	pid_t pid;
	int socket;
	struct costs *costs;
	enum tracing how;
	uintptr_t begin, end; /* of the library's instructions */
};

/* Forks a host that runs @run, and exits with 0 after it. */
static inline struct traced
traced_start(struct __test_metadata *_metadata, struct costs *costs,
	     void (*run)(struct __test_metadata *_metadata, struct costs *costs,
			 void *argument),
	     void *argument)
{
	struct traced host = { .costs = costs };
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	host.pid = fork();
	ASSERT_GE(host.pid, 0);
	if (!host.pid) {
		close(pair[0]);
		costs->socket = pair[1];
		run(_metadata, costs, argument);
		_exit(0);
	}
	close(pair[1]);
	host.socket = pair[0];
	return host;
}

/* ---- the tracer ---- */

static inline int traced_library(struct dl_phdr_info *object, size_t size,
				 void *argument)
{
	struct traced *host = argument;
	int i;

	if (!strstr(object->dlpi_name, "libpidtrack"))
		return 0;
	for (i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
			continue;
		host->begin = object->dlpi_addr + part->p_vaddr;
		host->end = host->begin + part->p_memsz;
	}
	return 1;
}

static inline void traced_call(struct cost *cost, uint64_t number)
{
	if (number == SYS_getppid)
		return;
	if (number == SYS_close)
		cost->closes++;
	else if (number == SYS_brk || number == SYS_mmap ||
		 number == SYS_munmap || number == SYS_mremap ||
		 number == SYS_madvise)
		cost->memory++;
	else
		cost->calls++;
}

static inline void traced_step(const struct traced *host, struct cost *cost,
			       uint64_t at)
{
	if (at >= host->begin && at < host->end)
		cost->instructions++;
	else
		cost->elsewhere++;
	cost->allocations += at == (uintptr_t)malloc ||
			     at == (uintptr_t)calloc ||
			     at == (uintptr_t)realloc;
}

/* Return: the signal that @pid stopped for, and is to get. */
static inline int traced_look(struct __test_metadata *_metadata,
			      const struct traced *host, pid_t pid, int status)
{
	struct costs *costs = host->costs;
	struct cost *cost = pid == host->pid ? &costs->host[costs->phase] :
					       &costs->launched[costs->phase];
	int signal = WSTOPSIG(status);
	struct __ptrace_syscall_info info;

	if (status >> 16)
		return 0;
	if (signal != SIGTRAP && signal != (SIGTRAP | 0x80))
		return signal;
	if (!costs->phase)
		return 0;
	ASSERT_GT(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info),
			 &info),
		  0);
	if (signal == SIGTRAP)
		traced_step(host, cost, info.instruction_pointer);
	else if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		traced_call(cost, info.entry.nr);
	return 0;
}

static inline void traced_seize(struct __test_metadata *_metadata,
				const struct traced *host)
{
	int status;
	char byte;

	ASSERT_EQ(1, read(host->socket, &byte, 1));
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, host->pid, NULL,
			    (void *)(PTRACE_O_TRACESYSGOOD |
				     PTRACE_O_TRACECLONE | PTRACE_O_TRACEVFORK |
				     PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC)));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, host->pid, NULL, NULL));
	ASSERT_EQ(host->pid, waitpid(host->pid, &status, __WALL));
	ASSERT_EQ(1, write(host->socket, &byte, 1));
	ASSERT_EQ(0, ptrace(PTRACE_SYSCALL, host->pid, NULL, NULL));
}

/* Until the host has ended, which it must with 0. */
static inline void traced_count(struct __test_metadata *_metadata,
				struct traced *host, enum tracing how)
{
	int status;
	pid_t pid;

	dl_iterate_phdr(traced_library, host);
	traced_seize(_metadata, host);
	for (;;) {
		bool steps;
		int signal;

		pid = waitpid(-1, &status, __WALL);
		ASSERT_GT(pid, 0);
		if (pid == host->pid && !WIFSTOPPED(status))
			break;
		if (!WIFSTOPPED(status))
			continue;
		signal = traced_look(_metadata, host, pid, status);
		if (status >> 16 == PTRACE_EVENT_EXEC) {
			ptrace(PTRACE_DETACH, pid, NULL, NULL);
			continue;
		}
		steps = how == TRACE_STEPS && host->costs->phase;
		ptrace(steps ? PTRACE_SINGLESTEP : PTRACE_SYSCALL, pid, NULL,
		       (void *)(intptr_t)signal);
	}
	EXPECT_EQ(0, status);
	close(host->socket);
}

#endif
