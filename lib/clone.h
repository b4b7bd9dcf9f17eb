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
#if defined(__x86_64__) && !defined(__ILP32__)

static inline int sys_clone3_run(struct pt_clone_args *args, size_t size,
				 void (*run)(void *), void *argument)
{
	register void (*run_r8)(void *) __asm__("r8") = run;
	register void *argument_r9 __asm__("r9") = argument;
	long r = SYS_clone3;

	/* nothing between the register variables and this, not even a count */
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t" /* where backtraces end */
			 "mov %%r9, %%rdi\n\t"
			 "call *%%r8\n\t"
			 "ud2\n"
			 "1:"
			 : "+a"(r)
			 : "D"(args), "S"(size), "r"(run_r8), "r"(argument_r9)
			 : "rcx", "r11", "memory", "cc");
	pt_sys_calls++;
	return (int)r;
}

#elif defined(__aarch64__) && !defined(__ILP32__)

static inline int sys_clone3_run(struct pt_clone_args *args, size_t size,
				 void (*run)(void *), void *argument)
{
	register long number __asm__("x8") = SYS_clone3;
	register long r __asm__("x0") = (long)args;
	register size_t size_x1 __asm__("x1") = size;
	register void (*run_x2)(void *) __asm__("x2") = run;
	register void *argument_x3 __asm__("x3") = argument;

	/* nothing between the register variables and this, not even a count */
	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t" /* where backtraces end */
			 "mov x0, x3\n\t"
			 "blr x2\n\t"
			 "brk #1\n"
			 "1:"
			 : "+r"(r)
			 : "r"(number), "r"(size_x1), "r"(run_x2),
			   "r"(argument_x3)
			 : "memory", "cc");
	pt_sys_calls++;
	return (int)r;
}

#else

static inline int sys_clone3_run(struct pt_clone_args *args, size_t size,
				 void (*run)(void *), void *argument)
{
	(void)args;
	(void)size;
	(void)run;
	(void)argument;
	return -ENOSYS;
}

#endif

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
