/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Handing over across exec: nothing is lost, nothing told twice, nobody mixed
 * up.  What comes after is what heir.c says.
 */
#include "files.h"
#include "holder.h"
#include "kept.h"
#include "seccomp.h"
#include "tracked.h"

/* ---- a host that executes its heir ---- */

struct host;

typedef void (*deed)(struct __test_metadata *_metadata, struct host *host);

struct host {
	deed set_up; /* with the tracker */
	deed spoil;  /* after all is prepared; or NULL */
	const char *program;
	const char *words[3]; /* for the heir, behind the descriptor */
	const char *backend;  /* of the heir; or NULL */
	uint32_t flags;	      /* of the tracker */
	bool old;	      /* as if there were no pidfs, Linux < 6.9 */
	struct gate gate;
	struct gate other;
	struct pidtrack *tracker;
	struct pidtrack_process *process;
	const struct room *room; /* with pins; or NULL */
	struct path socket;	 /* of a store */
	char path[128];
	int handoff;
	int out; /* what host and heir say, to be read */
	pid_t pid;
};

static void fails_here(struct __test_metadata *_metadata)
{
	_metadata->failed = true;
	_exit(1);
}

static void run_host(struct __test_metadata *_metadata, struct host *host)
{
	char number[16];

	/* of what this program was started with, nothing is handed over */
	for (int fd = 3; fd < 1024; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (host->backend)
		setenv("PIDTRACK_BACKEND", host->backend, 1);
	else
		host->backend = getenv("PIDTRACK_BACKEND");
	if (host->old)
		ASSERT_EQ(0, seccomp_refuse(SECCOMP_FSTATFS, ENOSYS));
	host->tracker = tracker_start(_metadata, host->flags);
	host->set_up(_metadata, host);
	ASSERT_EQ(0, pidtrack_handoff_prepare(host->tracker, &host->handoff));
	if (host->spoil)
		host->spoil(_metadata, host);
	snprintf(number, sizeof(number), "%d", host->handoff);
	execl(host->program, "heir", number, host->words[0], host->words[1],
	      (char *)NULL);
	fails_here(_metadata);
}

/* As the environment has it, with a program that is there. */
static const char *heir_path(struct __test_metadata *_metadata,
			     const char *name)
{
	const char *path = getenv(name);

	pidtrack_free(tracker_start(_metadata, 0)); /* or skip */
	ASSERT_TRUE(path != NULL);
	return path;
}

static void host_begin(struct __test_metadata *_metadata, struct host *host)
{
	int out[2];

	if (!host->program)
		host->program = heir_path(_metadata, "PIDTRACK_TEST_HEIR");
	host->gate = gate_make(_metadata);
	host->other = gate_make(_metadata);
	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	host->pid = fork();
	ASSERT_GE(host->pid, 0);
	if (!host->pid) {
		dup2(out[1], STDOUT_FILENO);
		run_host(_metadata, host);
		_exit(1);
	}
	close(out[1]);
	host->out = out[0];
}

static const char *host_line(const struct host *host)
{
	static char line[512];
	size_t n = 0;
	int r;

	while (n < sizeof(line) - 1 && read(host->out, line + n, 1) == 1 &&
	       line[n] != '\n')
		n++;
	line[n] = '\0';
	if (sscanf(line, "resumed %d", &r) == 1 ||
	    sscanf(line, "missing %*d %d", &r) == 1)
		harness_told(r, 0, "the heir");
	return line;
}

#define ASSERT_SAYS(host, line) ASSERT_STREQ(line, host_line(host))

static void host_end(struct __test_metadata *_metadata, struct host *host)
{
	int status = -1;

	if (host->gate.host >= 0)
		gate_open(&host->gate);
	if (host->other.host >= 0)
		gate_open(&host->other);
	ASSERT_STREQ("", host_line(host));
	close(host->out);
	ASSERT_EQ(host->pid, waitpid(host->pid, &status, 0));
	EXPECT_EQ(0, status);
}

static struct pidtrack_process *
launch(struct __test_metadata *_metadata, struct host *host,
       const struct gate *gate, const char *label, const char *const *argv)
{
	struct pidtrack_fd_map fds[] = { { .child_fd = 0, .fd = gate->shim } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .fds = fds, .label = label,
				       .n_fds = 1);
	struct pidtrack_process *process = NULL;

	ASSERT_EQ(0, pidtrack_spawn(host->tracker, &options, &process, NULL));
	return process;
}

/* ---- running ---- */

static void two_run(struct __test_metadata *_metadata, struct host *host)
{
	launch(_metadata, host, &host->gate, "a", SHIM("wait", "exit", "7"));
	launch(_metadata, host, &host->other, "b",
	       SHIM("wait", "kill", "KILL"));
}

static void two_are_taken_over(struct __test_metadata *_metadata,
			       struct host *host)
{
	host->set_up = two_run;
	host_begin(_metadata, host);
	ASSERT_SAYS(host, "recovered a same pin 0 running");
	ASSERT_SAYS(host, "recovered b same pin 0 running");
	gate_open(&host->gate);
	ASSERT_SAYS(host, "event a exited 0x700 waited last");
	gate_open(&host->other);
	ASSERT_SAYS(host, "event b exited 0x9 waited last");
	ASSERT_SAYS(host, "left 0 0");
	host_end(_metadata, host);
}

TEST(what_runs_is_taken_over_and_its_end_told)
{
	struct host host = { 0 };

	two_are_taken_over(_metadata, &host);
}

/* The loader would look there for the heir's library. */
TEST(so_it_is_where_there_is_no_proc)
{
	struct host host = {
		.program = heir_path(_metadata, "PIDTRACK_TEST_HEIR_STATIC"),
	};
	int status;
	pid_t pid;

	if (!works(PIDTRACK_FEATURE_PIDFS))
		SKIP(return, "no pidfs: Linux < 6.9");
	pid = fork(); /* LeakSanitizer wants /proc where it ends */
	if (!pid) {
		if (!proc_hide())
			SKIP(_exit(0), "no mount of our own: %s",
			     strerror(errno));
		two_are_taken_over(_metadata, &host);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Of the shared library alone a sandbox may refuse what tells of it. */
static bool only_the_heir_has_pidfs(void)
{
	return getenv("PIDTRACK_TEST_REFUSE") && !works(PIDTRACK_FEATURE_PIDFS);
}

TEST(the_heir_may_have_the_static_library)
{
	struct host host = {
		.program = heir_path(_metadata, "PIDTRACK_TEST_HEIR_STATIC"),
	};

	if (only_the_heir_has_pidfs())
		SKIP(return, "no pidfs, and the heir has it");
	two_are_taken_over(_metadata, &host);
}

/* Of the same host's other build; kernels/run says which. */
TEST(the_heir_may_have_another_word_size)
{
	struct host host = { 0 };

	if (!getenv("PIDTRACK_TEST_HEIR_OTHER"))
		SKIP(return, "no heir of another word size");
	host.program = heir_path(_metadata, "PIDTRACK_TEST_HEIR_OTHER");
	two_are_taken_over(_metadata, &host);
}

TEST(the_heir_may_have_a_thread)
{
	struct host host = { .words = { "thread" } };

	two_are_taken_over(_metadata, &host);
}

TEST(the_host_may_have_a_thread)
{
	struct host host = { .flags = PIDTRACK_THREAD };

	two_are_taken_over(_metadata, &host);
}

TEST_WANTS(it_may_be_handed_on_twice, proc)
{
	struct host host = { .words = { "once", "again" } };

	two_are_taken_over(_metadata, &host);
}

static void one_is_kept(struct __test_metadata *_metadata, struct host *host)
{
	pidtrack_free(host->tracker);
	host->tracker = kept_tracker(_metadata, host->room);
	kept_start(_metadata, host->tracker, host->gate.shim, "a",
		   SHIM("wait", "exit", "7"));
	setenv("PIDTRACK_TEST_PINS", host->room->pins, 1);
}

TEST(what_is_kept_stays_so_until_the_heir_has_acknowledged_it)
{
	struct room room = ROOM_NULL;
	struct host host = { .set_up = one_is_kept, .room = &room };

	if (!kept_room_make(_metadata, &room))
		return;
	host_begin(_metadata, &host);
	ASSERT_SAYS(&host, "recovered a same pin 0 running");
	EXPECT_TRUE(is_pinned(&room, "a"));
	gate_open(&host.gate);
	ASSERT_SAYS(&host, "event a exited 0x700 waited last");
	ASSERT_SAYS(&host, "left 0 0");
	host_end(_metadata, &host);
	expect_clean(_metadata, &room);
	room_end(&room);
}

static void one_is_stored(struct __test_metadata *_metadata, struct host *host)
{
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.store = host->socket.text);

	pidtrack_free(host->tracker);
	ASSERT_EQ(0, pidtrack_new(&options, &host->tracker));
	kept_start(_metadata, host->tracker, host->gate.shim, "a",
		   SHIM("wait", "exit", "7"));
	setenv("PIDTRACK_TEST_STORE", host->socket.text, 1);
}

/* With room for all that it is to hold, and whose pidfds can be counted. */
static const char *wants_hold(void)
{
	const char *wanting = wants_descriptors();

	return wanting ? wanting : wants_proc();
}

TEST_WANTS(what_is_stored_stays_so_until_the_heir_has_acknowledged_it, hold)
{
	struct host host = { .set_up = one_is_stored, .words = { "recover" } };
	struct directory directory;
	int64_t until;
	pid_t holder;

	if (!works(PIDTRACK_FEATURE_PIDFS))
		SKIP(return, "no pidfs: Linux < 6.9");
	pidtrack_free(tracker_start(_metadata, 0)); /* or skip */
	directory_make(_metadata, &directory);
	host.socket = path_in(&directory, "socket");
	if (holder_start(_metadata, host.socket.text, 10, &holder)) {
		host_begin(_metadata, &host);
		ASSERT_SAYS(&host, "recovered a same pin 0 running");
		EXPECT_EQ(1, holder_count(holder));
		gate_open(&host.gate);
		ASSERT_SAYS(&host, "event a exited 0x700 waited last");
		ASSERT_SAYS(&host, "left 0 0");
		host_end(_metadata, &host);
		until = now_ms() + awhile_ms();
		while (holder_count(holder) > 0 && now_ms() < until)
			sched_yield();
		EXPECT_EQ(0, holder_count(holder));
		holder_end(holder, SIGTERM);
	}
	directory_remove(&directory);
}

static void other_backend(struct __test_metadata *_metadata, struct host *host)
{
	const char *backend = pidtrack_backend(host->tracker);
	struct pidtrack *other;

	setenv("PIDTRACK_BACKEND", strcmp(backend, "epoll") ? "epoll" : "uring",
	       1);
	ASSERT_EQ(0, pidtrack_new(NULL, &other));
	pidtrack_free(other);
}

TEST(the_heir_may_have_another_backend)
{
	struct host host = { .spoil = other_backend };

	if (!works(PIDTRACK_FEATURE_RING_WAITID))
		SKIP(return, "no ring that waits");
	two_are_taken_over(_metadata, &host);
}

/* ---- ended ---- */

/* Alike: which of two is told first is not said. */
static void both_end(struct __test_metadata *_metadata, struct host *host)
{
	struct pidtrack_process *one, *other;

	one = launch(_metadata, host, &host->gate, "a", SHIM("exit", "3"));
	other = launch(_metadata, host, &host->gate, "a", SHIM("exit", "3"));
	process_await_exit(one);
	process_await_exit(other);
}

static void both_ends_are_told(struct __test_metadata *_metadata,
			       struct host *host)
{
	host_begin(_metadata, host);
	ASSERT_SAYS(host, "recovered a exited pin 0 running");
	ASSERT_SAYS(host, "recovered a exited pin 0 running");
	ASSERT_SAYS(host, "event a exited 0x300 waited last");
	ASSERT_SAYS(host, "event a exited 0x300 waited last");
	ASSERT_SAYS(host, "left 0 0");
	host_end(_metadata, host);
}

TEST(an_end_nobody_has_seen_is_told_once)
{
	struct host host = { .set_up = both_end };

	both_ends_are_told(_metadata, &host);
}

static void one_is_told(struct __test_metadata *_metadata, struct host *host)
{
	const struct pidtrack_event *event = NULL;

	both_end(_metadata, host);
	ASSERT_EQ(1, pidtrack_wait(host->tracker, awhile_ms(), &event));
	host->process = event->process;
}

static void it_is_reaped(struct __test_metadata *_metadata, struct host *host)
{
	ASSERT_TRUE(pidfd_is_reaped(pidtrack_process_pidfd(host->process)));
}

static void one_end_is_left(struct __test_metadata *_metadata,
			    struct host *host)
{
	const char *running = "recovered a exited pin 0 running";
	bool told_last;

	host_begin(_metadata, host);
	told_last = !strcmp(running, host_line(host));
	if (told_last)
		ASSERT_SAYS(host, "recovered a exited pin 0 reaped");
	ASSERT_SAYS(host, "status a 0x300 waited");
	if (!told_last)
		ASSERT_SAYS(host, running);
	ASSERT_SAYS(host, "event a exited 0x300 waited last");
	ASSERT_SAYS(host, "left 0 0");
	host_end(_metadata, host);
}

TEST(what_was_told_is_acknowledged_and_not_told_again)
{
	struct host host = { .set_up = one_is_told, .spoil = it_is_reaped };

	one_end_is_left(_metadata, &host);
}

static void one_is_freed(struct __test_metadata *_metadata, struct host *host)
{
	struct pidtrack_process *process;

	process = launch(_metadata, host, &host->gate, "a",
			 SHIM("wait", "exit", "3"));
	launch(_metadata, host, &host->other, "b", SHIM("wait", "exit", "4"));
	printf("%d\n", pidtrack_process_pid(process));
	fflush(stdout);
	pidtrack_process_free(process);
}

TEST(a_child_that_was_freed_is_reaped_silently)
{
	int64_t until_ms = harness_now_ms() + awhile_ms();
	struct host host = { .set_up = one_is_freed };
	pid_t pid;

	host_begin(_metadata, &host);
	pid = atoi(host_line(&host));
	ASSERT_SAYS(&host, "recovered b same pin 0 running");
	gate_open(&host.gate);
	while (!kill(pid, 0)) {
		ASSERT_LT(harness_now_ms(), until_ms);
		sched_yield();
	}
	gate_open(&host.other);
	ASSERT_SAYS(&host, "event b exited 0x400 waited last");
	ASSERT_SAYS(&host, "left 0 0");
	host_end(_metadata, &host);
}

/* ---- of others ---- */

static pid_t stranger;

static void one_is_of_others(struct __test_metadata *_metadata,
			     struct host *host)
{
	ASSERT_EQ(0, pidtrack_attach(host->tracker, stranger, 0, 0,
				     &host->process));
}

TEST(a_process_of_others_is_handed_over)
{
	struct host host = { .set_up = one_is_of_others };
	char line[64];

	host.program = heir_path(_metadata, "PIDTRACK_TEST_HEIR"); /* or skip */
	stranger = fork();
	ASSERT_GE(stranger, 0);
	if (!stranger) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* if an assertion fails */
		pause();
		_exit(0);
	}
	host_begin(_metadata, &host);
	ASSERT_SAYS(&host, "recovered - same pin 0 running");
	kill(stranger, SIGTERM);
	ASSERT_SAYS(&host, reaping_is_told() ?
				   "event - exited 0xffffffff unknown" :
				   "event - exited 0xffffffff unknown last");
	ASSERT_EQ(stranger, waitpid(stranger, NULL, 0));
	if (reaping_is_told()) {
		snprintf(line, sizeof(line), "event - reaped %s last",
			 source_without_wait() == PIDTRACK_SOURCE_RECOVERED ?
				 "0xf recovered" :
				 "0xffffffff unknown");
		ASSERT_SAYS(&host, line);
	}
	ASSERT_SAYS(&host, "left 0 0");
	host_end(_metadata, &host);
}

/* ---- what goes along ---- */

static void one_climbs(struct __test_metadata *_metadata, struct host *host)
{
	const struct pidtrack_stop_step steps[] = { { 0, 300 },
						    { SIGKILL, 20000 } };
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.steps = steps, .n_steps = 2);
	struct pidtrack_process *process;

	process = launch(_metadata, host, &host->gate, "a", SHIM("wait"));
	ASSERT_EQ(0, pidtrack_process_stop(process, &options));
}

TEST_WANTS(a_ladder_goes_on, signals)
{
	struct host host = { .set_up = one_climbs };

	host_begin(_metadata, &host);
	ASSERT_SAYS(&host, "recovered a same pin 0 running");
	ASSERT_SAYS(&host, "event a escalated 0xffffffff unknown");
	ASSERT_SAYS(&host, "event a exited 0x9 waited last");
	ASSERT_SAYS(&host, "left 0 0");
	host_end(_metadata, &host);
}

/* Both in one go, of which the host takes the first. */
static void two_time_out(struct __test_metadata *_metadata, struct host *host)
{
	const struct pidtrack_stop_step steps[] = { { 0, 1 } };
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.steps = steps, .n_steps = 1);
	const struct pidtrack_event *event = NULL;
	struct pidtrack_process *a, *b;
	int64_t end;

	a = launch(_metadata, host, &host->gate, "a",
		   SHIM("wait", "exit", "7"));
	b = launch(_metadata, host, &host->other, "b",
		   SHIM("wait", "exit", "8"));
	ASSERT_EQ(0, pidtrack_process_stop(a, &options));
	ASSERT_EQ(0, pidtrack_process_stop(b, &options));
	end = harness_now_ms() + 2;
	while (harness_now_ms() <= end)
		sched_yield();
	ASSERT_EQ(1, pidtrack_wait(host->tracker, awhile_ms(), &event));
	ASSERT_EQ(a, event->process);
	ASSERT_EQ(PIDTRACK_STOP_TIMED_OUT, event->kind);
}

TEST(what_was_not_told_yet_is_told_by_the_heir_and_wakes_it)
{
	struct host host = { .set_up = two_time_out, .words = { "readable" } };

	host_begin(_metadata, &host);
	ASSERT_SAYS(&host, "recovered a same pin 0 running");
	ASSERT_SAYS(&host, "recovered b same pin 0 running");
	ASSERT_SAYS(&host, "readable");
	ASSERT_SAYS(&host, "event b stop-timed-out 0xffffffff unknown");
	gate_open(&host.gate);
	ASSERT_SAYS(&host, "event a exited 0x700 waited last");
	gate_open(&host.other);
	ASSERT_SAYS(&host, "event b exited 0x800 waited last");
	ASSERT_SAYS(&host, "left 0 0");
	host_end(_metadata, &host);
}

static void one_is_packed(struct __test_metadata *_metadata, struct host *host)
{
	struct pidtrack_process *process;

	process = launch(_metadata, host, &host->gate, "a",
			 SHIM("wait", "exit", "7"));
	ASSERT_EQ(0, pidtrack_process_set_payload(process, "10% of it", 9));
}

TEST(a_payload_goes_along)
{
	struct host host = { .set_up = one_is_packed };

	host_begin(_metadata, &host);
	ASSERT_SAYS(&host, "recovered a same pin 0 running");
	ASSERT_SAYS(&host, "payload 10% of it");
	gate_open(&host.gate);
	ASSERT_SAYS(&host, "event a exited 0x700 waited last");
	ASSERT_SAYS(&host, "left 0 0");
	host_end(_metadata, &host);
}

static void one_is_asked_of(struct __test_metadata *_metadata,
			    struct host *host)
{
	struct pidtrack_process *process;

	process = launch(_metadata, host, &host->gate, "a",
			 SHIM("wait", "stop", "exit", "4"));
	ASSERT_EQ(0, pidtrack_process_notify(process, 1U << PIDTRACK_STOPPED));
	printf("%d\n", pidtrack_process_pid(process));
	fflush(stdout);
}

TEST(stops_that_were_asked_for_are_told)
{
	struct host host = { .set_up = one_is_asked_of };
	pid_t pid;

	host_begin(_metadata, &host);
	pid = atoi(host_line(&host));
	ASSERT_SAYS(&host, "recovered a same pin 0 running");
	gate_open(&host.gate);
	ASSERT_SAYS(&host, "event a stopped 0x137f waited");
	kill(pid, SIGCONT);
	ASSERT_SAYS(&host, "event a exited 0x400 waited last");
	ASSERT_SAYS(&host, "left 0 0");
	host_end(_metadata, &host);
}

static void one_is_recorded(struct __test_metadata *_metadata,
			    struct host *host)
{
	const struct pidtrack_fd_map fds[] = { { 0, host->gate.shim } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.flags = PIDTRACK_SPAWN_EXIT_RECORD |
						PIDTRACK_SPAWN_RECORD_SYNC,
				       .argv = SHIM("wait", "exit", "6"),
				       .fds = fds, .label = "a",
				       .record = host->path, .n_fds = 1);

	ASSERT_EQ(0, pidtrack_spawn(host->tracker, &options, &host->process,
				    NULL));
}

TEST_WANTS(an_end_is_recorded_by_the_heir, boot_id)
{
	char directory[] = "/tmp/pidtrack-test-XXXXXX", path[256];
	struct host host = { .set_up = one_is_recorded };
	struct pidtrack_ending ending = { 0 };
	struct pidtrack_record *record;

	ASSERT_TRUE(mkdtemp(directory) != NULL);
	snprintf(host.path, sizeof(host.path), "%s/record", directory);
	snprintf(path, sizeof(path), "%s.exit", host.path);
	host_begin(_metadata, &host);
	ASSERT_SAYS(&host, "recovered a same pin 0 running");
	EXPECT_NE(0, access(path, F_OK));
	gate_open(&host.gate);
	ASSERT_SAYS(&host, "event a exited 0x600 waited last");
	ASSERT_SAYS(&host, "left 0 0");
	host_end(_metadata, &host);

	ASSERT_EQ(0, pidtrack_record_read(host.path, &record));
	EXPECT_EQ(0, pidtrack_ending_read(host.path, record, &ending,
					  sizeof(ending)));
	EXPECT_EQ(0x600, ending.status);
	pidtrack_record_free(record);
	unlink(path);
	unlink(host.path);
	rmdir(directory);
}

/* ---- what is not as it was left ---- */

static void one_runs(struct __test_metadata *_metadata, struct host *host)
{
	host->process = launch(_metadata, host, &host->gate, "a",
			       SHIM("wait", "exit", "7"));
}

/* Something else has the number of its pidfd. */
static void takes_number(struct __test_metadata *_metadata, struct host *host)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int pidfd = pidtrack_process_pidfd(host->process);

	ASSERT_EQ(pidfd, dup2(null, pidfd));
	close(null);
}

TEST_WANTS(a_descriptor_of_others_is_not_touched, numbers)
{
	struct host host = { .set_up = one_runs, .spoil = takes_number };

	host_begin(_metadata, &host);
	ASSERT_SAYS(&host, "recovered a same other 0 running");
	gate_open(&host.gate);
	ASSERT_SAYS(&host, "event a exited 0x700 waited last");
	ASSERT_SAYS(&host, "left 1 0");
	host_end(_metadata, &host);
}

static void takes_process(struct __test_metadata *_metadata, struct host *host)
{
	pid_t pid = pidtrack_process_pid(host->process);

	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	close(pidtrack_process_pidfd(host->process));
}

static void others_take_number(struct __test_metadata *_metadata,
			       struct host *host)
{
	int other = (int)syscall(SYS_pidfd_open, getppid(), 0);
	int pidfd = pidtrack_process_pidfd(host->process);

	ASSERT_EQ(pidfd, dup2(other, pidfd));
	close(other);
}

static void one_is_mixed_up(struct __test_metadata *_metadata, bool old)
{
	struct host host = { .set_up = one_runs,
			     .spoil = others_take_number,
			     .old = old };

	host_begin(_metadata, &host);
	ASSERT_SAYS(&host, "recovered a same other 0 running");
	gate_open(&host.gate);
	ASSERT_SAYS(&host, "event a exited 0x700 waited last");
	ASSERT_SAYS(&host, "left 1 0");
	host_end(_metadata, &host);
}

TEST_WANTS(a_pidfd_of_another_is_not_taken_for_its_own, numbers)
{
	one_is_mixed_up(_metadata, false);
}

TEST_WANTS(nor_is_it_without_pidfs, numbers)
{
	one_is_mixed_up(_metadata, true);
}

TEST_WANTS(a_process_that_is_not_found_is_told, numbers)
{
	struct host host = { .set_up = one_runs, .spoil = takes_process };

	host_begin(_metadata, &host);
	ASSERT_SAYS(&host, "recovered a gone other -3 -");
	ASSERT_SAYS(&host, "left 0 0");
	host_end(_metadata, &host);
}

/* ---- before Linux 6.9 ---- */

TEST_WANTS(without_pidfs_it_is_known_by_number_and_start_time, proc)
{
	struct host host = { .set_up = one_runs,
			     .words = { "evidence" },
			     .old = true };

	host_begin(_metadata, &host);
	ASSERT_SAYS(&host, "recovered a same pin 0 running");
	ASSERT_SAYS(&host, "evidence pid start");
	gate_open(&host.gate);
	ASSERT_SAYS(&host, "event a exited 0x700 waited last");
	ASSERT_SAYS(&host, "left 0 0");
	host_end(_metadata, &host);
}

TEST_WANTS(without_pidfs_an_end_nobody_has_seen_is_told_once, proc)
{
	struct host host = { .set_up = both_end, .old = true };

	both_ends_are_told(_metadata, &host);
}

/* One that is reaped has no number any more that could be another's. */
TEST_WANTS(without_pidfs_what_was_told_is_not_told_again, proc)
{
	struct host host = { .set_up = one_is_told, .old = true };

	one_end_is_left(_metadata, &host);
}

TEST(with_pidfs_it_is_known_by_that)
{
	struct host host = { .set_up = one_runs, .words = { "evidence" } };

	if (!works(PIDTRACK_FEATURE_PIDFS))
		SKIP(return, "no pidfs, Linux < 6.9");
	host_begin(_metadata, &host);
	ASSERT_SAYS(&host, "recovered a same pin 0 running");
	ASSERT_SAYS(&host, "evidence inode");
	gate_open(&host.gate);
	ASSERT_SAYS(&host, "event a exited 0x700 waited last");
	ASSERT_SAYS(&host, "left 0 0");
	host_end(_metadata, &host);
}

/* ---- without room ---- */

/* One to be found again, one with all there is, one that has ended. */
static void three_are_left(struct __test_metadata *_metadata, struct host *host)
{
	const struct pidtrack_fd_map fds[] = { { 0, host->other.shim } };
	struct pidtrack_spawn_options spawn =
		PIDTRACK_SPAWN_OPTIONS(.flags = PIDTRACK_SPAWN_EXIT_RECORD,
				       .argv = SHIM("wait", "exit", "6"),
				       .fds = fds, .label = "b",
				       .record = host->path, .n_fds = 1,
				       .payload = "10%", .payload_size = 3);
	const struct pidtrack_stop_step steps[] = { { 0, 60000 } };
	struct pidtrack_stop_options stop =
		PIDTRACK_STOP_OPTIONS(.steps = steps, .n_steps = 1);
	struct pidtrack_process *process;

	host->process = launch(_metadata, host, &host->gate, "a",
			       SHIM("wait", "exit", "7"));
	ASSERT_EQ(0, pidtrack_spawn(host->tracker, &spawn, &process, NULL));
	ASSERT_EQ(0, pidtrack_process_stop(process, &stop));
	process_await_exit(
		launch(_metadata, host, &host->gate, "c", SHIM("exit", "3")));
}

static void three_are_taken_over(struct __test_metadata *_metadata,
				 struct host *host, const char *first)
{
	char directory[] = "/tmp/pidtrack-test-XXXXXX", path[256];

	ASSERT_TRUE(mkdtemp(directory) != NULL);
	snprintf(host->path, sizeof(host->path), "%s/record", directory);
	snprintf(path, sizeof(path), "%s.exit", host->path);
	host->set_up = three_are_left;
	host->spoil = takes_number;
	host_begin(_metadata, host);
	ASSERT_SAYS(host, first);
	ASSERT_SAYS(host, "recovered a same other 0 running");
	ASSERT_SAYS(host, "recovered b same pin 0 running");
	ASSERT_SAYS(host, "payload 10%");
	ASSERT_SAYS(host, "recovered c exited pin 0 running");
	ASSERT_SAYS(host, "event c exited 0x300 waited last");
	gate_open(&host->gate);
	ASSERT_SAYS(host, "event a exited 0x700 waited last");
	gate_open(&host->other);
	ASSERT_SAYS(host, "event b exited 0x600 waited last");
	ASSERT_SAYS(host, "left 1 0");
	host_end(_metadata, host);
	EXPECT_EQ(0, unlink(path));
	EXPECT_EQ(0, unlink(host->path));
	EXPECT_EQ(0, rmdir(directory));
}

TEST_WANTS(without_descriptors_nothing_is_taken_over_until_there_are, numbers)
{
	struct host host = { .words = { "descriptors" } };

	three_are_taken_over(_metadata, &host, "short -24");
}

TEST_WANTS(nor_is_it_without_pidfs_and_descriptors, numbers)
{
	struct host host = { .words = { "descriptors" }, .old = true };

	three_are_taken_over(_metadata, &host, "short -24");
}

/* Which takes two at once. */
TEST_WANTS(nor_is_one_called_unproven_for_want_of_them, numbers)
{
	struct host host = { .set_up = one_runs,
			     .spoil = takes_number,
			     .words = { "descriptors" },
			     .old = true };

	host_begin(_metadata, &host);
	ASSERT_SAYS(&host, "short -24");
	ASSERT_SAYS(&host, "recovered a same other 0 running");
	gate_open(&host.gate);
	ASSERT_SAYS(&host, "event a exited 0x700 waited last");
	ASSERT_SAYS(&host, "left 1 0");
	host_end(_metadata, &host);
}

TEST_WANTS(without_memory_nothing_is_taken_over_until_there_is, boot_id)
{
	struct host host = {
		.program = heir_path(_metadata, "PIDTRACK_TEST_HEIR_STATIC"),
		.words = { "allocations" },
	};

	if (only_the_heir_has_pidfs())
		SKIP(return, "no pidfs, and the heir has it");
	three_are_taken_over(_metadata, &host, "short -12");
}

/* ---- other texts ---- */

static uint32_t crc32_of(const char *bytes, size_t n)
{
	uint32_t crc = ~0U;

	for (size_t i = 0; i < n; i++) {
		crc ^= (unsigned char)bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static char *text_of(struct __test_metadata *_metadata, int fd)
{
	static char text[65536];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	ASSERT_GT(n, 15);
	text[n] = '\0';
	return text;
}

static int sealed(struct __test_metadata *_metadata, const char *text, size_t n)
{
	int fd = memfd_create("other", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	ASSERT_GE(fd, 0);
	ASSERT_EQ((ssize_t)n, write(fd, text, n));
	ASSERT_EQ(0, fcntl(fd, F_ADD_SEALS,
			   F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
				   F_SEAL_WRITE));
	return fd;
}

/* The same with a line more, or another first one, and its checksum. */
static int altered(struct __test_metadata *_metadata, const char *text,
		   const char *first, const char *more)
{
	static char other[65536];
	const char *rest = strchr(text, '\n');
	size_t n;

	n = (size_t)snprintf(other, sizeof(other), "%s%.*s%s", first,
			     (int)(strlen(rest) - 15), rest, more);
	snprintf(other + n, sizeof(other) - n, "crc32=%08x\n",
		 crc32_of(other, n));
	return sealed(_metadata, other, n + 15);
}

static void expect_refused(struct __test_metadata *_metadata,
			   struct pidtrack *tracker, int error, int fd)
{
	struct pidtrack_recovery *recovery = NULL;

	EXPECT_EQ(error, pidtrack_handoff_resume(tracker, fd, &recovery));
	EXPECT_NULL(recovery);
	EXPECT_EQ(0, tracker_statistics(tracker).tracked);
	close(fd);
}

static void refuse_all(struct __test_metadata *_metadata,
		       struct pidtrack *tracker, char *text)
{
	size_t n = strlen(text);
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	close(fds[1]);
	expect_refused(_metadata, tracker, -EINVAL, fds[0]);
	expect_refused(_metadata, tracker, -EBADF, 4000);
	expect_refused(_metadata, tracker, -EINVAL,
		       memfd_create("open", MFD_ALLOW_SEALING | MFD_CLOEXEC));
	expect_refused(_metadata, tracker, -EBADMSG, sealed(_metadata, "", 0));
	expect_refused(_metadata, tracker, -EBADMSG,
		       sealed(_metadata, text, n / 2));
	expect_refused(_metadata, tracker, -EPROTONOSUPPORT,
		       altered(_metadata, text, "pidtrack-handoff2", ""));
	expect_refused(
		_metadata, tracker, -EPROTONOSUPPORT,
		altered(_metadata, text, "pidtrack-handoff1", "!later=1\n"));
	expect_refused(_metadata, tracker, -EBADMSG,
		       altered(_metadata, text, "pidtrack-handoff1", "x\n"));
	text[n / 2] ^= 1;
	expect_refused(_metadata, tracker, -EBADMSG,
		       sealed(_metadata, text, n));
}

TEST(other_texts_are_refused)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack *other = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	int fd;

	shim_start_at(_metadata, tracker, &gate, 7);
	ASSERT_EQ(0, pidtrack_handoff_prepare(tracker, &fd));
	refuse_all(_metadata, other, text_of(_metadata, fd));
	ASSERT_EQ(0, pidtrack_handoff_cancel(tracker));
	pidtrack_free(other);
	gate_open(&gate);
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(),
				   &(const struct pidtrack_event *){ NULL }));
	pidtrack_free(tracker);
}

/* Whoever wrote it knows a key that the heir does not. */
static void writes_more(struct __test_metadata *_metadata, struct host *host)
{
	const char *text = text_of(_metadata, host->handoff);
	int fd = altered(_metadata, text, "pidtrack-handoff1", "later=1\n");

	ASSERT_EQ(host->handoff, dup2(fd, host->handoff));
}

TEST(a_key_of_a_later_version_is_passed_over)
{
	struct host host = { .spoil = writes_more };

	two_are_taken_over(_metadata, &host);
}

/* It is gone with its pidfd, and @from in what is told of it is @to. */
static void loses_and_alters(struct __test_metadata *_metadata,
			     struct host *host, const char *from,
			     const char *to)
{
	char *text = text_of(_metadata, host->handoff);
	char *at = strstr(text, "\nfingerprint=");
	int fd;

	ASSERT_TRUE(at != NULL);
	at = strstr(at, from);
	ASSERT_TRUE(at != NULL);
	memcpy(at, to, strlen(to));
	fd = altered(_metadata, text, "pidtrack-handoff1", "");
	ASSERT_EQ(host->handoff, dup2(fd, host->handoff));
	takes_process(_metadata, host);
}

static void loses_fingerprint(struct __test_metadata *_metadata,
			      struct host *host)
{
	loses_and_alters(_metadata, host, "fingerprint=", "later-print=");
}

static void is_of_another_boot(struct __test_metadata *_metadata,
			       struct host *host)
{
	loses_and_alters(_metadata, host, "boot%3d", "boot%3d00000000");
}

static void one_is_lost(struct __test_metadata *_metadata, deed spoil,
			const char *line)
{
	struct host host = { .set_up = one_runs, .spoil = spoil };

	host_begin(_metadata, &host);
	ASSERT_STREQ(line, host_line(&host));
	ASSERT_SAYS(&host, "left 0 0");
	host_end(_metadata, &host);
}

TEST(one_of_whom_nothing_is_known_is_told_as_unproven)
{
	one_is_lost(_metadata, loses_fingerprint,
		    "recovered a unproven other -61 -");
}

TEST_WANTS(one_of_another_boot_is_told_as_that, boot_id)
{
	one_is_lost(_metadata, is_of_another_boot,
		    "recovered a other-boot other -116 -");
}

TEST(a_child_of_fork_is_refused)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0), *own;
	struct pidtrack_recovery *recovery;
	int fd, status = -1;
	pid_t pid;

	ASSERT_EQ(0, pidtrack_handoff_prepare(tracker, &fd));
	pid = fork();
	if (!pid) {
		own = tracker_start(_metadata, 0);
		EXPECT_EQ(-ECHILD, pidtrack_handoff_cancel(tracker));
		EXPECT_EQ(-ESTALE, pidtrack_handoff_resume(own, fd, &recovery));
		pidtrack_free(own);
		pidtrack_free(tracker);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	pidtrack_free(tracker);
}

/* ---- back ---- */

/* A memfd is a file, and a write beyond the limit kills. */
TEST_WANTS(where_no_file_may_grow_nothing_is_prepared, limits)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct rlimit none = { 0, 0 }, before;
	int fd, pidfd;
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;

	process = shim_start_at(_metadata, tracker, &gate, 7);
	pidfd = pidtrack_process_pidfd(process);
	ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &before));
	none.rlim_max = before.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &none));
	EXPECT_EQ(-EFBIG, pidtrack_handoff_prepare(tracker, &fd));
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &before));
	EXPECT_EQ(FD_CLOEXEC, fcntl(pidfd, F_GETFD));
	ASSERT_EQ(0, pidtrack_handoff_prepare(tracker, &fd));
	ASSERT_EQ(0, pidtrack_handoff_cancel(tracker));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 7 << 8);
	pidtrack_free(tracker);
}

TEST(a_failed_exec_is_undone)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	int fd, again, pidfd;

	process = shim_start_at(_metadata, tracker, &gate, 7);
	pidfd = pidtrack_process_pidfd(process);
	EXPECT_EQ(-EINVAL, pidtrack_handoff_cancel(tracker));
	ASSERT_EQ(0, pidtrack_handoff_prepare(tracker, &fd));
	EXPECT_EQ(0, fcntl(fd, F_GETFD));
	EXPECT_EQ(0, fcntl(pidfd, F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(pidtrack_fd(tracker), F_GETFD));
	EXPECT_NE(0, execl("/nowhere", "nowhere", (char *)NULL));
	gate_open(&gate);
	process_await_exit(process);

	EXPECT_EQ(-EINPROGRESS, pidtrack_handoff_prepare(tracker, &again));
	EXPECT_EQ(-EINPROGRESS, pidtrack_next(tracker, &event));
	EXPECT_EQ(-EINPROGRESS, pidtrack_process_signal(process, 0));
	EXPECT_TRUE(pidtrack_process_free(process) == process);

	ASSERT_EQ(0, pidtrack_handoff_cancel(tracker));
	EXPECT_EQ(FD_CLOEXEC, fcntl(pidfd, F_GETFD));
	EXPECT_NE(0, fcntl(fd, F_GETFD));
	ASSERT_EXITED(tracker, process, 7 << 8);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

/* It has not executed anything: one of the two would use what the other closes.
 */
TEST(whoever_has_prepared_it_does_not_resume_it)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack *other = tracker_start(_metadata, 0);
	struct pidtrack_recovery *recovery = NULL;
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	int fd, copy;

	process = shim_start_at(_metadata, tracker, &gate, 7);
	ASSERT_EQ(0, pidtrack_handoff_prepare(tracker, &fd));
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	ASSERT_GE(copy, 0);
	EXPECT_EQ(-EINPROGRESS, pidtrack_handoff_resume(other, fd, &recovery));
	EXPECT_EQ(0, fcntl(pidtrack_process_pidfd(process), F_GETFD));
	ASSERT_EQ(0, pidtrack_handoff_cancel(tracker));
	expect_refused(_metadata, other, -EINPROGRESS, copy);
	EXPECT_NULL(recovery);
	pidtrack_free(other);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 7 << 8);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

/* They may be the same, as after a recovery: each would be told of twice. */
TEST(a_tracker_that_has_processes_resumes_nothing)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack *other = tracker_start(_metadata, 0);
	struct pidtrack_recovery *recovery = NULL;
	struct gate gate = gate_make(_metadata);
	struct gate its = gate_make(_metadata);
	struct pidtrack_process *first, *process;
	int fd;

	first = shim_start_at(_metadata, tracker, &gate, 7);
	ASSERT_EQ(0, pidtrack_handoff_prepare(tracker, &fd));
	process = shim_start_at(_metadata, other, &its, 3);
	EXPECT_EQ(-EEXIST, pidtrack_handoff_resume(other, fd, &recovery));
	gate_open(&its);
	ASSERT_EXITED(other, process, 3 << 8);
	pidtrack_process_free(process);
	ASSERT_NO_EVENT(other);
	EXPECT_EQ(-EINPROGRESS, pidtrack_handoff_resume(other, fd, &recovery));
	pidtrack_free(other);
	ASSERT_EQ(0, pidtrack_handoff_cancel(tracker));
	gate_open(&gate);
	ASSERT_EXITED(tracker, first, 7 << 8);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

TEST(a_frozen_tracker_is_freed_whole)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	pid_t pid;
	int fd;

	pid = pidtrack_process_pid(shim_start_at(_metadata, tracker, &gate, 7));
	ASSERT_EQ(0, pidtrack_handoff_prepare(tracker, &fd));
	EXPECT_NULL(pidtrack_free(tracker));
	EXPECT_NE(0, fcntl(fd, F_GETFD));
	gate_open(&gate);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST(without_a_descriptor_all_is_as_it_was)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct rlimit before, none = { 0 };
	struct pidtrack_process *process;
	int fd = -1, least, r;

	process = shim_start_at(_metadata, tracker, &gate, 7);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	least = fcntl(0, F_DUPFD_CLOEXEC, 0);
	ASSERT_GE(least, 0);
	close(least);
	none.rlim_cur = (rlim_t)least;
	none.rlim_max = before.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	r = pidtrack_handoff_prepare(tracker, &fd);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
	EXPECT_EQ(-EMFILE, r);
	EXPECT_EQ(-1, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(pidtrack_process_pidfd(process), F_GETFD));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 7 << 8);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

TEST(what_dies_with_the_trackers_thread_is_not_handed_over)
{
	struct pidtrack *tracker = tracker_start(_metadata, PIDTRACK_THREAD);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_fd_map fds[] = { { .child_fd = 0, .fd = gate.shim } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.flags = PIDTRACK_SPAWN_BOUND,
				       .argv = SHIM("wait"), .fds = fds,
				       .n_fds = 1);
	struct pidtrack_process *process;
	int fd;

	ASSERT_EQ(0, pidtrack_spawn(tracker, &options, &process, NULL));
	if (pidtrack_process_binding(process) ==
	    PIDTRACK_BINDING_PARENT_DEATH) {
		EXPECT_EQ(-EOPNOTSUPP, pidtrack_handoff_prepare(tracker, &fd));
	}
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 0);
	ASSERT_EQ(0, pidtrack_handoff_prepare(tracker, &fd));
	ASSERT_EQ(0, pidtrack_handoff_cancel(tracker));
	pidtrack_free(tracker);
}

static void with_one_bound(struct __test_metadata *_metadata, struct host *host)
{
	struct pidtrack_fd_map fds[] = {
		{ .child_fd = 0, .fd = host->gate.shim },
	};
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.flags = PIDTRACK_SPAWN_BOUND,
				       .argv = SHIM("wait", "exit", "7"),
				       .label = "bound", .fds = fds,
				       .n_fds = 1);

	ASSERT_EQ(0, pidtrack_spawn(host->tracker, &options, &host->process,
				    NULL));
}

/* That one has executed already, and would again. */
TEST_WANTS(
	what_dies_with_the_thread_that_executes_is_handed_over_by_any_tracker,
	proc)
{
	struct host host = { .set_up = with_one_bound,
			     .words = { "thread", "again" } };

	host_begin(_metadata, &host);
	ASSERT_SAYS(&host, "recovered bound same pin 0 running");
	gate_open(&host.gate);
	ASSERT_SAYS(&host, "event bound exited 0x700 waited last");
	ASSERT_SAYS(&host, "left 0 0");
	host_end(_metadata, &host);
}

TEST_WANTS(a_ladder_of_several_is_to_be_over, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	const struct pidtrack_stop_step steps[] = { { SIGKILL, 20000 } };
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.flags = PIDTRACK_STOP_TREE,
				      .steps = steps, .n_steps = 1);
	const struct pidtrack_event *event = NULL;
	struct pidtrack_process *process;
	int fd;

	process = shim_start_at(_metadata, tracker, &gate, 7);
	ASSERT_EQ(0, pidtrack_process_stop(process, &options));
	EXPECT_EQ(-EINPROGRESS, pidtrack_handoff_prepare(tracker, &fd));
	do
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	while (!(event->flags & PIDTRACK_EVENT_LAST));
	ASSERT_EQ(0, pidtrack_handoff_prepare(tracker, &fd));
	gate_open(&gate);
	pidtrack_free(tracker);
}

TEST_HARNESS_MAIN
