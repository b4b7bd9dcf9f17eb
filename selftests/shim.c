/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A shim for tests, which does as its arguments say, one after the other, and
 * then exits with 0.  Nothing of the library; linked statically.
 *
 *	exit N		ends with that code
 *	kill SIG	sends itself a signal, by name or number
 *	stop		sends itself SIGSTOP
 *	wait		until standard input ends
 *	sleep MS	for so many milliseconds
 *	pause		until a signal that "catch" named came
 *	ignore SIG	from here on
 *	catch SIG	from here on: prints "caught N"
 *	write TEXT	prints it
 *	fork		makes a child, which ends when standard input does
 *	fork-orphan	prints the pid of a grandchild, whose parent has ended,
 *			and which ends when standard input does
 *
 * and these print one line about what it was given:
 *
 *	argv		its arguments, argv[0] first, each in brackets
 *	caps		inh prm eff bnd amb, in hexadecimal
 *	cgroup		path in the cgroup2 hierarchy
 *	comm		its name
 *	cwd
 *	env NAME	value, or "unset"
 *	fd N		what it is, as /proc has it, or "closed"
 *	fds		numbers of those open
 *	file N		device:inode of what it is, or "closed"
 *	ids		uid gid, each real, effective, saved; groups
 *	limits		"resource=soft:hard" of each, by number
 *	nnp		no_new_privs: 0 or 1
 *	ns NAME		inode of a namespace
 *	pdeathsig	number of the parent-death signal
 *	session		pid ppid pgid sid
 *	sigs		blk ign cgt, in hexadecimal
 *	umask		in octal
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static char line[65536];
static size_t line_size;
static char **arguments;
static volatile sig_atomic_t caught;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line + line_size, sizeof(line) - line_size, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(line) - line_size)
		_exit(125);
	line_size += n;
}

static void say_end(void)
{
	say("\n");
	if (write(STDOUT_FILENO, line, line_size) != (ssize_t)line_size)
		_exit(124);
	line_size = 0;
}

static int signal_number(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = {
		{ "ABRT", SIGABRT }, { "ALRM", SIGALRM }, { "CHLD", SIGCHLD },
		{ "CONT", SIGCONT }, { "HUP", SIGHUP },	  { "INT", SIGINT },
		{ "KILL", SIGKILL }, { "PIPE", SIGPIPE }, { "QUIT", SIGQUIT },
		{ "SEGV", SIGSEGV }, { "STOP", SIGSTOP }, { "TERM", SIGTERM },
		{ "TSTP", SIGTSTP }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 },
	};
	size_t i;

	if (!strncmp(name, "SIG", 3))
		name += 3;
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		if (!strcmp(signals[i].name, name))
			return signals[i].number;
	return atoi(name);
}

/* ---- doing ---- */

static void do_exit(const char *code)
{
	_exit(atoi(code));
}

static void do_kill(const char *signal)
{
	raise(signal_number(signal));
}

static void do_stop(const char *unused)
{
	raise(SIGSTOP);
}

static void do_wait(const char *unused)
{
	char byte;
	ssize_t n;

	do
		n = read(STDIN_FILENO, &byte, 1);
	while (n > 0 || (n < 0 && errno == EINTR));
}

/* With nothing shared: it may come while a line is being made. */
static void catch (int signal)
{
	char text[32];
	int n;

	caught = signal;
	n = snprintf(text, sizeof(text), "caught %d\n", signal);
	if (write(STDOUT_FILENO, text, n) != n)
		_exit(124);
}

static void do_catch(const char *name)
{
	struct sigaction action = { .sa_handler = catch };

	sigaction(signal_number(name), &action, NULL);
}

static void do_pause(const char *unused)
{
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	while (!caught)
		sigsuspend(&old);
	caught = 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void do_sleep(const char *ms)
{
	struct timespec time = { .tv_sec = atol(ms) / 1000,
				 .tv_nsec = atol(ms) % 1000 * 1000000 };

	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
}

static void do_ignore(const char *name)
{
	signal(signal_number(name), SIG_IGN);
}

static void do_write(const char *text)
{
	say("%s", text);
	say_end();
}

static void do_fork(const char *unused)
{
	if (fork())
		return;
	do_wait(NULL);
	_exit(0);
}

static void do_fork_orphan(const char *unused)
{
	pid_t pid = fork();

	if (!pid) {
		if (fork())
			_exit(0);
		say("%d", getpid());
		say_end();
		do_wait(NULL);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

/* ---- telling ---- */

static void say_file_field(const char *path, const char *field,
			   const char *title)
{
	char text[512];
	FILE *file = fopen(path, "re");
	size_t size = strlen(field);

	while (file && fgets(text, sizeof(text), file)) {
		if (strncmp(text, field, size))
			continue;
		text[strcspn(text, "\n")] = '\0';
		say("%s%s%s", line_size ? " " : "", title,
		    text + size + strspn(text + size, "\t "));
	}
	if (file)
		fclose(file);
}

static void say_link(const char *directory, const char *name,
		     const char *otherwise)
{
	char path[300], target[512];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	say("%s", n > 0 ? target : otherwise);
}

static void say_argv(const char *unused)
{
	int i;

	for (i = 0; arguments[i]; i++)
		say("%s[%s]", i ? " " : "", arguments[i]);
}

static void say_caps(const char *unused)
{
	static const char *const sets[] = { "Inh", "Prm", "Eff", "Bnd", "Amb" };
	static const char *const titles[] = { "inh ", "prm ", "eff ", "bnd ",
					      "amb " };
	char field[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sets); i++) {
		snprintf(field, sizeof(field), "Cap%s:", sets[i]);
		say_file_field("/proc/self/status", field, titles[i]);
	}
}

static void say_cgroup(const char *unused)
{
	say_file_field("/proc/self/cgroup", "0::", "");
}

static void say_comm(const char *unused)
{
	char name[16] = "";

	prctl(PR_GET_NAME, name);
	say("%s", name);
}

static void say_cwd(const char *unused)
{
	char path[4096];

	say("%s", getcwd(path, sizeof(path)) ? path : "unknown");
}

static void say_env(const char *name)
{
	const char *value = getenv(name);

	say("%s", value ? value : "unset");
}

static void say_fd(const char *number)
{
	say_link("/proc/self/fd", number, "closed");
}

static void say_fds(const char *unused)
{
	struct rlimit limit = { .rlim_cur = 1024 };
	int fd;

	getrlimit(RLIMIT_NOFILE, &limit);
	for (fd = 0; fd < (int)limit.rlim_cur && fd < 65536; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			say("%s%d", line_size ? " " : "", fd);
}

static void say_file(const char *number)
{
	struct stat file;

	if (fstat(atoi(number), &file) < 0)
		say("closed");
	else
		say("%ju:%ju", (uintmax_t)file.st_dev, (uintmax_t)file.st_ino);
}

static void say_ids(const char *unused)
{
	gid_t groups[256];
	int i, n = getgroups(ARRAY_SIZE(groups), groups);
	uid_t uids[3];
	gid_t gids[3];

	getresuid(&uids[0], &uids[1], &uids[2]);
	getresgid(&gids[0], &gids[1], &gids[2]);
	say("uid %u %u %u gid %u %u %u groups", uids[0], uids[1], uids[2],
	    gids[0], gids[1], gids[2]);
	for (i = 0; i < n; i++)
		say(" %u", groups[i]);
}

static void say_limit(rlim_t limit)
{
	if (limit == RLIM_INFINITY)
		say("inf");
	else
		say("%llu", (unsigned long long)limit);
}

static void say_limits(const char *unused)
{
	struct rlimit limit;
	int i;

	for (i = 0; i < (int)RLIM_NLIMITS; i++) {
		if (getrlimit(i, &limit) < 0)
			continue;
		say("%s%d=", i ? " " : "", i);
		say_limit(limit.rlim_cur);
		say(":");
		say_limit(limit.rlim_max);
	}
}

static void say_nnp(const char *unused)
{
	say("%d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static void say_ns(const char *name)
{
	say_link("/proc/self/ns", name, "unknown");
}

static void say_pdeathsig(const char *unused)
{
	int signal = 0;

	prctl(PR_GET_PDEATHSIG, &signal);
	say("%d", signal);
}

static void say_session(const char *unused)
{
	say("%d %d %d %d", getpid(), getppid(), getpgrp(), getsid(0));
}

/* Asks the kernel, since libc keeps some to itself; as /proc shows them, where
 * there may be none. */
static void say_sigs(const char *unused)
{
	/* at least as large as the kernel's, whose first word it is */
	struct {
		uintptr_t handler;
		uint64_t rest[20];
	} action;
	uint64_t blocked = 0, ignored = 0, handled = 0;
	int i;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &blocked, 8);
	for (i = 1; i <= 64; i++) {
		uint64_t bit = UINT64_C(1) << (i - 1);

		if (syscall(SYS_rt_sigaction, i, NULL, &action, 8) < 0)
			continue;
		if (action.handler == (uintptr_t)SIG_IGN)
			ignored |= bit;
		else if (action.handler != (uintptr_t)SIG_DFL)
			handled |= bit;
	}
	say("blk %016jx ign %016jx cgt %016jx", (uintmax_t)blocked,
	    (uintmax_t)ignored, (uintmax_t)handled);
}

static void say_umask(const char *unused)
{
	mode_t mask = umask(0);

	umask(mask);
	say("%04o", mask);
}

static const struct command {
	const char *name;
	void (*run)(const char *argument);
	int n_arguments;
	int says; /* a line, which main() ends */
} commands[] = {
	{ "exit", do_exit, 1, 0 },
	{ "kill", do_kill, 1, 0 },
	{ "stop", do_stop, 0, 0 },
	{ "wait", do_wait, 0, 0 },
	{ "sleep", do_sleep, 1, 0 },
	{ "pause", do_pause, 0, 0 },
	{ "ignore", do_ignore, 1, 0 },
	{ "catch", do_catch, 1, 0 },
	{ "write", do_write, 1, 0 },
	{ "fork", do_fork, 0, 0 },
	{ "fork-orphan", do_fork_orphan, 0, 0 },
	{ "argv", say_argv, 0, 1 },
	{ "caps", say_caps, 0, 1 },
	{ "cgroup", say_cgroup, 0, 1 },
	{ "comm", say_comm, 0, 1 },
	{ "cwd", say_cwd, 0, 1 },
	{ "env", say_env, 1, 1 },
	{ "fd", say_fd, 1, 1 },
	{ "fds", say_fds, 0, 1 },
	{ "file", say_file, 1, 1 },
	{ "ids", say_ids, 0, 1 },
	{ "limits", say_limits, 0, 1 },
	{ "nnp", say_nnp, 0, 1 },
	{ "ns", say_ns, 1, 1 },
	{ "pdeathsig", say_pdeathsig, 0, 1 },
	{ "session", say_session, 0, 1 },
	{ "sigs", say_sigs, 0, 1 },
	{ "umask", say_umask, 0, 1 },
};

static const struct command *command_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	int i;

	arguments = argv;
	for (i = 1; i < argc; i++) {
		const struct command *command = command_find(argv[i]);

		if (!command || i + command->n_arguments >= argc) {
			dprintf(STDERR_FILENO, "pt-shim: '%s'?\n", argv[i]);
			return 126;
		}
		i += command->n_arguments;
		command->run(argv[i]);
		if (command->says)
			say_end();
	}
	return 0;
}
