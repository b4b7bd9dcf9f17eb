/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Scans of a directory whose owner starts and finishes meanwhile: what is there
 * all the time is found once, and nothing live is ever called gone.
 */
#include "registered.h"

#define STAYING 8 /* replaced again and again, never absent */
#define PASSING 40
#define SCANS 60

/* The records of some shims, which live until the test's end. */
struct owner {
	char dir[40];
	struct pidtrack *tracker;
	struct gate gate;
	struct pidtrack_process *shims[STAYING];
	char bytes[STAYING][PIDTRACK_RECORD_MAX];
	size_t sizes[STAYING];
	pid_t writer;
	int stop; /* is closed to end it */
};

static const char *name_of(const char *kind, int i)
{
	static char names[2][32];
	static int n;
	char *name = names[n++ % 2];

	snprintf(name, 32, "%s-%d", kind, i);
	return name;
}

/* Until the other end is closed; by renaming, as pidtrack_spawn() does. */
static void write_on(struct __test_metadata *_metadata,
		     const struct owner *owner, int stop)
{
	unsigned int i;

	for (i = 0; !await_fd(stop, POLLHUP, 0); i++) {
		unsigned int a = i % STAYING, b = i * 7 % PASSING;

		put_bytes(_metadata, owner->dir, name_of("staying", a),
			  owner->bytes[a], owner->sizes[a]);
		put_bytes(_metadata, owner->dir, name_of("passing", b),
			  owner->bytes[a], owner->sizes[a]);
		unlink(path_in(owner->dir,
			       name_of("passing", (i * 11 + 3) % PASSING)));
	}
}

static void owner_start(struct __test_metadata *_metadata, struct owner *owner)
{
	int fds[2], i;

	strcpy(owner->dir, "/tmp/pt-race-XXXXXX");
	ASSERT_TRUE(mkdtemp(owner->dir) != NULL);
	owner->tracker = tracker_start(_metadata, 0);
	owner->gate = gate_make(_metadata);
	for (i = 0; i < STAYING; i++) {
		const char *path = path_in(owner->dir, name_of("staying", i));

		owner->shims[i] = shim_start_recorded(_metadata, owner->tracker,
						      &owner->gate, path);
		owner->sizes[i] = get(_metadata, path, owner->bytes[i],
				      sizeof(owner->bytes[i]));
	}
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	owner->writer = fork();
	if (!owner->writer) {
		close(fds[1]);
		write_on(_metadata, owner, fds[0]);
		_exit(0);
	}
	close(fds[0]);
	owner->stop = fds[1];
}

/* It writes no more; its shims live on. */
static void owner_rest(struct __test_metadata *_metadata, struct owner *owner)
{
	int status;

	close(owner->stop);
	ASSERT_EQ(owner->writer, waitpid(owner->writer, &status, 0));
	EXPECT_EQ(0, status);
}

static void owner_end(struct __test_metadata *_metadata, struct owner *owner)
{
	int i;

	gate_open(&owner->gate);
	for (i = 0; i < STAYING; i++) {
		const struct pidtrack_event *event;

		ASSERT_EQ(1,
			  pidtrack_wait(owner->tracker, awhile_ms(), &event));
	}
	pidtrack_free(owner->tracker);
	for (i = 0; i < STAYING; i++)
		unlink(path_in(owner->dir, name_of("staying", i)));
	for (i = 0; i < PASSING; i++)
		unlink(path_in(owner->dir, name_of("passing", i)));
	EXPECT_EQ(0, rmdir(owner->dir));
}

static void expect_live(struct __test_metadata *_metadata,
			const struct pidtrack_found *found)
{
	check_found(_metadata, found);
	ASSERT_EQ(0, found->error);
	ASSERT_STREQ("same", pidtrack_verdict_name(found->comparison->verdict));
}

TEST(what_is_there_all_the_time_is_found_once_and_nothing_live_is_gone)
{
	static struct owner owner;
	int scans, i, passing = 0;

	owner_start(_metadata, &owner);
	for (scans = 0; scans < SCANS; scans++) {
		struct pidtrack_registry *registry =
			registry_open(_metadata, owner.dir, 0);
		int staying[STAYING] = { 0 }, seen[PASSING] = { 0 }, r;
		const struct pidtrack_found *found;

		while ((r = pidtrack_registry_next(registry, owner.tracker,
						   &found)) > 0) {
			expect_live(_metadata, found);
			if (sscanf(found->name, "staying-%d", &i) == 1)
				staying[i]++;
			else if (sscanf(found->name, "passing-%d", &i) == 1)
				ASSERT_EQ(1, ++seen[i]);
		}
		ASSERT_EQ(0, r);
		for (i = 0; i < STAYING; i++)
			ASSERT_EQ(1, staying[i]);
		for (i = 0; i < PASSING; i++)
			passing += seen[i];
		pidtrack_registry_free(registry);
	}
	TH_LOG("%d scans, %d found that came and went", SCANS, passing);
	owner_rest(_metadata, &owner);
	owner_end(_metadata, &owner);
}

TEST(what_is_followed_meanwhile_is_in_the_end_what_is_there)
{
	bool staying[STAYING] = { false }, passing[PASSING] = { false };
	static struct owner owner;
	struct pidtrack_registry *registry;
	const struct pidtrack_found *found;
	int told = 0, i, r;

	owner_start(_metadata, &owner);
	registry = registry_open(_metadata, owner.dir, FOLLOW);
	do {
		bool is_there;

		r = pidtrack_registry_next(registry, owner.tracker, &found);
		ASSERT_GE(r, 0);
		if (r == 0) {
			if (told >= 5000)
				break;
			await_fd(pidtrack_registry_fd(registry), POLLIN,
				 awhile_ms());
			continue;
		}
		is_there = found->change != PIDTRACK_REMOVED;
		if (is_there)
			expect_live(_metadata, found);
		if (sscanf(found->name, "staying-%d", &i) == 1) {
			ASSERT_TRUE(is_there);
			staying[i] = true;
		} else if (sscanf(found->name, "passing-%d", &i) == 1) {
			ASSERT_TRUE(is_there || passing[i]);
			passing[i] = is_there;
		}
		if (++told == 5000)
			owner_rest(_metadata, &owner);
	} while (true);

	EXPECT_FALSE(registry_is_readable(registry));
	for (i = 0; i < STAYING; i++)
		EXPECT_TRUE(staying[i]);
	for (i = 0; i < PASSING; i++)
		EXPECT_EQ(!access(path_in(owner.dir, name_of("passing", i)),
				  F_OK),
			  passing[i]);
	pidtrack_registry_free(registry);
	owner_end(_metadata, &owner);
}

TEST_HARNESS_MAIN
