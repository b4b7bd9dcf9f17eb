/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A container to be run by crun: busybox and nothing else, in the working
 * directory, which is its bundle.  crun and whoever calls it run in a mount
 * namespace that has cgroup2 at /sys/fs/cgroup, for crun refuses a machine that
 * has the older kind beside it.
 */
#ifndef CONTAINER_H
#define CONTAINER_H

#include "real.h"

struct container {
	struct real real;
	char crun[PATH_MAX];
	char busybox[PATH_MAX];
	struct real_pipe in;  /* its standard input */
	struct real_pipe out; /* its standard output */
};

#define CRUN_ROOT "--root=state"
#define CRUN_CGROUPS "--cgroup-manager=disabled"

/* An argv: a shell that mounts, and becomes the program. */
#define ON_CGROUP2(program, ...)                                      \
	(const char *const[])                                         \
	{                                                             \
		"/bin/sh", "-c",                                      \
			"mount --make-rprivate / && "                 \
			"mount -t cgroup2 cgroup2 /sys/fs/cgroup && " \
			"exec \"$@\"",                                \
			"sh", program, __VA_ARGS__, NULL              \
	}

#define CRUN(container, ...) \
	ON_CGROUP2((container)->crun, CRUN_ROOT, CRUN_CGROUPS, __VA_ARGS__)

/* Whether a program asks for a loader, which a container has not. */
static inline bool program_is_dynamic(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text));

	close(fd);
	return n < 0 || memmem(text, n, "/ld", 3);
}

/* False if there is what a container needs, or true and why not. */
static inline bool container_lacks(struct container *container,
				   char *ret_reason, size_t size)
{
	int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
	int error;

	if (!program_find("crun", container->crun, sizeof(container->crun)))
		return snprintf(ret_reason, size, "crun is not installed");
	if (!program_find("busybox", container->busybox,
			  sizeof(container->busybox)))
		return snprintf(ret_reason, size, "busybox is not installed");
	if (program_is_dynamic(container->busybox))
		return snprintf(ret_reason, size, "busybox is not static");
	error = namespaces_work(flags, true);
	if (error)
		return snprintf(ret_reason, size,
				"no namespaces, or no cgroup2 in them: %s",
				strerror(error));
	return false;
}

static inline void container_begin(struct __test_metadata *_metadata,
				   struct container *container)
{
	struct real *real = &container->real;

	real_begin(_metadata, real);
	container->in = real_pipe(_metadata, real);
	container->out = real_pipe(_metadata, real);
	/* all that crun would make for itself: several run at once */
	ASSERT_EQ(0, mkdir("rootfs", 0755));
	ASSERT_EQ(0, mkdir("rootfs/bin", 0755));
	ASSERT_EQ(0, mkdir("rootfs/dev", 0755));
	ASSERT_EQ(0, mkdir("rootfs/proc", 0755));
	ASSERT_EQ(0, mknod("rootfs/bin/busybox", S_IFREG | 0755, 0));
	ASSERT_EQ(0, mkdir("state", 0700));
	ASSERT_EQ(0, setenv("XDG_RUNTIME_DIR", real->dir, 1));
}

/* @script: for a shell, without quotes and backslashes */
static inline void container_write_config(struct __test_metadata *_metadata,
					  const struct container *container,
					  const char *script)
{
	FILE *file = fopen("config.json", "we");

	ASSERT_TRUE(file != NULL);
	ASSERT_NULL(strpbrk(script, "\"\\"));
	fprintf(file,
		"{\"ociVersion\":\"1.0.0\",\"process\":{\"cwd\":\"/\","
		"\"user\":{\"uid\":0,\"gid\":0},\"env\":[\"PATH=/bin\"],"
		"\"args\":[\"/bin/busybox\",\"sh\",\"-c\",\"%s\"]},"
		"\"root\":{\"path\":\"rootfs\"},\"mounts\":["
		"{\"destination\":\"/proc\",\"type\":\"proc\","
		"\"source\":\"proc\"},"
		"{\"destination\":\"/dev\",\"type\":\"tmpfs\","
		"\"source\":\"tmpfs\",\"options\":[\"size=64k\"]},"
		"{\"destination\":\"/bin/busybox\",\"type\":\"bind\","
		"\"source\":\"%s\",\"options\":[\"bind\",\"ro\"]}],"
		"\"linux\":{\"namespaces\":[{\"type\":\"pid\"},"
		"{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":\"uts\"}]}}",
		script, container->busybox);
	ASSERT_EQ(0, fclose(file));
}

/* Launches a shim with the container's pipes for its own.
 * @masked: bit n-1: signal n is blocked in it */
static inline void container_spawn(struct __test_metadata *_metadata,
				   struct container *container,
				   const char *const *argv, uint64_t masked,
				   struct watched *ret_watched)
{
	struct pidtrack_fd_map fds[] = {
		{ .child_fd = 0, .fd = container->in.read },
		{ .child_fd = 1, .fd = container->out.write },
	};
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .fds = fds,
				       .n_fds = ARRAY_SIZE(fds),
				       .namespaces = CLONE_NEWNS,
				       .signal_mask = masked);

	real_spawn(_metadata, &container->real, &options, ret_watched);
}

/* Runs crun to its end, with its output in our pipe; it must succeed. */
static inline void container_crun(struct __test_metadata *_metadata,
				  struct container *container,
				  const char *const *argv)
{
	struct watched crun;

	container_spawn(_metadata, container, argv, 0, &crun);
	ASSERT_ENDED(&container->real, &crun, CODE(0));
	pidtrack_process_free(crun.process);
}

/* The text "status" that crun tells of it, and that it has this init. */
static inline bool container_is(struct __test_metadata *_metadata,
				struct container *container, const char *status,
				pid_t init)
{
	char text[4096], expected[64];
	ssize_t n;

	container_crun(_metadata, container, CRUN(container, "state", "c"));
	n = read(container->out.read, text, sizeof(text) - 1);
	ASSERT_GT(n, 0);
	text[n] = '\0';
	snprintf(expected, sizeof(expected), "\"status\": \"%s\"", status);
	if (!strstr(text, expected))
		return false;
	snprintf(expected, sizeof(expected), "\"pid\": %d,", init);
	return !strcmp(status, "stopped") || strstr(text, expected);
}

#endif
