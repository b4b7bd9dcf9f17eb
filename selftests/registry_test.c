/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Directories of records: what is told of them, once, and what of what becomes
 * of them.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include "registered.h"

FIXTURE(place)
{
	char dir[40];
	struct pidtrack_registry *registry;
};

FIXTURE_SETUP(place)
{
	strcpy(self->dir, "/tmp/pt-registry-XXXXXX");
	ASSERT_TRUE(mkdtemp(self->dir) != NULL);
}

static int empty_it(const char *dir)
{
	DIR *names = opendir(dir);
	struct dirent *name;

	if (!names)
		return 0;
	while ((name = readdir(names)))
		if (unlinkat(dirfd(names), name->d_name, 0))
			unlinkat(dirfd(names), name->d_name, AT_REMOVEDIR);
	closedir(names);
	return rmdir(dir);
}

FIXTURE_TEARDOWN(place)
{
	pidtrack_registry_free(self->registry);
	EXPECT_EQ(0, empty_it(self->dir));
}

#define OPEN(flags) \
	(self->registry = registry_open(_metadata, self->dir, flags))

/* ---- opening ---- */

TEST_F(place, what_is_no_directory_is_refused)
{
	struct pidtrack_registry *const none = (void *)self;
	struct pidtrack_registry *registry = none;
	uint32_t flags;

	put(_metadata, self->dir, "file", "4711\n");
	for (flags = 0; flags <= FOLLOW; flags += FOLLOW) {
		EXPECT_EQ(-ENOENT, pidtrack_registry_open("/nonexistent/dir",
							  flags, &registry));
		EXPECT_EQ(-ENOENT,
			  pidtrack_registry_open("", flags, &registry));
		EXPECT_EQ(-ENOTDIR,
			  pidtrack_registry_open(path_in(self->dir, "file"),
						 flags, &registry));
	}
	EXPECT_EQ(-EINVAL, pidtrack_registry_open(self->dir, 2, &registry));
	EXPECT_EQ(none, registry);
	EXPECT_NULL(pidtrack_registry_free(NULL));
}

TEST_F(place, without_a_descriptor_none_is_opened)
{
	struct pidtrack_registry *registry;
	int least = dup(0), n, r = -1;
	struct rlimit limit;

	close(least);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	for (n = 0; r < 0 && n < 8; n++) {
		limit.rlim_cur = least + n;
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
		r = pidtrack_registry_open(self->dir, FOLLOW, &registry);
		if (r < 0)
			EXPECT_EQ(-EMFILE, r);
	}
	ASSERT_EQ(0, r);
	EXPECT_EQ(5, n); /* 4 of them, and none too many */
	pidtrack_registry_free(registry);
}

TEST_F(place, an_empty_directory_has_none)
{
	const struct pidtrack_found *found = (void *)self;

	OPEN(0);
	EXPECT_EQ(-EINVAL, pidtrack_registry_fd(self->registry));
	EXPECT_EQ(0, pidtrack_registry_next(self->registry, NULL, &found));
	EXPECT_EQ(0, pidtrack_registry_next(self->registry, NULL, &found));
	EXPECT_EQ((void *)self, found);
}

/* ---- what is a record ---- */

/* bbox: stray files, nested directories, no sentinel. */
TEST_F(place, what_is_no_regular_file_or_hidden_is_passed_over)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint32_t flags;

	put(_metadata, self->dir, ".hidden", "4711\n");
	put(_metadata, self->dir, ".pidtrack-4711-1-2", "4711\n");
	put(_metadata, self->dir, "web.exit", "4711\n");
	put(_metadata, self->dir, "web.exit.previous", "4711\n");
	put(_metadata, self->dir, ".exit", "4711\n");
	ASSERT_EQ(0, mkdir(path_in(self->dir, "nested"), 0700));
	put(_metadata, path_in(self->dir, "nested"), "web", "4711\n");
	ASSERT_EQ(0, mkfifo(path_in(self->dir, "fifo"), 0600));
	ASSERT_EQ(0, symlink(".hidden", path_in(self->dir, "link")));
	strcpy(address.sun_path, path_in(self->dir, "socket"));
	ASSERT_EQ(0, bind(fd, (void *)&address, sizeof(address)));
	put(_metadata, self->dir, "web.exit.", "4711\n");

	for (flags = 0; flags <= FOLLOW; flags += FOLLOW) {
		struct pidtrack_registry *registry =
			registry_open(_metadata, self->dir, flags);

		EXPECT_TOLD(PIDTRACK_FOUND, "web.exit.", 0, registry);
		EXPECT_NULL(found_next(_metadata, registry));
		pidtrack_registry_free(registry);
	}
	unlink(path_in(path_in(self->dir, "nested"), "web"));
	close(fd);
}

TEST_F(place, what_is_no_record_is_told_with_its_error)
{
	static const char large[PIDTRACK_RECORD_MAX + 1];
	const struct pidtrack_found *found;
	int n = 0, large_ones = 0;

	put(_metadata, self->dir, "stray", "hello\n");
	put(_metadata, self->dir, "nothing", "");
	put(_metadata, self->dir, "later", "pidtrack9:x=1\n");
	put_bytes(_metadata, self->dir, "large", large, sizeof(large));
	OPEN(0);
	while ((found = found_next(_metadata, self->registry))) {
		n++;
		EXPECT_EQ(PIDTRACK_FOUND, found->change);
		EXPECT_NULL(found->record);
		if (!strcmp(found->name, "large"))
			large_ones += found->error == -EFBIG;
		else if (!strcmp(found->name, "later"))
			EXPECT_EQ(-EPROTONOSUPPORT, found->error);
		else
			EXPECT_EQ(-EBADMSG, found->error);
	}
	EXPECT_EQ(4, n);
	EXPECT_EQ(1, large_ones);
}

/* EMFILE does not make a record disappear. */
TEST_F(place, without_a_descriptor_a_record_is_not_missing)
{
	struct rlimit limit, none;
	int least;

	put(_metadata, self->dir, "web", "4711\n");
	OPEN(FOLLOW);
	EXPECT_TOLD(PIDTRACK_FOUND, "web", 0, self->registry);
	EXPECT_QUIET(self->registry);
	put(_metadata, self->dir, "web", "4712\n");
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	least = dup(0);
	close(least);
	none = limit;
	none.rlim_cur = least;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_TOLD(PIDTRACK_CHANGED, "web", -EMFILE, self->registry);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	/* no event tells that there is room again */
	EXPECT_TOLD(PIDTRACK_CHANGED, "web", 0, self->registry);
	EXPECT_QUIET(self->registry);
}

/* ---- verdicts ---- */

/* bbox: 5 stale directories; live kept, dead removed, what is unproven kept. */
TEST_F(place, the_stale_are_swept_and_nothing_else)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	const struct pidtrack_found *found;
	struct pidtrack_process *process;
	int i, stale = 0, same = 0, r;
	char text[64];

	for (i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "stale-%d", i);
		put(_metadata, self->dir, text, stale_text(_metadata));
	}
	put(_metadata, self->dir, "stray", "hello\n");
	snprintf(text, sizeof(text), "%d\n", getpid());
	put(_metadata, self->dir, "unproven", text);
	process = shim_start_recorded(_metadata, tracker, &gate,
				      path_in(self->dir, "live"));
	OPEN(0);
	while ((r = pidtrack_registry_next(self->registry, tracker, &found)) >
	       0) {
		const char *path = path_in(self->dir, found->name);

		check_found(_metadata, found);
		if (!found->comparison)
			continue;
		if (found->comparison->verdict == PIDTRACK_VERDICT_GONE) {
			EXPECT_EQ(0, strncmp(found->name, "stale-", 6));
			EXPECT_EQ(0,
				  pidtrack_record_remove(path, found->record));
			stale++;
		}
		if (found->comparison->verdict == PIDTRACK_VERDICT_SAME) {
			EXPECT_STREQ("live", found->name);
			EXPECT_STREQ("web 1",
				     pidtrack_record_label(found->record));
			same++;
		}
	}
	EXPECT_EQ(0, r);
	EXPECT_EQ(5, stale);
	EXPECT_EQ(1, same);
	EXPECT_EQ(-1, access(path_in(self->dir, "stale-0"), F_OK));
	EXPECT_EQ(0, access(path_in(self->dir, "live"), F_OK));
	EXPECT_EQ(0, access(path_in(self->dir, "stray"), F_OK));
	EXPECT_EQ(0, access(path_in(self->dir, "unproven"), F_OK));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 7 << 8);
	pidtrack_free(tracker);
}

#define MANY 10000
#define LIVE 10

/* Four to read one (and a close), three to verify it. */
TEST_F(place, of_ten_thousand_each_is_told_once_for_seven_system_calls)
{
	static char seen[MANY];
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *processes[LIVE];
	const struct pidtrack_found *found;
	uint64_t before, calls;
	char name[32];
	int i, n, r;

	for (i = 0; i < LIVE; i++) {
		snprintf(name, sizeof(name), "box-%d", i);
		processes[i] = shim_start_recorded(_metadata, tracker, &gate,
						   path_in(self->dir, name));
	}
	for (i = LIVE; i < MANY; i++) {
		char from[32];

		snprintf(from, sizeof(from), "box-%d", i % LIVE);
		snprintf(name, sizeof(name), "box-%d", i);
		ASSERT_EQ(0, link(path_in(self->dir, from),
				  path_in(self->dir, name)));
	}
	OPEN(0);
	before = tracker_statistics(tracker).syscalls;
	for (n = 0;
	     (r = pidtrack_registry_next(self->registry, tracker, &found)) > 0;
	     n++) {
		ASSERT_EQ(PIDTRACK_FOUND, found->change);
		ASSERT_EQ(0, found->error);
		ASSERT_EQ(PIDTRACK_VERDICT_SAME, found->comparison->verdict);
		ASSERT_EQ(1, sscanf(found->name, "box-%d", &i));
		ASSERT_EQ(0, seen[i]);
		seen[i] = 1;
	}
	calls = tracker_statistics(tracker).syscalls - before;
	EXPECT_EQ(0, r);
	EXPECT_EQ(MANY, n);
	TH_LOG("%.2f system calls a record", (double)calls / MANY);
	if (works(PIDTRACK_FEATURE_HANDLE_OPEN))
		EXPECT_LE(calls, MANY * 71 / 10);
	gate_open(&gate);
	for (i = 0; i < LIVE; i++)
		process_await_exit(processes[i]);
	pidtrack_free(tracker);
	for (i = 0; i < LIVE; i++)
		waitpid(-1, NULL, WNOHANG);
}

/* ---- following ---- */

TEST_F(place, what_comes_changes_and_goes_is_told_once)
{
	put(_metadata, self->dir, "a", "4711\n");
	OPEN(FOLLOW);
	EXPECT_TRUE(registry_is_readable(self->registry));
	EXPECT_TOLD(PIDTRACK_FOUND, "a", 0, self->registry);
	EXPECT_QUIET(self->registry);

	put(_metadata, self->dir, "b", "4711\n");
	EXPECT_TRUE(registry_is_readable(self->registry));
	EXPECT_TOLD(PIDTRACK_CHANGED, "b", 0, self->registry);
	EXPECT_QUIET(self->registry);
	put(_metadata, self->dir, "b", "4712\n");
	EXPECT_TOLD(PIDTRACK_CHANGED, "b", 0, self->registry);
	EXPECT_QUIET(self->registry);
	/* another file that says the same is another one */
	put(_metadata, self->dir, "b", "4712\n");
	EXPECT_TOLD(PIDTRACK_CHANGED, "b", 0, self->registry);
	EXPECT_QUIET(self->registry);

	ASSERT_EQ(0, link(path_in(self->dir, "b"), path_in(self->dir, "c")));
	EXPECT_TOLD(PIDTRACK_CHANGED, "c", 0, self->registry);
	EXPECT_QUIET(self->registry);
	ASSERT_EQ(0, rename(path_in(self->dir, "a"), path_in(self->dir, "d")));
	EXPECT_TOLD(PIDTRACK_REMOVED, "a", 0, self->registry);
	EXPECT_TOLD(PIDTRACK_CHANGED, "d", 0, self->registry);
	EXPECT_QUIET(self->registry);
	ASSERT_EQ(0, unlink(path_in(self->dir, "c")));
	EXPECT_TOLD(PIDTRACK_REMOVED, "c", 0, self->registry);
	EXPECT_QUIET(self->registry);
	ASSERT_EQ(0, rename(path_in(self->dir, "d"), path_in(self->dir, ".d")));
	EXPECT_TOLD(PIDTRACK_REMOVED, "d", 0, self->registry);
	EXPECT_QUIET(self->registry);
}

/* As pid files are by those who lock them: written, never closed. */
TEST_F(place, what_is_written_in_place_is_told_as_it_is_then)
{
	int fd;

	OPEN(FOLLOW);
	EXPECT_QUIET(self->registry);
	fd = open(path_in(self->dir, "pid"), O_RDWR | O_CREAT | O_CLOEXEC,
		  0600);
	EXPECT_TOLD(PIDTRACK_CHANGED, "pid", -EBADMSG, self->registry);
	EXPECT_QUIET(self->registry);
	ASSERT_EQ(5, write(fd, "4711\n", 5));
	EXPECT_TOLD(PIDTRACK_CHANGED, "pid", 0, self->registry);
	EXPECT_QUIET(self->registry);
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_TOLD(PIDTRACK_CHANGED, "pid", -EBADMSG, self->registry);
	EXPECT_QUIET(self->registry);
	ASSERT_EQ(5, pwrite(fd, "4712\n", 5, 0));
	close(fd);
	EXPECT_TOLD(PIDTRACK_CHANGED, "pid", 0, self->registry);
	EXPECT_QUIET(self->registry);
}

TEST_F(place, nothing_is_lost_between_opening_and_scanning)
{
	const struct pidtrack_found *found;
	int n = 0;

	put(_metadata, self->dir, "a", "4711\n");
	put(_metadata, self->dir, "b", "4711\n");
	OPEN(FOLLOW);
	put(_metadata, self->dir, "c", "4711\n");
	ASSERT_EQ(0, unlink(path_in(self->dir, "a")));
	found = found_next(_metadata, self->registry);
	ASSERT_TRUE(found != NULL);
	put(_metadata, self->dir, "d", "4711\n");
	ASSERT_EQ(0, unlink(path_in(self->dir, "b")));
	for (; found; found = found_next(_metadata, self->registry))
		n += found->change == PIDTRACK_REMOVED ? -1 : 1;
	EXPECT_EQ(2, n); /* c and d, whatever else was told meanwhile */
	EXPECT_QUIET(self->registry);
}

TEST_F(place, what_cancels_out_or_is_hidden_is_not_told)
{
	put(_metadata, self->dir, "a", "4711\n");
	OPEN(FOLLOW);
	EXPECT_TOLD(PIDTRACK_FOUND, "a", 0, self->registry);
	EXPECT_QUIET(self->registry);
	put(_metadata, self->dir, "b", "4711\n");
	ASSERT_EQ(0, unlink(path_in(self->dir, "b")));
	ASSERT_EQ(0, rename(path_in(self->dir, "a"), path_in(self->dir, "b")));
	ASSERT_EQ(0, rename(path_in(self->dir, "b"), path_in(self->dir, "a")));
	put(_metadata, self->dir, "a.exit", "4711\n");
	ASSERT_EQ(0, mkdir(path_in(self->dir, "nested"), 0700));
	ASSERT_EQ(0, symlink("a", path_in(self->dir, "link")));
	ASSERT_EQ(0, chmod(path_in(self->dir, "a"), 0644));
	EXPECT_TRUE(registry_is_readable(self->registry));
	EXPECT_QUIET(self->registry);
}

TEST_F(place, as_long_as_there_is_more_it_is_readable)
{
	char name[] = "a";
	int i;

	OPEN(FOLLOW);
	EXPECT_QUIET(self->registry);
	for (i = 0; i < 20; i++) {
		name[0] = (char)('a' + i);
		put(_metadata, self->dir, name, "4711\n");
	}
	for (i = 0; i < 20; i++) {
		EXPECT_TRUE(registry_is_readable(self->registry));
		name[0] = (char)('a' + i);
		EXPECT_TOLD(PIDTRACK_CHANGED, name, 0, self->registry);
	}
	EXPECT_QUIET(self->registry);
}

static int queued_max(void)
{
	char path[] = "/proc/sys/fs/inotify/max_queued_events", text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	(void)!read(fd, text, sizeof(text) - 1);
	close(fd);
	return atoi(text);
}

/* More happens than the kernel keeps; what it did not keep is told as well. */
TEST_F(place, what_the_kernel_lost_is_found_again)
{
	int i, n = queued_max();

	if (n <= 0 || n > 200000)
		SKIP(return, "the kernel keeps %d events", n);
	put(_metadata, self->dir, "changed", "4711\n");
	put(_metadata, self->dir, "removed", "4711\n");
	put(_metadata, self->dir, "stays", "4711\n");
	OPEN(FOLLOW);
	while (found_next(_metadata, self->registry))
		;
	EXPECT_QUIET(self->registry);
	put(_metadata, self->dir, ".x", "");
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, rename(path_in(self->dir, i % 2 ? ".y" : ".x"),
				    path_in(self->dir, i % 2 ? ".x" : ".y")));
	put(_metadata, self->dir, "changed", "4712\n");
	ASSERT_EQ(0, unlink(path_in(self->dir, "removed")));
	EXPECT_TOLD(PIDTRACK_CHANGED, "changed", 0, self->registry);
	EXPECT_TOLD(PIDTRACK_REMOVED, "removed", 0, self->registry);
	EXPECT_QUIET(self->registry);
	put(_metadata, self->dir, "new", "4712\n");
	EXPECT_TOLD(PIDTRACK_CHANGED, "new", 0, self->registry);
	EXPECT_QUIET(self->registry);
}

/* ---- its own end ---- */

static void expect_end(struct __test_metadata *_metadata,
		       struct pidtrack_registry *registry, int error)
{
	const struct pidtrack_found *found = NULL;
	bool a = false, b = false;
	int i;

	for (i = 0; i < 2; i++) {
		found = found_next(_metadata, registry);
		ASSERT_TRUE(found != NULL);
		EXPECT_EQ(PIDTRACK_REMOVED, found->change);
		a |= !strcmp(found->name, "a");
		b |= !strcmp(found->name, "b");
	}
	EXPECT_TRUE(a && b);
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(registry_is_readable(registry));
		EXPECT_EQ(error,
			  pidtrack_registry_next(registry, NULL, &found));
	}
}

static void open_with_two(struct __test_metadata *_metadata, const char *dir,
			  struct pidtrack_registry **ret_registry)
{
	put(_metadata, dir, "a", "4711\n");
	put(_metadata, dir, "b", "4711\n");
	*ret_registry = registry_open(_metadata, dir, FOLLOW);
	ASSERT_TRUE(found_next(_metadata, *ret_registry) != NULL);
	ASSERT_TRUE(found_next(_metadata, *ret_registry) != NULL);
	EXPECT_QUIET(*ret_registry);
}

TEST_F(place, a_directory_that_is_removed_ends_it)
{
	open_with_two(_metadata, self->dir, &self->registry);
	ASSERT_EQ(0, empty_it(self->dir));
	expect_end(_metadata, self->registry, -ENOENT);
}

TEST_F(place, a_directory_that_is_removed_ends_a_scan)
{
	const struct pidtrack_found *found = NULL;

	self->registry = registry_open(_metadata, self->dir, 0);
	ASSERT_EQ(0, empty_it(self->dir));
	EXPECT_EQ(-ENOENT,
		  pidtrack_registry_next(self->registry, NULL, &found));
	EXPECT_NULL(found);
}

TEST_F(place, a_directory_that_is_moved_ends_it)
{
	char moved[64];

	snprintf(moved, sizeof(moved), "%s.moved", self->dir);
	open_with_two(_metadata, self->dir, &self->registry);
	ASSERT_EQ(0, rename(self->dir, moved));
	ASSERT_EQ(0, mkdir(self->dir, 0700));
	put(_metadata, self->dir, "c", "4711\n");
	expect_end(_metadata, self->registry, -ESTALE);
	EXPECT_EQ(0, empty_it(moved));
}

TEST_F(place, a_scan_goes_on_where_its_directory_is_moved_to)
{
	char moved[64];

	put(_metadata, self->dir, "a", "4711\n");
	OPEN(0);
	snprintf(moved, sizeof(moved), "%s.moved", self->dir);
	ASSERT_EQ(0, rename(self->dir, moved));
	EXPECT_TOLD(PIDTRACK_FOUND, "a", 0, self->registry);
	EXPECT_NULL(found_next(_metadata, self->registry));
	ASSERT_EQ(0, rename(moved, self->dir));
}

TEST_F(place, what_is_removed_beside_it_does_not_end_it)
{
	char beside[64];

	open_with_two(_metadata, self->dir, &self->registry);
	snprintf(beside, sizeof(beside), "%s.beside", self->dir);
	ASSERT_EQ(0, mkdir(beside, 0700));
	ASSERT_EQ(0, rmdir(beside));
	EXPECT_TRUE(registry_is_readable(self->registry));
	EXPECT_QUIET(self->registry);
	put(_metadata, self->dir, "c", "4711\n");
	EXPECT_TOLD(PIDTRACK_CHANGED, "c", 0, self->registry);
	EXPECT_QUIET(self->registry);
}

TEST_F(place, after_fork_the_childs_copy_of_a_tracker_is_refused)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	const struct pidtrack_found *found;
	int status;
	pid_t pid;

	put(_metadata, self->dir, "a", "4711\n");
	OPEN(0);
	pid = fork();
	if (!pid)
		_exit(pidtrack_registry_next(self->registry, tracker, &found) ==
				      -ECHILD ?
			      0 :
			      1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TOLD(PIDTRACK_FOUND, "a", 0, self->registry);
	pidtrack_free(tracker);
}

TEST(every_change_has_a_word)
{
	EXPECT_STREQ("found", pidtrack_change_name(PIDTRACK_FOUND));
	EXPECT_STREQ("changed", pidtrack_change_name(PIDTRACK_CHANGED));
	EXPECT_STREQ("removed", pidtrack_change_name(PIDTRACK_REMOVED));
	EXPECT_STREQ("unknown", pidtrack_change_name(0));
	EXPECT_STREQ("unknown", pidtrack_change_name(4));
}

TEST_HARNESS_MAIN
