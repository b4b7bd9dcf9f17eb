/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Everything at once, for as long as one likes: shims are launched and end in
 * all ways there are, others wait for them, processes of strangers are
 * attached, many are stopped, orphans are collected, pins and records are kept,
 * while one host executes itself again and again, and another, which does not,
 * makes its tracker anew.  Every end is to be told once and truly, nobody else
 * is to be signalled or reaped, and from time to time nothing is to be left.
 *
 *	soak [SECONDS]		30; at full size: 1800
 *
 * This program is the driver, which is the first process of a pid namespace of
 * few numbers, so that they soon are others'; and the hosts.  Whatever becomes
 * of it, nothing outlives it.  Says what came of it as TAP, with the figures of
 * soak.h.
 */
#include "soak.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cgroups.h"
#include "refusal.h"

#define BYSTANDERS 8
#define NUMBERS "2000" /* of processes, at a time */

struct soak *soak;
const char *soak_self;

static struct driver {
	pid_t hosts[HOSTS];
	pid_t bystanders[BYSTANDERS];
	uint32_t random;
	uint32_t strangers;
	uint32_t failed;
	int test; /* of TAP */
	bool bad;
} driver;

int64_t soak_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void soak_sleep_ms(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

int64_t soak_patience_ms(void)
{
	const char *slow = getenv("PIDTRACK_TEST_SLOW");

	return 60000 * (slow && atoi(slow) > 0 ? atoi(slow) : 1);
}

void soak_note(const char *format, ...)
{
	static int notes;
	char line[256];
	va_list args;

	if (notes++ > 40)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	dprintf(STDOUT_FILENO, "# %s\n", line);
}

const char *soak_shim(void)
{
	return getenv("PIDTRACK_TEST_SHIM") ?: "./pt-shim";
}

pid_t soak_start(const char *const *words)
{
	char *argv[16] = { (char *)"pt-shim" };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	pid_t pid;
	int r;

	for (int i = 0; words[i]; i++)
		argv[i + 1] = (char *)words[i];
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, HOST_GATE, 0);
	posix_spawnattr_init(&attributes);
	r = posix_spawn(&pid, soak_shim(), &actions, &attributes, argv,
			environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		errx(1, "%s: %s", soak_shim(), strerror(r));
	return pid;
}

static uint32_t draw(uint32_t below)
{
	driver.random = driver.random * 1664525 + 1013904223;
	return (driver.random >> 8) % below;
}

/* ---- strangers: children of ours, for hosts to attach ---- */

static void bear(struct stranger *stranger)
{
	char ms[16], code[16];
	const char *sleeps[] = { "sleep", ms, "exit", code, NULL };
	const char *waits[] = { "wait", NULL };
	bool waiting = draw(3) == 0;
	int32_t will = (int32_t)draw(256);

	snprintf(ms, sizeof(ms), "%u", draw(300));
	snprintf(code, sizeof(code), "%d", will);
	stranger->will = waiting ? SIGTERM : will << 8;
	stranger->waits = waiting;
	stranger->attached = stranger->reaped = stranger->told = false;
	stranger->pid = soak_start(waiting ? waits : sleeps);
	driver.strangers++;
}

static void reap(struct stranger *stranger)
{
	int status;
	pid_t pid = waitpid(stranger->pid, &status, WNOHANG);

	if (pid == 0)
		return;
	if (pid < 0) {
		soak_note("a stranger was reaped by others");
		driver.failed++;
	} else if (status != stranger->will) {
		soak_note("a stranger ended with %#x, not %#x",
			  (unsigned int)status, (unsigned int)stranger->will);
		driver.failed++;
	}
	stranger->reaped = true;
}

static void tend(struct stranger *stranger)
{
	if (stranger->pid == 0)
		bear(stranger);
	else if (!stranger->reaped && stranger->attached && draw(3) == 0)
		reap(stranger);
	else if (stranger->reaped && stranger->told)
		stranger->pid = 0;
}

static void end_strangers(void)
{
	for (int i = 0; i < HOSTS * STRANGERS; i++) {
		struct stranger *stranger =
			&soak->strangers[i / STRANGERS][i % STRANGERS];

		if (stranger->pid == 0 || stranger->reaped)
			continue;
		kill(stranger->pid, SIGKILL);
		waitpid(stranger->pid, NULL, 0);
	}
}

/* ---- bystanders ---- */

/* Any signal ends one, or stops it. */
static void look_at_bystanders(void)
{
	for (int i = 0; i < BYSTANDERS; i++) {
		siginfo_t seen = { .si_pid = 0 };

		if (driver.bystanders[i] == 0 ||
		    (!waitid(P_PID, (id_t)driver.bystanders[i], &seen,
			     WEXITED | WSTOPPED | WNOHANG) &&
		     seen.si_pid == 0))
			continue;
		soak_note("a bystander was signalled: %d", seen.si_status);
		soak->hosts[0].figures.signalled++;
		driver.bystanders[i] = 0;
	}
}

static void end_bystanders(void)
{
	for (int i = 0; i < BYSTANDERS; i++) {
		if (driver.bystanders[i] == 0)
			continue;
		kill(driver.bystanders[i], SIGKILL);
		waitpid(driver.bystanders[i], NULL, 0);
	}
}

/* ---- hosts ---- */

static void start_host(uint32_t number)
{
	char text[16];

	soak->hosts[number].random = number + 1;
	soak->hosts[number].handoff = -1;
	soak->hosts[number].quiet_ms = soak_now_ms() + soak->round_ms;
	snprintf(text, sizeof(text), "%u", number);
	fflush(NULL);
	driver.hosts[number] = fork();
	if (driver.hosts[number] < 0)
		err(1, "fork");
	if (driver.hosts[number] > 0)
		return;
	/* what is freed is to be seen as free */
	setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
	execl("/proc/self/exe", soak_self, "host", text, (char *)NULL);
	_exit(127);
}

/* False as long as there is one. */
static bool hosts_have_ended(void)
{
	bool ended = true;

	for (int i = 0; i < HOSTS; i++) {
		int status;
		pid_t pid = driver.hosts[i] ?
				    waitpid(driver.hosts[i], &status, WNOHANG) :
				    0;

		ended = ended && (driver.hosts[i] == 0 || pid != 0);
		if (pid == 0)
			continue;
		driver.hosts[i] = 0;
		if (status != 0) {
			soak_note("host %d ended with %#x", i,
				  (unsigned int)status);
			driver.failed++;
		}
	}
	return ended;
}

static void watch_hosts(void)
{
	int64_t late_ms = soak->end_ms + 2 * soak_patience_ms();

	while (!hosts_have_ended()) {
		for (int i = 0; i < HOSTS * STRANGERS; i++)
			tend(&soak->strangers[i / STRANGERS][i % STRANGERS]);
		look_at_bystanders();
		if (soak_now_ms() > late_ms) {
			soak_note("hosts do not end");
			driver.failed++;
			break;
		}
		soak_sleep_ms(5);
	}
}

/* ---- what came of it ---- */

static void say(bool good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++driver.test, what);
	driver.bad |= !good;
}

static void tell_figures(const char *name, const struct figures *sum)
{
	printf("# %s, %s: %u shims, %u told, %u lost, %u doubled, %u wrong; %u "
	       "of others reaped, %u signalled, %u left\n",
	       getenv("PIDTRACK_BACKEND") ?: "any", name, sum->launched,
	       sum->told, sum->lost, sum->doubled, sum->wrong, sum->foreign,
	       sum->signalled, sum->left);
	printf("# stolen %u, recovered %u, not to be known %u; attached %u, "
	       "stopped %u, by a further signal %u; released %u, refused %u, "
	       "children of its own %u\n",
	       sum->stolen, sum->recovered, sum->unknown, sum->attached,
	       sum->stopped, sum->escalated, sum->released, sum->refused,
	       sum->kids);
	printf("# executed %u, cancelled %u, made anew %u, pins found %u, "
	       "records %u, orphans collected %u; looked %u times: %u to %u "
	       "descriptors, at most %d bytes allocated and %d kB resident "
	       "more\n",
	       sum->executed, sum->cancelled, sum->renewed, sum->pins,
	       sum->recorded, sum->orphans, sum->quiets, sum->fds[0],
	       sum->fds[1], sum->bytes, sum->resident_kb);
}

static uint32_t add(size_t offset)
{
	uint32_t sum = 0;

	for (int i = 0; i < HOSTS; i++)
		sum += *(const _Atomic uint32_t *)((const char *)&soak->hosts[i]
							   .figures +
						   offset);
	return sum;
}

#define ADD(field) add(offsetof(struct figures, field))

bool soak_had_everything(void)
{
	return ADD(stolen) > 0 && (ADD(recovered) > 0 || !soak->tells) &&
	       ADD(attached) > 0 && ADD(stopped) > 0 && ADD(escalated) > 0 &&
	       ADD(released) > 0 && ADD(kids) > 0 && ADD(executed) > 0 &&
	       ADD(renewed) > 0 && (ADD(pins) > 0 || !soak->pins) &&
	       ADD(orphans) > 0 && ADD(recorded) > 0 && ADD(quiets) > 0;
}

/* Allocators of sanitizers keep what was freed, as does a checked library. */
static void say_memory_is_flat(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
	defined(PT_CHECKED)
	printf("ok %d - memory_is_flat # SKIP what is freed is kept, in this "
	       "build\n",
	       ++driver.test);
#else
	bool flat = true;

	for (int i = 0; i < HOSTS; i++)
		flat = flat && soak->hosts[i].figures.bytes < 4096 &&
		       soak->hosts[i].figures.resident_kb < 2048;
	say(flat, "memory_is_flat");
#endif
}

static bool descriptors_are_flat(void)
{
	bool flat = true;

	for (int i = 0; i < HOSTS; i++)
		flat = flat && soak->hosts[i].figures.fds[1] -
					       soak->hosts[i].figures.fds[0] <=
				       4;
	return flat;
}

static void tell(void)
{
	char name[32];

	for (int i = 0; i < HOSTS; i++) {
		snprintf(name, sizeof(name), "host %d", i);
		tell_figures(name, &soak->hosts[i].figures);
	}
	printf("1..9\n");
	say(soak_had_everything(), "there_was_everything");
	say(ADD(told) > 0 && ADD(lost) == 0 && ADD(doubled) == 0,
	    "every_end_is_told_once");
	say(ADD(wrong) == 0, "every_status_is_right_or_nobodys_to_know");
	say(ADD(signalled) == 0, "nobody_else_is_signalled");
	say(ADD(foreign) == 0, "no_child_is_reaped_that_was_not_given");
	say(ADD(failed) == 0 && driver.failed == 0, "nothing_fails");
	say(ADD(left) == 0, "nothing_is_left");
	say(descriptors_are_flat(), "descriptors_are_flat");
	say_memory_is_flat();
	fflush(stdout);
}

/* ---- all of it ---- */

/* In namespaces whose end is that of all that is in them. */
static int drive(void)
{
	static const char *const waits[] = { "wait", NULL };

	for (int i = 0; i < BYSTANDERS; i++)
		driver.bystanders[i] = soak_start(waits);
	for (uint32_t i = 0; i < HOSTS; i++)
		start_host(i);
	watch_hosts();
	for (int i = 0; i < HOSTS; i++)
		if (driver.hosts[i])
			kill(driver.hosts[i], SIGKILL);
	end_strangers();
	look_at_bystanders();
	end_bystanders();
	if (!driver.bad && (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD))
		soak->hosts[0].figures.left++;
	tell();
	return driver.bad ? 1 : 0;
}

/* Linux 6.14; before, that file is the whole machine's. */
static bool pid_max_is_of_namespaces(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	sscanf(name.release, "%d.%d", &major, &minor);
	return major > 6 || (major == 6 && minor >= 14);
}

static void be_first(void)
{
	int fd = -1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mount("proc", "/proc", "proc", 0, NULL) < 0)
		err(1, "/proc");
	if (pid_max_is_of_namespaces())
		fd = open("/proc/sys/kernel/pid_max", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, NUMBERS, strlen(NUMBERS)) < 0)
		soak_note("pid_max stays: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	exit(drive());
}

static int fd_at(int fd, int number)
{
	if (fd < 0 || dup2(fd, number) < 0)
		err(1, "descriptors");
	close(fd);
	return number;
}

static void make_memory(void)
{
	int fd = memfd_create("soak", MFD_CLOEXEC), gate[2];

	if (fd < 0 || ftruncate(fd, sizeof(*soak)) < 0)
		err(1, "memfd");
	fd_at(fd, HOST_MEMORY);
	if (pipe2(gate, O_CLOEXEC) < 0)
		err(1, "pipe");
	fd_at(gate[0], HOST_GATE);
}

static void find_memory(void)
{
	soak = mmap(NULL, sizeof(*soak), PROT_READ | PROT_WRITE, MAP_SHARED,
		    HOST_MEMORY, 0);
	if (soak == MAP_FAILED)
		err(1, "mmap");
}

/* A mount namespace of our own, and a directory that goes with it. */
static bool make_room(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	snprintf(soak->room, sizeof(soak->room), "/tmp/pidtrack-soak-XXXXXX");
	if (!mkdtemp(soak->room))
		return false;
	return mount("soak", soak->room, "tmpfs", 0, "mode=0755") == 0;
}

static void remove_room(void)
{
	if (!soak->room[0])
		return;
	umount2(soak->room, MNT_DETACH);
	rmdir(soak->room);
}

static void make_cgroup(void)
{
	char mounted[256], own[256];

	if (!mount_find("cgroup2", mounted, sizeof(mounted)))
		return;
	cgroup_own(own, sizeof(own));
	snprintf(soak->cgroup, sizeof(soak->cgroup), "%s%s/pidtrack-soak-%d",
		 mounted, own, getpid());
	if (mkdir(soak->cgroup, 0755) < 0)
		soak->cgroup[0] = '\0';
}

/* Whoever was in it is dead, or about to be. */
static void remove_cgroup(void)
{
	DIR *directory = soak->cgroup[0] ? opendir(soak->cgroup) : NULL;
	struct dirent *child;

	while (directory && (child = readdir(directory)))
		if (child->d_type == DT_DIR && child->d_name[0] != '.')
			while (unlinkat(dirfd(directory), child->d_name,
					AT_REMOVEDIR) < 0 &&
			       errno == EBUSY)
				sched_yield();
	if (directory)
		closedir(directory);
	if (soak->cgroup[0])
		rmdir(soak->cgroup);
}

static void prepare(int64_t seconds)
{
	int64_t round_ms = seconds * 1000 / 10;

	soak->round_ms = round_ms < 1000  ? 1000 :
			 round_ms > 20000 ? 20000 :
					    round_ms;
	soak->end_ms = soak_now_ms() + seconds * 1000;
	soak->tells = !pidtrack_feature_probe(PIDTRACK_FEATURE_EXIT_INFO);
	soak->pidfs = !pidtrack_feature_probe(PIDTRACK_FEATURE_PIDFS);
	soak->pins = !pidtrack_feature_probe(PIDTRACK_FEATURE_PIN);
}

static volatile sig_atomic_t first;

/* All ends with the first of a namespace; what is left is a directory or two.
 */
static void be_stopped(int signal)
{
	(void)signal;
	if (first > 0)
		kill(first, SIGKILL);
}

static int play(int64_t seconds)
{
	struct sigaction action = { .sa_handler = be_stopped,
				    .sa_flags = SA_RESTART };
	int status = -1;
	pid_t pid;

	make_memory();
	find_memory();
	if (!make_room()) {
		remove_room();
		printf("1..1\nok 1 # SKIP no namespaces: %s\n",
		       strerror(errno));
		return 0;
	}
	make_cgroup();
	prepare(seconds);
	driver.random = 1;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		be_first();
	first = pid;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		warn("no driver");
	remove_cgroup();
	remove_room();
	return status == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	int status;

	soak_self = argv[0];
	if (argc > 2 && !strcmp(argv[1], "host")) {
		find_memory();
		return soak_host((uint32_t)atoi(argv[2]));
	}
	if (argc > 2 || (argc > 1 && atol(argv[1]) <= 0)) {
		fputs("usage: soak [SECONDS]\n", stderr);
		return 2;
	}
	if (refusal_here()) {
		printf("1..1\nok 1 # SKIP it wants everything at once, and the "
		       "sandbox refuses %s\n",
		       refusal_here());
		return 0;
	}
	status = play(argc > 1 ? atol(argv[1]) : 30);
	fflush(NULL);
	_exit(status); /* LeakSanitizer wants its children where it is */
}
