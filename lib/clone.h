/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * clone3 with CLONE_VM whose child goes on in a function, on a stack of its
 * own. C cannot say this: the child must not return into the caller's frame, so
 * the few instructions between the system call and the function are written per
 * architecture.  Others answer -ENOSYS and are served by glibc's clone().
 */
#ifndef PT_CLONE_H
#define PT_CLONE_H

#include <sched.h>

#include "sys.h"

/*
 * The child starts on @args->stack and runs @run(@argument), which must not
 * return.  Return, in the parent only: the pid, or a negative errno.
 */
int pt_clone3_run(const struct pt_clone_args *args, size_t size,
		  void (*run)(void *), void *argument);

/*
 * ThreadSanitizer wraps clone(), and takes the child for a fork and the memory
 * two share for a copy: glibc has another name for it.
 */
#ifdef __GLIBC__
int __clone(int (*run)(void *), void *stack_end, int flags, void *argument,
	    ...);
#define PT_CLONE_LIBC __clone
#else
#define PT_CLONE_LIBC clone
#endif

/*
 * The same by glibc, on any architecture; flags that need more than 32 bits it
 * cannot pass.  @stack_end is where a stack that grows downwards starts.
 *
 * @parent_tid: where CLONE_PIDFD stores the pidfd, or CLONE_PARENT_SETTID the
 * pid
 */
static inline int sys_clone(int (*run)(void *), void *stack_end, int flags,
			    void *argument, int *parent_tid)
{
	return pt_sys_result(PT_CLONE_LIBC(run, stack_end, flags, argument,
					   parent_tid, NULL, NULL));
}

/* clone3 without a child: what it answers shows whether it is allowed. */
static inline int sys_clone3_probe(const struct pt_clone_args *args,
				   size_t size)
{
	return pt_sys_result(syscall(SYS_clone3, args, size));
}

#endif
