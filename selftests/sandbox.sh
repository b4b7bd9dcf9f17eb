#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That sandboxes refuse each system call that the library makes, by itself or
# through libc and liburing, and no other; and that a feature which a sandbox
# takes away is one.
#	sandbox.sh ROOT LIBRARY.a PT-SANDBOX CC...
set -u
. "$(dirname "$0")/tap.sh"

root=$1 static=$2 sandbox=$3
shift 3

# Functions of libc and others that make none, or whose are libc's own affair.
silent='calloc|free|malloc|realloc|reallocarray|asprintf|qsort|secure_getenv|
	|mem.*|str.*|rawmemchr|sig(del|add|fill|empty|is).*|pthread_.*|sysconf|
	|environ|__environ|__assert_fail|__errno_location|__tls_get_addr|
	|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|cap_.*|clock_gettime|__.*_chk|
	|_ITM_.*|__gmon_start__|__cxa_finalize|_?_?(asan|ubsan|tsan|gcov)_.*|
	|io_uring_(queue_exit|get_events)|__io_uring_get_cqe|syscall|
	|__isoc[0-9]*_.*'

# The calls of sources in $1: a name of its own that an older machine has for
# one is the same call.
in_sources()
{
	cat "$1"/*.[ch] | grep -oE '\bSYS_[a-z_0-9]*[a-z0-9]\b' |
		sed -E 's/^SYS_//; s/^_llseek$/lseek/
			s/^(fcntl)64$/\1/; s/^(set.*|getuid|getgid)32$/\1/'
}

# The calls that functions which objects of $1 lack are known to make, and
# "unknown NAME".
in_functions()
{
	nm -g "$1" | awk 'NF == 3 { print $3 }' | sort -u >"$work/own"
	nm -u "$1" | awk 'NF == 2 { print $2 }' | sed 's/@.*//' | sort -u |
		comm -23 - "$work/own" |
		grep -vxE "$(echo "$silent" | tr -d ' \t\n' | sed 's/||/|/g')" |
		while read -r function; do
			case $function in
			__clone) echo clone ;;
			fcntl | fcntl64) echo fcntl ;;
			fstatat | fstatat64) echo newfstatat ;;
			fstatfs | fstatfs64) echo fstatfs ;;
			mmap | mmap64) echo mmap ;;
			madvise | mprotect | munmap | poll | readlink) echo "$function" ;;
			geteuid | sched_yield | timerfd_settime) echo "$function" ;;
			pthread_sigmask) echo rt_sigprocmask ;;
			io_uring_queue_init*) echo io_uring_setup ;;
			io_uring_register*) echo io_uring_register ;;
			io_uring_submit*) echo io_uring_enter ;;
			*) echo "unknown $function" ;;
			esac
		done
}

# What the directory $1 and the library $2 call, against what is refused.
same()
{
	{ in_sources "$1" && in_functions "$2"; } | sort -u >"$work/called"
	"$sandbox" --calls | sort >"$work/refused"
	[ -s "$work/refused" ] && diff -u "$work/called" "$work/refused"
}

features_are()
{
	"$sandbox" --list | cut -f1 | while read -r cell; do
		"$sandbox" --lost "$cell"
	done | sed 's/=.*//' | sort -u >"$work/lost"
	sed -n 's/^\t\t"\([a-z0-9-]*\)", "[^"]*",$/\1/p' "$root/lib/features.c" |
		sort -u >"$work/features"
	[ -s "$work/lost" ] && ! comm -23 "$work/lost" "$work/features" | grep .
}

plant()
{
	cp "$root"/lib/*.[ch] "$work/lib" &&
		echo "int f(void) { return $1; }" >"$work/lib/planted.c"
}

mkdir "$work/lib"
check sandboxes_refuse_each_call_of_the_library same "$root/lib" "$static"
check what_they_take_away_are_features features_are
plant 'syscall(SYS_acct, 0)'
refuse a_planted_call_is_found same "$work/lib" "$static"

# A function of libc that nobody has said the call of.
echo 'int chroot(const char *); int f(void) { return chroot("/"); }' \
	>"$work/planted.c"
"$@" -c -o "$work/planted.o" "$work/planted.c"
is_unknown()
{
	in_functions "$work/planted.o" | grep -x 'unknown chroot'
}
check a_planted_function_is_found is_unknown

finish
