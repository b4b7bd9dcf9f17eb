/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Hosts that are killed, again and again, at random and at certain points,
 * while their shims live on or die: each that ever ran is to be accounted for,
 * with its status, by the hosts to come.
 *
 *	sigkill_storm [KILLS [pins|store|records]]
 *
 * of 25 and each; at full size: 500.
 *
 * This program is the driver: it kills, and is the subreaper to which orphans
 * fall.  It is also the shims, which say in memory of the driver's how they
 * will end; the library is not asked for that.  Says what came of it as TAP.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "programs.h"
#include "refusal.h"
#include "sigkill.h"

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424 /* Linux 5.1 */
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* Linux 5.3 */
#endif

#define WAITING_MAX 64 /* shims that wait to be killed */
#define WAITING 14     /* of these are left alone */
#define NOTES_MAX 40
#define LATE_S 120 /* each mode; and a second more for each kill */

struct storm *storm;
const char *storm_self;
char storm_room[64];

static const char *const mode_names[STORM_MODES] = {
	[STORM_PINS] = "pins",
	[STORM_STORE] = "store",
	[STORM_RECORDS] = "records",
};

static const char *const window_names[WINDOWS] = {
	[CLONED] = "between clone and exec",
	[KEPT] = "while keeping",
	[UNTOLD] = "between exit and event",
	[UNACKED] = "between event and acknowledgement",
	[RECOVERING] = "while recovering",
};

static struct driver {
	enum storm_mode mode;
	int memory;
	int socket;	  /* to which shims send pidfds */
	int shims_socket; /* the other end */
	pid_t host;
	pid_t late;	   /* stopped between clone and exec; or 0 */
	uint32_t times[2]; /* it was looked at, before a host was up and since
			    */
	bool lazy;	   /* does not reap for now */
	struct {
		uint32_t id;
		int pidfd;
	} waiting[WAITING_MAX];
	uint32_t n_waiting;
	uint32_t hits[WINDOWS];
	uint32_t kills;
	uint32_t test; /* of TAP */
	bool bad;
} driver;

uint32_t storm_draw(uint32_t below)
{
	uint32_t seed = storm->random, drawn;

	do
		drawn = seed * 1664525 + 1013904223;
	while (!atomic_compare_exchange_weak(&storm->random, &seed, drawn));
	return (drawn >> 8) % below;
}

void storm_note(const char *format, ...)
{
	static uint32_t notes;
	char line[256];
	va_list args;

	if (notes++ > NOTES_MAX)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	dprintf(STDOUT_FILENO, "# %s\n", line);
}

static void sleep_us(long us)
{
	struct timespec time = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&time, NULL);
}

/* ---- as a shim ---- */

static int draw_status(void)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGUSR1 };

	return storm_draw(4) ? (int)storm_draw(256) << 8 :
			       signals[storm_draw(3)];
}

static void send_pidfd(uint32_t id)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct iovec bytes = { &id, sizeof(id) };
	struct msghdr message = { .msg_iov = &bytes,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control.bytes) };
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	memcpy(CMSG_DATA(&control.header), &pidfd, sizeof(pidfd));
	sendmsg(SHIM_SOCKET, &message, MSG_NOSIGNAL);
	close(pidfd);
}

/* Until the driver kills it, or is no more. */
static int wait_for_death(struct life *life, uint32_t id)
{
	struct pollfd driver_is_gone = { .fd = SHIM_SOCKET };

	life->will = SIGKILL;
	send_pidfd(id);
	poll(&driver_is_gone, 1, -1);
	return 99;
}

static int be_shim(uint32_t id)
{
	struct life *life;
	int status;

	storm = mmap(NULL, sizeof(*storm), PROT_READ | PROT_WRITE, MAP_SHARED,
		     SHIM_STORM, 0);
	if (storm == MAP_FAILED)
		return 98;
	life = &storm->lives[id];
	life->pid = getpid();
	status = draw_status();
	life->will = status;
	life->started++;
	if (storm_draw(4) == 0)
		return wait_for_death(life, id);
	if (storm_draw(4))
		sleep_us(storm_draw(40000));
	life->ending = 1;
	if (WIFSIGNALED(status))
		raise(WTERMSIG(status));
	return WEXITSTATUS(status);
}

/* ---- the driver and its shims ---- */

static void is_dead(uint32_t id)
{
	if (storm->lives[id].dead == 0)
		storm->lives[id].dead = storm->clock++;
}

/* An orphan; one that never became a shim has no id. */
static void reaped(pid_t pid, int status)
{
	for (uint32_t id = storm->born; id-- > 0;) {
		struct life *life = &storm->lives[id];

		if (life->pid != pid || life->reaped)
			continue;
		if (status != life->will && !life->acked) {
			storm_note("%u: ended with %#x, not %#x", id,
				   (unsigned int)status,
				   (unsigned int)life->will);
			storm->failed++;
		}
		life->reaped = 1;
		is_dead(id);
		return;
	}
}

static int status_of(const siginfo_t *info)
{
	return info->si_code == CLD_EXITED ? info->si_status << 8 :
					     info->si_status;
}

/* All orphans that ended, but not the host. */
static void reap(void)
{
	for (;;) {
		siginfo_t info = { .si_pid = 0 };

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    info.si_pid == 0 || info.si_pid == driver.host)
			return;
		if (waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG) <
		    0)
			continue;
		if (storm_hold_has_ended(info.si_pid))
			storm_note("who holds has ended");
		else
			reaped(info.si_pid, status_of(&info));
	}
}

static void take_pidfds(void)
{
	while (driver.n_waiting < WAITING_MAX) {
		union {
			struct cmsghdr header;
			char bytes[CMSG_SPACE(sizeof(int))];
		} control;
		uint32_t id;
		struct iovec bytes = { &id, sizeof(id) };
		struct msghdr message = { .msg_iov = &bytes,
					  .msg_iovlen = 1,
					  .msg_control = &control,
					  .msg_controllen = sizeof(control) };

		if (recvmsg(driver.socket, &message,
			    MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof(id) ||
		    message.msg_controllen < CMSG_LEN(sizeof(int)))
			return;
		driver.waiting[driver.n_waiting].id = id;
		memcpy(&driver.waiting[driver.n_waiting].pidfd,
		       CMSG_DATA(&control.header), sizeof(int));
		driver.n_waiting++;
	}
}

/* Kills one that waits, and sees it dead. */
static uint32_t fell(void)
{
	struct pollfd dead = { .events = POLLIN };
	uint32_t i, id;

	take_pidfds();
	if (driver.n_waiting == 0)
		return NOBODY_HERE;
	i = storm_draw(driver.n_waiting);
	id = driver.waiting[i].id;
	dead.fd = driver.waiting[i].pidfd;
	driver.waiting[i] = driver.waiting[--driver.n_waiting];
	storm->lives[id].ending = 1;
	syscall(SYS_pidfd_send_signal, dead.fd, SIGKILL, NULL, 0);
	while (poll(&dead, 1, -1) < 0 && errno == EINTR && !storm->late)
		;
	is_dead(id);
	close(dead.fd);
	return id;
}

static void release_late(void)
{
	if (driver.late)
		storm_release(driver.late);
	driver.late = 0;
}

/* Not before the next host has launched; but that one may wait for it too. */
static void release_in_time(void)
{
	uint32_t *times = &driver.times[storm->host_is_up ? 1 : 0];

	if (++*times > (storm->host_is_up ? 10 : 30))
		release_late();
}

/* Zombies are seen by hosts, and then reaped in their life. */
static void reap_in_time(void)
{
	if (driver.lazy && storm->host_is_up && storm_draw(6) == 0)
		driver.lazy = false;
	if (!driver.lazy)
		reap();
}

static void tend(void)
{
	release_in_time();
	take_pidfds();
	while (driver.n_waiting > WAITING)
		fell();
	if (storm_draw(8) == 0)
		fell();
	if (storm_draw(40) == 0)
		storm_hold_again();
	reap_in_time();
}

/* ---- a round ---- */

static const struct storm_bystander bystander = { tend, fell };

/* Starts a host, which waits for @ret_go. */
static pid_t start_host(int *ret_go)
{
	int fds[2];
	char byte;
	pid_t pid;

	storm->host_is_up = 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		err(1, "pipe");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[1]);
		close(driver.socket);
		for (uint32_t i = 0; i < driver.n_waiting; i++)
			close(driver.waiting[i].pidfd);
		if (read(fds[0], &byte, 1) != 1)
			_exit(0);
		close(fds[0]);
		storm_host(driver.mode, driver.memory, driver.shims_socket);
	}
	close(fds[0]);
	*ret_go = fds[1];
	return pid;
}

/* It is killed wherever it is then, sometimes when it has not seen an end. */
static void kill_anywhere(pid_t host, int go)
{
	int32_t left_us = (int32_t)storm_draw(storm_draw(3) ? 25000 : 80000);
	uint32_t felled = NOBODY_HERE;
	int status;

	if (write(go, "", 1) != 1)
		err(1, "go");
	for (; left_us > 0; left_us -= 1000) {
		sleep_us(left_us < 1000 ? left_us : 1000);
		tend();
	}
	if (storm_draw(2))
		felled = fell();
	kill(host, SIGKILL);
	if (waitpid(host, &status, 0) != host || status != SIGKILL) {
		storm_note("a host ended by itself: %#x", (unsigned int)status);
		storm->failed++;
		return;
	}
	if (!storm->host_is_up)
		driver.hits[RECOVERING]++;
	else if (storm->handed && !storm->acking)
		driver.hits[UNACKED]++;
	else if (felled != NOBODY_HERE && !storm->lives[felled].told)
		driver.hits[UNTOLD]++;
}

static void strike(pid_t host, int go, enum windows window)
{
	pid_t late = 0;

	if (storm_strike(host, go, driver.mode, window,
			 driver.hits[window] == 0, &bystander, &late))
		driver.hits[window]++;
	release_late();
	memset(driver.times, 0, sizeof(driver.times));
	driver.late = late;
	if (storm_draw(3) == 0)
		release_late();
}

static void play_round(uint32_t round)
{
	uint32_t window = round % (WINDOWS + 3);
	int go;

	driver.host = start_host(&go);
	if (window < WINDOWS)
		strike(driver.host, go, window);
	else
		kill_anywhere(driver.host, go);
	driver.host = 0;
	close(go);
	driver.kills++;
	driver.lazy = storm_draw(3) == 0;
	if (!driver.lazy)
		tend();
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
	return info.si_pid == pid;
}

static bool is_shim(pid_t pid)
{
	for (uint32_t id = storm->born; id-- > 0;) {
		if (storm->lives[id].pid == pid && !storm->lives[id].reaped)
			return true;
	}
	return false;
}

/* Children of ours on their way to be shims. */
static uint32_t count_beginning(void)
{
	FILE *file = fopen("/proc/thread-self/children", "re");
	uint32_t n = 0;
	int pid;

	while (file && fscanf(file, "%d", &pid) == 1)
		n += !storm_hold_is(pid) && !is_shim(pid) && !has_ended(pid);
	if (file)
		fclose(file);
	return n;
}

/*
 * The last host ends by itself, when all is told: who comes to be a shim only
 * then would be nobody's.
 */
static void play_last(void)
{
	int go, status = -1;
	uint32_t beginning;

	driver.lazy = false;
	release_late();
	while ((beginning = count_beginning()) > 0 && !storm->late)
		sleep_us(1000);
	if (beginning > 0)
		storm_note("%u never came to be shims", beginning);
	storm->finish = 1;
	driver.host = start_host(&go);
	if (write(go, "", 1) != 1)
		err(1, "go");
	close(go);
	while (!storm->late && !has_ended(driver.host)) {
		tend();
		while (driver.n_waiting > 0)
			fell();
		sleep_us(1000);
	}
	kill(driver.host, SIGKILL);
	waitpid(driver.host, &status, 0);
	if (status != 0) {
		storm_note("the last host ended with %#x",
			   (unsigned int)status);
		storm->failed++;
	}
	driver.host = 0;
	reap();
}

/* ---- what came of it ---- */

struct sum {
	uint32_t ran;
	uint32_t lost;
	uint32_t raised; /* although it was said that they would not */
	uint32_t again;	 /* told by several hosts */
	uint32_t cut;	 /* launches whose host was killed in them */
	uint32_t unknown;
	uint32_t unwarranted; /* that could have been known */
};

static void sum_up(struct sum *sum)
{
	for (uint32_t id = 0; id < storm->born; id++) {
		const struct life *life = &storm->lives[id];
		bool ran = life->started || life->launched;

		sum->ran += ran;
		sum->cut += !life->launched && !life->refused;
		sum->again += life->told > 1;
		sum->unknown += life->unknown;
		sum->unwarranted += life->unknown && !life->reaped;
		if (life->started > 1 || (life->started && life->denied)) {
			storm_note("%u: ran %u times, denied %u", id,
				   life->started, life->denied);
			sum->raised++;
		}
		/* who was told of and not acknowledged is to be told again */
		if (ran && !life->acked && !life->acking) {
			storm_note("%u: lost, launched %u, recovered %u, told "
				   "%u",
				   id, life->launched, life->recovered,
				   life->told);
			sum->lost++;
		}
	}
}

static void say(bool good, const char *what)
{
	printf("%sok %u - %s_%s\n", good ? "" : "not ", ++driver.test,
	       mode_names[driver.mode], what);
	driver.bad |= !good;
}

/* What a host cannot do that is refused what it does it with. */
static void say_unless_refused(bool good, const char *what)
{
	if (good || !storm->refused)
		say(good, what);
	else
		printf("ok %u - %s_%s # SKIP the sandbox refuses %s, as a host "
		       "is told\n",
		       ++driver.test, mode_names[driver.mode], what,
		       refusal_here());
}

static int count_mounts(void)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	int n = 0;

	while (file && fgets(line, sizeof(line), file))
		n += strstr(line, storm_room) != NULL;
	if (file)
		fclose(file);
	return n;
}

/* Whether the hosts' directory is gone, or empty, as it should. */
static bool is_left(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/%s", storm_room,
		 mode_names[driver.mode]);
	if (driver.mode == STORM_RECORDS)
		return rmdir(path) < 0;
	if (driver.mode == STORM_STORE)
		return !storm_hold_end();
	return access(path, F_OK) == 0 || count_mounts() != 1;
}

static void tell_figures(const struct sum *sum)
{
	printf("# %s, %s: %u kills, %u shims, %u lost; %u wrong statuses, %u "
	       "wrong verdicts\n",
	       getenv("PIDTRACK_BACKEND") ?: "any", mode_names[driver.mode],
	       driver.kills, sum->ran, sum->lost,
	       storm->wrong_status + storm->not_known, storm->wrong_verdict);
	if (driver.mode == STORM_STORE)
		printf("# labels that a launch cut short still had: %u\n",
		       storm->clashes);
	printf("# recovered %u, told again %u, launches cut short %u, denied "
	       "%u; read from exit records %u, not to be known %u; waited for "
	       "a lock %u ms\n",
	       storm->taken_up, sum->again, sum->cut, storm->denied,
	       storm->written, sum->unknown, storm->busy);
	for (int i = 0; i < WINDOWS; i++)
		printf("# killed %s: %u\n", window_names[i], driver.hits[i]);
}

static void tell(void)
{
	struct sum sum = { 0 };
	bool all_hit = true;

	sum_up(&sum);
	tell_figures(&sum);
	for (int i = 0; i < WINDOWS; i++)
		all_hit = all_hit && driver.hits[i] > 0;
	say_unless_refused(sum.lost == 0,
			   "every_shim_that_ran_is_accounted_for");
	say(storm->wrong_status == 0, "every_status_is_right");
	say_unless_refused(storm->not_known == 0 && sum.unwarranted == 0,
			   "or_nobodys_to_know");
	say(storm->wrong_verdict == 0, "alive_or_dead_is_always_right");
	say_unless_refused(storm->told_again == 0,
			   "what_was_acknowledged_is_not_told_again");
	say(sum.raised == 0, "what_is_said_not_to_execute_does_not");
	say_unless_refused(storm->failed == 0, "nothing_fails");
	say(!storm->late, "it_comes_to_an_end");
	say_unless_refused(all_hit, "every_window_was_hit");
	say_unless_refused(!is_left() && storm->left == 0 &&
				   waitpid(-1, NULL, WNOHANG) < 0 &&
				   errno == ECHILD,
			   "nothing_is_left");
	fflush(stdout);
}

/* ---- all of it ---- */

static void be_late(int signal)
{
	(void)signal;
	if (storm)
		storm->late = 1;
}

/* In a mount namespace of its own, with a directory that goes with it. */
static bool make_room(void)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	snprintf(storm_room, sizeof(storm_room), "/tmp/pidtrack-storm-XXXXXX");
	if (!mkdtemp(storm_room))
		return false;
	return mount("storm", storm_room, "tmpfs", 0, "mode=0755") == 0;
}

static void remove_room(void)
{
	if (!storm_room[0])
		return;
	umount2(storm_room, MNT_DETACH);
	rmdir(storm_room);
}

static void begin(enum storm_mode mode)
{
	struct sigaction action = { .sa_handler = be_late };
	int sockets[2];

	driver = (struct driver){ .mode = mode,
				  .test = driver.test,
				  .bad = driver.bad };
	driver.memory = memfd_create("storm", MFD_CLOEXEC);
	if (driver.memory < 0 || ftruncate(driver.memory, sizeof(*storm)) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		err(1, "memory and sockets");
	driver.socket = sockets[0];
	driver.shims_socket = sockets[1];
	storm = mmap(NULL, sizeof(*storm), PROT_READ | PROT_WRITE, MAP_SHARED,
		     driver.memory, 0);
	if (storm == MAP_FAILED)
		err(1, "mmap");
	storm->random = 1;
	storm->clock = 1;
	storm->tells = !pidtrack_feature_probe(PIDTRACK_FEATURE_EXIT_INFO) &&
		       !pidtrack_feature_probe(PIDTRACK_FEATURE_PIDFS);
	for (int i = 0; i < PLACES; i++)
		storm->places[i] = NOBODY_HERE;
	sigaction(SIGALRM, &action, NULL);
}

static void end(void)
{
	close(driver.socket); /* whoever waits still ends by that */
	close(driver.shims_socket);
	close(driver.memory);
	for (uint32_t i = 0; i < driver.n_waiting; i++)
		close(driver.waiting[i].pidfd);
	munmap(storm, sizeof(*storm));
	storm = NULL;
}

static void play(enum storm_mode mode, uint32_t kills)
{
	struct itimerval limit = { { 1, 0 }, { LATE_S + kills, 0 } };
	char path[80];

	begin(mode);
	setitimer(ITIMER_REAL, &limit, NULL);
	snprintf(path, sizeof(path), "%s/records", storm_room);
	if (mode == STORM_RECORDS && mkdir(path, 0700) < 0)
		err(1, "%s", path);
	if (mode == STORM_STORE)
		storm_hold_start();
	for (uint32_t i = 0; i < kills && !storm->late && !storm->refused; i++)
		play_round(i);
	play_last();
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	tell();
	end();
}

/* Why a storm is not to be had here; or NULL. */
static const char *refused(enum storm_mode mode)
{
	if (!storm_room[0])
		return "no mount namespace";
	if (access("/proc/self/exe", F_OK) < 0)
		return "no /proc, where its shims and itself are found";
	if (mode == STORM_PINS && pidtrack_feature_probe(PIDTRACK_FEATURE_PIN))
		return "no pins";
	if (mode == STORM_STORE)
		return storm_hold_refused();
	return NULL;
}

static bool is_mode(const char *word)
{
	int mode = 0;

	while (mode < STORM_MODES && strcmp(word, mode_names[mode]) != 0)
		mode++;
	return mode < STORM_MODES;
}

int main(int argc, char **argv)
{
	uint32_t kills = argc > 1 ? (uint32_t)atoi(argv[1]) : 25;

#ifdef __SANITIZE_THREAD__
	puts("1..1\n"
	     "ok 1 # SKIP under TSan hosts have a thread that is not followed");
	return 0;
#endif

	if (argc > 2 && !strcmp(argv[1], "shim"))
		return be_shim((uint32_t)atoi(argv[2]));
	if (kills == 0 || (argc > 2 && !is_mode(argv[2]))) {
		fputs("usage: sigkill_storm [KILLS [pins|store|records]]\n",
		      stderr);
		return 2;
	}
	programs_find();
	storm_self = argv[0];
	atexit(remove_room);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!make_room())
		storm_room[0] = 0;
	for (int mode = 0; mode < STORM_MODES; mode++) {
		const char *why = refused(mode);

		if (argc > 2 && strcmp(argv[2], mode_names[mode]) != 0)
			continue;
		if (why)
			printf("ok %u - %s # SKIP %s\n", ++driver.test,
			       mode_names[mode], why);
		else
			play(mode, kills);
	}
	printf("1..%u\n", driver.test);
	return driver.bad ? 1 : 0;
}
