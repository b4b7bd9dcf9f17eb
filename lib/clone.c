/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "clone.h"

#if defined(__x86_64__) && !defined(__ILP32__)

int pt_clone3_run(const struct pt_clone_args *args, size_t size,
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

int pt_clone3_run(const struct pt_clone_args *args, size_t size,
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

int pt_clone3_run(const struct pt_clone_args *args, size_t size,
		  void (*run)(void *), void *argument)
{
	(void)args;
	(void)size;
	(void)run;
	(void)argument;
	return -ENOSYS;
}

#endif
