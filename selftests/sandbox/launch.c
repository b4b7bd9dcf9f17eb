/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Executes a program in a sandbox.
 *
 *	launch CELL PROGRAM [ARGUMENT...]
 *	launch --list		every CELL there is, and what it is, a line each
 *	launch --calls		the system calls that a CELL can refuse
 *	launch --lost CELL	FEATURE=ERRNO that CELL takes away, a line each
 *
 * CELL is words joined by "+".  CALL=ENOSYS and CALL=EPERM refuse one system
 * call: to the program and all it starts, by seccomp; or where no program gets
 * to its tests without it, and with "alone+" wherever it can be done, to the
 * library in the program alone, by what is loaded into it (refuse.c).  Other
 * words are below.  Exits with 77 and a reason where the sandbox cannot be had.
 *
 * PIDTRACK_TEST_SANDBOX tells the program the CELL.  If the library has no
 * other way than that call, PIDTRACK_TEST_REFUSED has its name and the errno,
 * and a test that is told so is over (harness.h).  If it has one,
 * PIDTRACK_TEST_OTHER_WAY has them, for tests that refuse that one.
 *
 * PIDTRACK_TEST_NOTES names a directory: "as-it-is" notes there which calls
 * the library makes in PROGRAM.  Where nothing is refused but one call, to the
 * library alone, and it did not make that, PROGRAM is skipped.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../calls.h"
#include "../seccomp.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define EXIT_NOT_HERE 77
#define NOBODY 65534
#define SHIFT 100000 /* root of a user namespace, outside of it */

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080 /* Linux 5.6 */
#endif

__attribute__((format(printf, 1, 2), noreturn)) static void
not_here(const char *format, ...)
{
	int error = errno;
	va_list args;

	va_start(args, format);
	fputs("sandbox: ", stderr);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(error));
	exit(EXIT_NOT_HERE);
}

/* ---- what a cell is made of ---- */

struct cell {
	int namespaces; /* CLONE_NEW */
	bool no_proc;
	bool hidepid;
	bool nobody;
	bool alone;	/* refused to the library alone */
	int files;	/* RLIMIT_NOFILE, or -1 */
	int memory;	/* RLIMIT_MEMLOCK, or -1 */
	uint64_t bound; /* capabilities that are left; 0: as they are */
	const struct call *call; /* refused by its own, with: */
	int error;
	int (*filter)(void);
};

#define CAP(name) (UINT64_C(1) << CAP_##name)

/* Docker's default; Podman's lack MKNOD, NET_RAW and AUDIT_WRITE. */
#define CAPS_PODMAN                                                            \
	(CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FSETID) | CAP(FOWNER) |          \
	 CAP(SETGID) | CAP(SETUID) | CAP(SETFCAP) | CAP(SETPCAP) | CAP(KILL) | \
	 CAP(NET_BIND_SERVICE) | CAP(SYS_CHROOT))
#define CAPS_DOCKER (CAPS_PODMAN | CAP(MKNOD) | CAP(NET_RAW) | CAP(AUDIT_WRITE))

static int refuse_all(const int *numbers, size_t n, int error)
{
	size_t i;
	int r = 0;

	for (i = 0; !r && i < n; i++)
		r = seccomp_refuse(numbers[i], error);
	return r;
}

/* moby's default.json without CAP_SYS_ADMIN, of what is called here. */
static int filter_docker(void)
{
	static const int numbers[] = {
		SYS_io_uring_setup,
		SYS_io_uring_enter,
		SYS_io_uring_register,
		SYS_open_by_handle_at,
		SYS_open_tree,
		SYS_move_mount,
		SYS_fsopen,
		SYS_fsconfig,
		SYS_fsmount,
		SYS_mount_setattr,
		SYS_mount,
		SYS_umount2,
		SYS_unshare,
		SYS_setns,
		SYS_kcmp,
		SYS_pidfd_getfd,
		SYS_bpf,
		SYS_perf_event_open,
		SYS_pivot_root,
		SYS_userfaultfd,
		SYS_keyctl,
	};
	int r;

	r = refuse_all(numbers, ARRAY_SIZE(numbers), EPERM);
	if (!r)
		r = seccomp_refuse(SYS_clone3, ENOSYS);
	/* clone() with CLONE_NEW of any namespace */
	if (!r)
		r = seccomp_refuse_bits(SYS_clone, 0, 0x7e020000, EPERM);
	return r;
}

/* containers/common's seccomp.json: what it does not know is ENOSYS. */
static int filter_podman(void)
{
	static const int unknown[] = {
		SYS_io_uring_setup,
		SYS_io_uring_enter,
		SYS_io_uring_register,
		SYS_mount_setattr,
	};
	static const int forbidden[] = {
		SYS_open_by_handle_at,
		SYS_setns,
		SYS_kcmp,
		SYS_ptrace,
		SYS_bpf,
		SYS_perf_event_open,
		SYS_userfaultfd,
	};
	int r;

	r = refuse_all(unknown, ARRAY_SIZE(unknown), ENOSYS);
	if (!r)
		r = refuse_all(forbidden, ARRAY_SIZE(forbidden), EPERM);
	return r;
}

/* SystemCallFilter=@system-service: without @mount and handles. */
static int filter_service(void)
{
	static const int numbers[] = {
		SYS_open_by_handle_at,
		SYS_open_tree,
		SYS_move_mount,
		SYS_fsopen,
		SYS_fsconfig,
		SYS_fsmount,
		SYS_mount_setattr,
		SYS_mount,
		SYS_umount2,
		SYS_pivot_root,
		SYS_chroot,
		SYS_ptrace,
		SYS_bpf,
		SYS_perf_event_open,
		SYS_pidfd_getfd,
	};

	return refuse_all(numbers, ARRAY_SIZE(numbers), EPERM);
}

static int filter_aio(void)
{
	static const int numbers[] = { SYS_io_uring_setup, SYS_io_uring_enter,
				       SYS_io_uring_register };

	return refuse_all(numbers, ARRAY_SIZE(numbers), EPERM);
}

static int filter_service_no_aio(void)
{
	int r = filter_service();

	return r ? r : filter_aio();
}

/* Rings that are there already go on. */
static int filter_no_new_rings(void)
{
	return seccomp_refuse(SYS_io_uring_setup, EPERM);
}

#define LOST_RING "ring=EPERM ring-waitid=EPERM park=EPERM "
#define LOST_ADMIN "pin=EPERM xattr=EPERM "

static const struct word {
	const char *name;
	const char *what;
	const char *lost;
	struct cell cell; /* what it adds */
} words[] = {
	{ "as-it-is", "no sandbox", "", { 0 } },
	{ "alone",
	  "with a call: that is refused to the library alone",
	  "",
	  { .alone = true } },
	{ "docker",
	  "Docker's default profile and capabilities",
	  "clone3=ENOSYS clone-into-cgroup=ENOSYS clone-autokill=ENOSYS "
	  "handle-open=EPERM " LOST_RING LOST_ADMIN,
	  { .filter = filter_docker, .bound = CAPS_DOCKER } },
	{ "podman",
	  "Podman's default profile and capabilities",
	  "ring=ENOSYS ring-waitid=ENOSYS park=ENOSYS "
	  "handle-open=EPERM " LOST_ADMIN,
	  { .filter = filter_podman, .bound = CAPS_PODMAN } },
	{ "systemd",
	  "a unit with SystemCallFilter=@system-service",
	  "pin=EPERM handle-open=EPERM",
	  { .filter = filter_service } },
	{ "systemd-no-aio",
	  "the same with ~@aio",
	  "pin=EPERM handle-open=EPERM " LOST_RING,
	  { .filter = filter_service_no_aio } },
	{ "io-uring-disabled-1",
	  "kernel.io_uring_disabled=1 for one without CAP_SYS_ADMIN, as "
	  "seccomp can show it: new rings are refused, by EPERM",
	  LOST_RING LOST_ADMIN,
	  { .filter = filter_no_new_rings, .nobody = true } },
	{ "io-uring-disabled-2",
	  "kernel.io_uring_disabled=2, as seccomp can show it: new rings are "
	  "refused to root, by EPERM",
	  LOST_RING,
	  { .filter = filter_no_new_rings } },
	{ "no-proc",
	  "an empty directory for /proc",
	  "proc=ENOENT",
	  { .no_proc = true } },
	{ "hidepid",
	  "/proc with hidepid=2, for an unprivileged user",
	  LOST_ADMIN,
	  { .hidepid = true, .nobody = true } },
	{ "nobody", "an unprivileged user", LOST_ADMIN, { .nobody = true } },
	{ "user-namespace",
	  "root of a user namespace, nobody outside of it",
	  LOST_ADMIN,
	  { .namespaces = CLONE_NEWUSER } },
	{ "pid-namespace",
	  "a pid namespace with its own /proc",
	  "",
	  { .namespaces = CLONE_NEWPID | CLONE_NEWNS } },
	{ "mount-namespace",
	  "a mount namespace, private",
	  "",
	  { .namespaces = CLONE_NEWNS } },
	{ "time-namespace",
	  "a time namespace whose boot was a day earlier",
	  "",
	  { .namespaces = CLONE_NEWTIME } },
	{ "container",
	  "user, pid, mount and time namespaces at once",
	  LOST_ADMIN,
	  { .namespaces = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS |
			  CLONE_NEWTIME } },
	{ "nofile-64", "RLIMIT_NOFILE of 64", "", { .files = 64 } },
	{ "memlock-0",
	  "RLIMIT_MEMLOCK of 0, for an unprivileged user",
	  "ring=ENOMEM? ring-waitid=ENOMEM? park=ENOMEM? " LOST_ADMIN,
	  { .memory = 0, .nobody = true } },
};

static const struct word *word_of(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i].name, name))
			return &words[i];
	return NULL;
}

/* CALL=ERRNO */
static bool refusal_of(const char *name, struct cell *cell)
{
	const char *equals = strchr(name, '=');
	size_t i;

	if (!equals)
		return false;
	if (!strcmp(equals, "=ENOSYS"))
		cell->error = ENOSYS;
	else if (!strcmp(equals, "=EPERM"))
		cell->error = EPERM;
	else
		return false;
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (strlen(calls[i].name) == (size_t)(equals - name) &&
		    !strncmp(calls[i].name, name, equals - name) &&
		    calls[i].whose != NOBODYS)
			cell->call = &calls[i];
	return cell->call;
}

/* Also what each takes away, told if @tell. */
static void cell_add(struct cell *cell, const char *name, bool tell)
{
	const struct word *word = word_of(name);
	char lost[512], *each, *rest = lost;

	if (!word && !refusal_of(name, cell)) {
		fprintf(stderr, "sandbox: no cell '%s'\n", name);
		exit(2);
	}
	if (word) {
		cell->namespaces |= word->cell.namespaces;
		cell->no_proc |= word->cell.no_proc;
		cell->hidepid |= word->cell.hidepid;
		cell->nobody |= word->cell.nobody;
		cell->alone |= word->cell.alone;
		if (word->cell.files)
			cell->files = word->cell.files;
		if (!strcmp(name, "memlock-0"))
			cell->memory = 0;
		if (word->cell.bound)
			cell->bound = word->cell.bound;
		if (word->cell.filter)
			cell->filter = word->cell.filter;
	}
	snprintf(lost, sizeof(lost), "%s",
		 word ? word->lost : cell->call->lost);
	while (tell && (each = strsep(&rest, " "))) {
		if (!*each)
			continue;
		printf("%s%s\n", each,
		       strchr(each, '=')     ? "" :
		       cell->error == ENOSYS ? "=ENOSYS" :
					       "=EPERM");
	}
}

static bool is_by_seccomp(const struct cell *cell)
{
	return cell->call->whose == PAST_LIBC ||
	       (cell->call->whose == ANYBODYS && !cell->alone);
}

static struct cell cell_of(const char *text, bool tell)
{
	struct cell cell = { .files = -1, .memory = -1 };
	char *copy = strdup(text), *rest = copy, *name;

	while ((name = strsep(&rest, "+")))
		cell_add(&cell, name, tell);
	free(copy);
	return cell;
}

/* ---- namespaces ---- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		not_here("%s", path);
	close(fd);
}

/* By a child that is still outside, as only it may map others. */
static void map_from_outside(int go)
{
	char path[64], map[64], byte;
	pid_t inside = getppid();

	if (read(go, &byte, 1) != 1)
		_exit(1);
	snprintf(map, sizeof(map), "0 %d 65536", SHIFT);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", inside);
	write_file(path, map);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", inside);
	write_file(path, map);
	_exit(0);
}

static void enter_user_namespace(void)
{
	int fds[2], status;
	pid_t helper;

	if (pipe2(fds, O_CLOEXEC))
		not_here("pipe");
	helper = fork();
	if (!helper) {
		close(fds[1]);
		map_from_outside(fds[0]);
	}
	if (unshare(CLONE_NEWUSER))
		not_here("a user namespace");
	if (write(fds[1], "", 1) != 1 ||
	    waitpid(helper, &status, 0) != helper || status ||
	    setgroups(0, NULL) || setresgid(0, 0, 0) || setresuid(0, 0, 0))
		not_here("to map users");
	close(fds[0]);
	close(fds[1]);
	/* what setuid took, for the tests to look at their own /proc */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void end_as(int status)
{
	if (WIFEXITED(status))
		exit(WEXITSTATUS(status));
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	exit(128 + WTERMSIG(status));
}

/* Goes on in a child; this process ends as that one does. */
static void go_on_in_child(void)
{
	int status = 0;
	pid_t pid, one;

	pid = fork();
	if (pid < 0)
		not_here("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return;
	}
	do
		one = waitpid(-1, &status, 0);
	while (one != pid && (one > 0 || errno == EINTR));
	end_as(status);
}

static void enter_namespaces(const struct cell *cell)
{
	int others = cell->namespaces & ~CLONE_NEWUSER;

	if (cell->no_proc || cell->hidepid)
		others |= CLONE_NEWNS;
	if (cell->namespaces & CLONE_NEWUSER)
		enter_user_namespace();
	if (others && unshare(others))
		not_here("namespaces");
	if (others & CLONE_NEWTIME)
		write_file("/proc/self/timens_offsets",
			   "monotonic 86400 0\nboottime 86400 0\n");
	if (others & (CLONE_NEWPID | CLONE_NEWTIME))
		go_on_in_child();
	if (others & CLONE_NEWNS &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		not_here("private mounts");
	if (others & CLONE_NEWPID) {
		if (mount("proc", "/proc", "proc", 0, NULL))
			not_here("/proc");
		go_on_in_child();
	}
	if (cell->hidepid && mount("proc", "/proc", "proc", 0, "hidepid=2"))
		not_here("/proc with hidepid=2");
	if (cell->no_proc && mount("none", "/proc", "tmpfs", MS_RDONLY, NULL))
		not_here("a /proc that is empty");
}

/* ---- limits, filters, rights ---- */

static void limit(int resource, int number)
{
	struct rlimit both = { number, number };

	if (number >= 0 && setrlimit(resource, &both))
		not_here("a limit");
}

static void filter(const struct cell *cell)
{
	int r = 0;

	if (cell->filter)
		r = cell->filter();
	if (!r && cell->call && is_by_seccomp(cell))
		r = seccomp_refuse(cell->call->number, cell->error);
	errno = -r;
	if (r)
		not_here("seccomp");
}

static void bound(uint64_t left)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3,
						 0 };
	struct __user_cap_data_struct sets[2] = { 0 };
	int cap;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(left >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			not_here("to drop capabilities");
	if (syscall(SYS_capget, &head, sets))
		not_here("capabilities");
	for (cap = 0; cap < 2; cap++) {
		sets[cap].permitted &= (uint32_t)(left >> (32 * cap));
		sets[cap].effective = sets[cap].permitted;
		sets[cap].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, sets))
		not_here("to drop capabilities");
}

static void become_nobody(void)
{
	if (geteuid())
		return; /* is already */
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		not_here("to be another user");
}

/* ---- what the program is to know ---- */

/* PATH beside this program, into @ret_path. */
static void beside(const char *path, char ret_path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", ret_path, PATH_MAX - 32);
	char *slash;

	ret_path[n > 0 ? n : 0] = '\0';
	slash = strrchr(ret_path, '/');
	if (!slash)
		not_here("its own path");
	strcpy(slash + 1, path);
}

static void load_refusal(const struct cell *cell)
{
	char path[PATH_MAX], text[32];

	beside("libpt-refuse.so", path);
	setenv("LD_PRELOAD", path, 1);
	snprintf(text, sizeof(text), "%d %d", cell->call->number, cell->error);
	setenv("PIDTRACK_TEST_REFUSE", text, 1);
}

/* Opens what is noted of the program and its backend: or -1. */
static int open_notes(const char *program, int flags, char ret_path[PATH_MAX])
{
	const char *directory = getenv("PIDTRACK_TEST_NOTES");
	const char *backend = getenv("PIDTRACK_BACKEND");
	const char *slash = strrchr(program, '/');

	if (!directory)
		return -1;
	snprintf(ret_path, PATH_MAX, "%s/%s-%s", directory,
		 slash ? slash + 1 : program, backend ? backend : "any");
	return open(ret_path, flags | O_CLOEXEC, 0666);
}

/* Two tests of a program have one, of the calls of both. */
static void make_notes(const char *program)
{
	char path[PATH_MAX];
	int fd = open_notes(program, O_RDWR | O_CREAT, path);

	if (fd < 0)
		return;
	/* for those, too, that it executes as somebody else */
	if (ftruncate(fd, CALLS_MAX) < 0 || fchmod(fd, 0666) < 0)
		not_here("%s", path);
	close(fd);
	setenv("PIDTRACK_TEST_NOTED", path, 1);
	beside("libpt-refuse.so", path);
	setenv("LD_PRELOAD", path, 1);
}

static bool is_noted_not_to_call(const char *program, int number)
{
	char path[PATH_MAX], called = 1;
	int fd = open_notes(program, O_RDONLY, path);

	if (fd < 0)
		return false;
	if (pread(fd, &called, 1, number) != 1)
		called = 1;
	close(fd);
	return !called;
}

static bool has_nothing_to_refuse(const char *name, const struct cell *cell,
				  const char *program)
{
	const char *plus = strchr(name, '+');

	return cell->alone && cell->call && !is_by_seccomp(cell) &&
	       !strchr(plus + 1, '+') &&
	       is_noted_not_to_call(program, cell->call->number);
}

/* While /proc can still be read. */
static void load(const struct cell *cell)
{
	char path[PATH_MAX];

	if (cell->no_proc) { /* where the loader would find $ORIGIN */
		beside("../../lib", path);
		setenv("LD_LIBRARY_PATH", path, 1);
	}
	if (cell->call && !is_by_seccomp(cell))
		load_refusal(cell);
}

static void tell(const char *name, const struct cell *cell)
{
	char text[64];

	setenv("PIDTRACK_TEST_SANDBOX", name, 1);
	snprintf(text, sizeof(text), "%d %s", EMFILE, name);
	if (cell->files >= 0)
		setenv("PIDTRACK_TEST_REFUSED", text, 1);
	if (!cell->call)
		return;
	/* who does not know itself takes what is its own for another's */
	snprintf(text, sizeof(text), "%d %s",
		 cell->call->number == CALL_32(geteuid) ? EPERM : cell->error,
		 name);
	setenv(cell->call->other_way ? "PIDTRACK_TEST_OTHER_WAY" :
				       "PIDTRACK_TEST_REFUSED",
	       text, 1);
}

static int list(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		printf("%s\t%s\n", words[i].name, words[i].what);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].whose == NOBODYS)
			continue;
		printf("%s=ENOSYS\t%s unknown%s\n", calls[i].name,
		       calls[i].name,
		       calls[i].whose == EVERYBODYS ? " to the library" : "");
		printf("%s=EPERM\t%s forbidden%s\n", calls[i].name,
		       calls[i].name,
		       calls[i].whose == EVERYBODYS ? " to the library" : "");
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct cell cell;
	size_t i;

	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list();
	for (i = 0;
	     argc == 2 && !strcmp(argv[1], "--calls") && i < ARRAY_SIZE(calls);
	     i++)
		puts(calls[i].name);
	if (i)
		return 0;
	if (argc == 3 && !strcmp(argv[1], "--lost")) {
		cell_of(argv[2], true);
		return 0;
	}
	if (argc < 3) {
		fputs("usage: launch CELL PROGRAM [ARGUMENT...]\n", stderr);
		return 2;
	}
	cell = cell_of(argv[1], false);
	if (!strcmp(argv[1], "as-it-is"))
		make_notes(argv[2]);
	if (has_nothing_to_refuse(argv[1], &cell, argv[2])) {
		printf("TAP version 13\n1..1\nok 1 # SKIP the library makes "
		       "no such call here: %s\n",
		       cell.call->name);
		return 0;
	}
	errno = EPERM;
	if (cell.alone && cell.call && cell.call->number == SYS_clone3 &&
	    cell.error != ENOSYS)
		not_here("threads of the tests, whose libc has it or ENOSYS");
	load(&cell);
	enter_namespaces(&cell);
	limit(RLIMIT_NOFILE, cell.files);
	limit(RLIMIT_MEMLOCK, cell.memory);
	filter(&cell);
	if (cell.bound)
		bound(cell.bound);
	if (cell.nobody)
		become_nobody();
	tell(argv[1], &cell);
	execvp(argv[2], argv + 2);
	not_here("%s", argv[2]);
}
