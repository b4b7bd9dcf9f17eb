/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A ladder for one that sleeps in the kernel, where no signal ends it. */
#include <linux/fs.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "files.h"
#include "tracked.h"

/* A file system in a file, in a mount namespace of our own. */
FIXTURE(frozen)
{
	struct directory directory;
	const char *why; /* it cannot be had; or NULL */
	int root;	 /* of it, to freeze it by */
	bool mounted;
};

static const char *make_image(const char *path)
{
	char command[512];
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, 8 << 20))
		return "no room for a file system";
	close(fd);
	snprintf(command, sizeof(command),
		 "PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -F %s 2>/dev/null",
		 path);
	return system(command) ? "no mkfs.ext4" : NULL;
}

/* The loop device is free again with its last user. */
static int loop_of(const char *image, char ret_device[64])
{
	struct loop_config config = {
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	int control, loop = -1, tries, n;

	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	config.fd = (uint32_t)open(image, O_RDWR | O_CLOEXEC);
	for (tries = 0; tries < 20 && loop < 0; tries++) {
		n = ioctl(control, LOOP_CTL_GET_FREE);
		if (n < 0)
			break;
		snprintf(ret_device, 64, "/dev/loop%d", n);
		loop = open(ret_device, O_RDWR | O_CLOEXEC);
		if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &config) < 0) {
			close(loop); /* somebody else was first */
			loop = -1;
		}
	}
	close(control);
	close((int)config.fd);
	return loop;
}

static const char *mount_image(const char *image, const char *point)
{
	char device[64];
	int loop, r;

	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return "no mount namespace of our own";
	loop = loop_of(image, device);
	if (loop < 0)
		return "no loop device";
	r = mount(device, point, "ext4", 0, NULL);
	close(loop);
	return r ? "no ext4" : NULL;
}

FIXTURE_SETUP(frozen)
{
	struct path image, point;

	directory_make(_metadata, &self->directory);
	image = path_in(&self->directory, "image");
	point = path_in(&self->directory, "point");
	ASSERT_EQ(0, mkdir(point.text, 0700));
	self->root = -1;
	self->why = make_image(image.text);
	if (!self->why)
		self->why = mount_image(image.text, point.text);
	if (self->why)
		return;
	self->mounted = true;
	self->root = open(point.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_GE(self->root, 0);
}

FIXTURE_TEARDOWN(frozen)
{
	struct path point = path_in(&self->directory, "point");

	if (self->root >= 0) {
		ioctl(self->root, FITHAW, 0);
		close(self->root);
	}
	if (self->mounted)
		umount(point.text);
	directory_remove(&self->directory);
}

/* A child that has begun to write to what is frozen. */
static pid_t writer_start(struct __test_metadata *_metadata, int root)
{
	pid_t pid = fork();
	char path[64], state[2] = "";
	FILE *file;

	if (!pid) {
		openat(root, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		_exit(9);
	}
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (state[0] != 'D') {
		file = fopen(path, "re");
		ASSERT_NE(NULL, (void *)file);
		ASSERT_EQ(1, fscanf(file, "%*d (%*[^)]) %1s", state));
		fclose(file);
		ASSERT_NE('Z', state[0]);
		sched_yield();
	}
	return pid;
}

static void ends_late(struct __test_metadata *_metadata, int root,
		      uint32_t flags)
{
	const struct pidtrack_stop_step steps[] = { { SIGTERM, 20 },
						    { SIGKILL, 50 } };
	const struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.flags = flags, .steps = steps,
				      .n_steps = 2);
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	const struct pidtrack_event *event;
	struct pidtrack_process *process;

	ASSERT_EQ(0, ioctl(root, FIFREEZE, 0));
	ASSERT_EQ(0, pidtrack_attach(tracker, writer_start(_metadata, root), 0,
				     0, &process));
	ASSERT_EQ(0, pidtrack_process_stop(process, &options));
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	EXPECT_EQ(PIDTRACK_ESCALATED, event->kind);
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	EXPECT_EQ(PIDTRACK_STOP_TIMED_OUT, event->kind);
	EXPECT_EQ(SIGKILL, event->signal);
	EXPECT_EQ(0, event->flags);
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pidtrack_process_state(process));
	ASSERT_NO_EVENT(tracker);

	ASSERT_EQ(0, ioctl(root, FITHAW, 0));
	ASSERT_EXITED(tracker, process, SIGTERM);
	pidtrack_free(tracker);
}

TEST_F_WANTS(frozen,
	     one_asleep_in_the_kernel_is_told_as_timed_out_and_its_end_later,
	     proc)
{
	if (self->why)
		SKIP(return, "%s", self->why);
	ends_late(_metadata, self->root, 0);
}

TEST_F_WANTS(frozen, so_is_a_tree_of_it, proc)
{
	if (self->why)
		SKIP(return, "%s", self->why);
	ends_late(_metadata, self->root, PIDTRACK_STOP_TREE);
}

TEST_HARNESS_MAIN
