/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Each system call, ioctl and kernel constant the library uses that the headers
 * of the day may lack, with the Linux version that brought it; negative errno.
 * The only file with syscall() and ioctl(), but for two that are below it.
 *
 * What is used between clone and exec (child.c, record.c, file.c) goes through
 * here as well: nothing here allocates, locks, or does more than its one system
 * call, but for the one before that, where a sandbox knows nothing newer.
 */
#ifndef PT_SYS_H
#define PT_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>

#include "base.h"

/* Counts the system calls of this thread, for pidtrack_statistics(). */
extern _Thread_local uint64_t pt_sys_calls
	__attribute__((visibility("hidden"), tls_model("initial-exec")));

/* -1 and errno, as libc tells an error, to a negative errno. */
static inline int pt_sys_result(long r)
{
	pt_sys_calls++;
	return r < 0 ? -errno : (int)r;
}

/* ---- numbers and constants, where the headers are older ---- */

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424 /* Linux 5.1 */
#endif
#ifndef SYS_io_uring_register
#define SYS_io_uring_register 427 /* Linux 5.1 */
#endif
#ifndef SYS_open_tree
#define SYS_open_tree 428 /* Linux 5.2 */
#endif
#ifndef SYS_move_mount
#define SYS_move_mount 429 /* Linux 5.2 */
#endif
#ifndef SYS_fsopen
#define SYS_fsopen 430 /* Linux 5.2 */
#endif
#ifndef SYS_fsconfig
#define SYS_fsconfig 431 /* Linux 5.2 */
#endif
#ifndef SYS_fsmount
#define SYS_fsmount 432 /* Linux 5.2 */
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* Linux 5.3 */
#endif
#ifndef SYS_clone3
#define SYS_clone3 435 /* Linux 5.3 */
#endif
#ifndef SYS_close_range
#define SYS_close_range 436 /* Linux 5.9 */
#endif
#ifndef SYS_faccessat2
#define SYS_faccessat2 439 /* Linux 5.8 */
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442 /* Linux 5.12 */
#endif

#define PT_CLONE_PIDFD UINT64_C(0x00001000)   /* Linux 5.2, sched.h */
#define PT_CLONE_CLEAR_SIGHAND BIT(32)	      /* Linux 5.5, sched.h */
#define PT_CLONE_INTO_CGROUP BIT(33)	      /* Linux 5.7, sched.h */
#define PT_CLONE_AUTOREAP BIT(34)	      /* Linux 7.1, sched.h */
#define PT_CLONE_PIDFD_AUTOKILL BIT(36)	      /* Linux 7.1, sched.h */
#define PT_CLOSE_RANGE_UNSHARE (1U << 1)      /* Linux 5.9, close_range.h */
#define PT_P_PIDFD 3			      /* Linux 5.4, wait.h */
#define PT_PIDFD_THREAD O_EXCL		      /* Linux 6.9, pidfd.h */
#define PT_PIDFD_SIGNAL_GROUP (1U << 2)	      /* Linux 6.9, pidfd.h */
#define PT_PIDFS_MAGIC 0x50494446	      /* Linux 6.9, magic.h */
#define PT_CGROUP2_MAGIC 0x63677270	      /* Linux 4.5, magic.h */
#define PT_MADV_WIPEONFORK 18		      /* Linux 4.14, mman.h */
#define PT_FD_PIDFS_ROOT (-10002)	      /* Linux 6.17, fcntl.h */
#define PT_FILEID_KERNFS 0xfe		      /* Linux 6.14, exportfs.h */
#define PT_RENAME_NOREPLACE (1U << 0)	      /* Linux 3.15, fs.h */
#define PT_RENAME_EXCHANGE (1U << 1)	      /* Linux 3.15, fs.h */
#define PT_TMPFS_MAGIC 0x01021994	      /* magic.h */
#define PT_MFD_NOEXEC_SEAL 0x0008U	      /* Linux 6.3, memfd.h */
#define PT_OPEN_TREE_CLONE 1U		      /* Linux 5.2, mount.h */
#define PT_MOVE_FROM_EMPTY 0x04U	      /* Linux 5.2, mount.h */
#define PT_MOVE_TO_EMPTY 0x40U		      /* Linux 5.2, mount.h */
#define PT_FSOPEN_CLOEXEC 1U		      /* Linux 5.2, mount.h */
#define PT_FSCONFIG_SET_STRING 1U	      /* Linux 5.2, mount.h */
#define PT_FSCONFIG_CMD_CREATE 6U	      /* Linux 5.2, mount.h */
#define PT_FSMOUNT_CLOEXEC 1U		      /* Linux 5.2, mount.h */
#define PT_MOUNT_NOSUID 0x02U		      /* Linux 5.2, mount.h */
#define PT_MOUNT_NODEV 0x04U		      /* Linux 5.2, mount.h */
#define PT_MOUNT_NOEXEC 0x08U		      /* Linux 5.2, mount.h */
#define PT_PROPAGATION_PRIVATE (1U << 18)     /* mount.h */
#define PT_UMOUNT_DETACH 2		      /* Linux 2.4.11, fs.h */
#define PT_UMOUNT_NOFOLLOW 8		      /* Linux 2.6.34, fs.h */
#define PT_PIDFD_MOUNT_NAMESPACE _IO(0xFF, 3) /* Linux 6.11, pidfd.h */
#define PT_PIDFD_PID_NAMESPACE _IO(0xFF, 5)   /* the same */
#define PT_PIDFD_CHILDREN_PID_NAMESPACE _IO(0xFF, 6)
#define PT_AT_EMPTY_PATH 0x1000 /* Linux 2.6.39, fcntl.h */

/* Linux 5.3, sched.h; grown in 5.5 (set_tid) and 5.7 (cgroup). */
struct pt_clone_args {
	uint64_t flags;
	uint64_t pidfd;	     /* int *: where to store it */
	uint64_t child_tid;  /* pid_t * */
	uint64_t parent_tid; /* pid_t *: in the caller's pid namespace */
	uint64_t exit_signal;
	uint64_t stack; /* lowest address */
	uint64_t stack_size;
	uint64_t tls;
	uint64_t set_tid;
	uint64_t set_tid_size;
	uint64_t cgroup;
};

#define PT_CLONE_ARGS_SIZE_VER0 64 /* up to tls, Linux 5.3 */

/* Linux 6.13, pidfd.h: what PIDFD_GET_INFO tells, in its first size. */
struct pt_pidfd_info {
	uint64_t mask; /* PT_PIDFD_INFO_: asked for, then answered */
	uint64_t cgroupid;
	uint32_t pid; /* in the caller's pid namespace; 0 once reaped */
	uint32_t tgid;
	uint32_t ppid;
	uint32_t ids[8];   /* ruid rgid euid egid suid sgid fsuid fsgid */
	int32_t exit_code; /* as of wait(2), with EXIT */
};

#define PT_PIDFD_INFO_PID BIT(0)      /* Linux 6.13 */
#define PT_PIDFD_INFO_CGROUPID BIT(2) /* Linux 6.13; also once reaped, 6.15 */
#define PT_PIDFD_INFO_EXIT BIT(3)     /* Linux 6.15; only once it is reaped */
#define PT_PIDFD_GET_INFO _IOWR(0xFF, 11, struct pt_pidfd_info)

_Static_assert(sizeof(struct pt_pidfd_info) == 64, "as Linux 6.13 has it");

/* ---- processes ---- */

/*
 * Linux 5.3.  A new pidfd, close-on-exec; -ESRCH where no process has @pid,
 * -ENOENT (before 6.16: -EINVAL) where only a thread has it.
 */
static inline int sys_pidfd_open(pid_t pid, unsigned int flags)
{
	return pt_sys_result(syscall(SYS_pidfd_open, pid, flags));
}

static inline pid_t sys_gettid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

/* Linux 5.1.  -ESRCH once it is reaped. */
static inline int sys_pidfd_send_signal(int pidfd, int signal)
{
	return pt_sys_result(
		syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}

/*
 * Linux 6.9; -EINVAL before.  To all of the process group that is named by the
 * process, be it reaped; -ESRCH if there is no such group, 0 if one of it may
 * be signalled.
 */
static inline int sys_pidfd_signal_group(int pidfd, int signal)
{
	return pt_sys_result(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL,
				     PT_PIDFD_SIGNAL_GROUP));
}

/*
 * Linux 6.13.  Absent: -ENOTTY, on 6.11 and 6.12 -EINVAL, under qemu-user
 * -ENOSYS.  -EREMOTE or -ESRCH for one outside our pid namespace.
 */
static inline int sys_pidfd_info(int pidfd, uint64_t mask,
				 struct pt_pidfd_info *ret_info)
{
	memset(ret_info, 0, sizeof(*ret_info));
	ret_info->mask = mask;
	return pt_sys_result(
		syscall(SYS_ioctl, pidfd, PT_PIDFD_GET_INFO, ret_info));
}

/*
 * Linux 5.4 for P_PIDFD.  -ECHILD for one that is not our child, or no longer;
 * 0 and si_pid 0 if there is nothing to tell, which readable does not exclude.
 */
static inline int sys_waitid(int idtype, int id, siginfo_t *ret_siginfo,
			     int options)
{
	if (ret_siginfo)
		memset(ret_siginfo, 0, sizeof(*ret_siginfo));
	return pt_sys_result(
		syscall(SYS_waitid, idtype, id, ret_siginfo, options, NULL));
}

static inline int sys_prctl(int option, unsigned long a, unsigned long b)
{
	return pt_sys_result(syscall(SYS_prctl, option, a, b, 0, 0));
}

/* The calling thread's ids only: for the child, which is alone. */
#ifdef SYS_setresuid32
#define PT_SYS_SETRESUID SYS_setresuid32
#define PT_SYS_SETRESGID SYS_setresgid32
#define PT_SYS_SETGROUPS SYS_setgroups32
#define PT_SYS_GETUID SYS_getuid32
#define PT_SYS_GETGID SYS_getgid32
#else
#define PT_SYS_SETRESUID SYS_setresuid
#define PT_SYS_SETRESGID SYS_setresgid
#define PT_SYS_SETGROUPS SYS_setgroups
#define PT_SYS_GETUID SYS_getuid
#define PT_SYS_GETGID SYS_getgid
#endif

static inline int sys_setuid_all(uid_t uid)
{
	return pt_sys_result(syscall(PT_SYS_SETRESUID, uid, uid, uid));
}

static inline int sys_setgid_all(gid_t gid)
{
	return pt_sys_result(syscall(PT_SYS_SETRESGID, gid, gid, gid));
}

static inline int sys_setgroups(size_t n, const gid_t *groups)
{
	return pt_sys_result(syscall(PT_SYS_SETGROUPS, n, groups));
}

static inline int sys_setsid(void)
{
	return pt_sys_result(syscall(SYS_setsid));
}

static inline int sys_setpgid(pid_t pid, pid_t pgid)
{
	return pt_sys_result(syscall(SYS_setpgid, pid, pgid));
}

/* @pid 0: our own. */
static inline pid_t sys_getpgid(pid_t pid)
{
	return pt_sys_result(syscall(SYS_getpgid, pid));
}

/* Of a zombie, too. */
static inline pid_t sys_getsid(pid_t pid)
{
	return pt_sys_result(syscall(SYS_getsid, pid));
}

static inline void sys_sched_yield(void)
{
	pt_sys_calls++;
	syscall(SYS_sched_yield);
}

/* The one before; no kernel refuses it, but a sandbox may. */
static inline int sys_umask(mode_t mask)
{
	return pt_sys_result(syscall(SYS_umask, mask));
}

/*
 * Of the calling process: soft, then hard, UINT64_MAX for none; @limit or
 * @ret_limit may be NULL.  Linux 2.6.36.
 */
static inline int sys_prlimit(int resource, const uint64_t limit[2],
			      uint64_t ret_limit[2])
{
	return pt_sys_result(
		syscall(SYS_prlimit64, 0, resource, limit, ret_limit));
}

/* An absolute path, or "(unreachable)" and one. */
static inline int sys_getcwd(char *ret_path, size_t size)
{
	return pt_sys_result(syscall(SYS_getcwd, ret_path, size));
}

static inline int sys_chdir(const char *path)
{
	return pt_sys_result(syscall(SYS_chdir, path));
}

NEVER_RETURNS static inline int
sys_execve(const char *path, const char *const *argv, const char *const *envp)
{
	return pt_sys_result(syscall(SYS_execve, path, argv, envp));
}

/* Linux 3.19. */
NEVER_RETURNS static inline int sys_execveat(int dir, const char *path,
					     const char *const *argv,
					     const char *const *envp, int flags)
{
	return pt_sys_result(
		syscall(SYS_execveat, dir, path, argv, envp, flags));
}

/* The kernel's struct sigaction, not libc's: where the handler is in it. */
#ifdef __mips__
#define PT_SIGACTION_HANDLER 1
#else
#define PT_SIGACTION_HANDLER 0
#endif
#define PT_SIGACTION_WORDS 8 /* no architecture has more */

/* To its default, or ignored. */
static inline int sys_signal_set(int signal, bool ignore)
{
	unsigned long action[PT_SIGACTION_WORDS] = { 0 };

	action[PT_SIGACTION_HANDLER] =
		(unsigned long)(ignore ? SIG_IGN : SIG_DFL);
	return pt_sys_result(syscall(SYS_rt_sigaction, signal, action, NULL,
				     sizeof(uint64_t)));
}

/* Whether a handler is installed: neither the default nor ignored. */
static inline bool sys_signal_has_handler(int signal)
{
	unsigned long action[PT_SIGACTION_WORDS] = { 0 };
	int r;

	r = pt_sys_result(syscall(SYS_rt_sigaction, signal, NULL, action,
				  sizeof(uint64_t)));
	return r < 0 || action[PT_SIGACTION_HANDLER] > (unsigned long)SIG_IGN;
}

/* Bit n-1: signal n, those of libc's own among them. */
static inline int sys_signal_mask(const uint64_t *mask, uint64_t *ret_mask)
{
	return pt_sys_result(syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask,
				     ret_mask, sizeof(uint64_t)));
}

/* Blocks them besides those that are. */
static inline int sys_signal_block(uint64_t mask, uint64_t *ret_before)
{
	return pt_sys_result(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &mask,
				     ret_before, sizeof(uint64_t)));
}

static inline int sys_capset(void *header, const void *data)
{
	return pt_sys_result(syscall(SYS_capset, header, data));
}

/* Not getpid(): that one may be answered from a cache by older libcs. */
static inline pid_t sys_getpid(void)
{
	return pt_sys_result(syscall(SYS_getpid));
}

/* Where there are two, the old one has 16 bits for it. */
static inline uid_t sys_getuid(void)
{
	return (uid_t)syscall(PT_SYS_GETUID);
}

static inline gid_t sys_getgid(void)
{
	return (gid_t)syscall(PT_SYS_GETGID);
}

static inline pid_t sys_getppid(void)
{
	return pt_sys_result(syscall(SYS_getppid));
}

NEVER_RETURNS static inline _Noreturn void sys_exit(int code)
{
	for (;;)
		syscall(SYS_exit_group, code);
}

/* ---- what pidfs can do with a pidfd ---- */

/* A file handle of pidfs: the 8 bytes that name a process.  Linux 6.14. */
struct pt_handle {
	uint32_t bytes;
	int32_t type; /* PT_FILEID_KERNFS */
	uint64_t id;
};

/* -EOPNOTSUPP where a pidfd has none. */
static inline int sys_handle_of(int pidfd, struct pt_handle *ret_handle)
{
	int mount_id;

	*ret_handle = (struct pt_handle){ .bytes = sizeof(uint64_t) };
	return pt_sys_result(syscall(SYS_name_to_handle_at, pidfd, "",
				     ret_handle, &mount_id, PT_AT_EMPTY_PATH));
}

/* Linux 6.17; -EBADF before, -ESTALE once the process is reaped. */
static inline int sys_handle_open(const struct pt_handle *handle)
{
	return pt_sys_result(syscall(SYS_open_by_handle_at, PT_FD_PIDFS_ROOT,
				     handle, O_RDWR | O_CLOEXEC));
}

/* A mount of the file, attached nowhere.  Of a pidfd since Linux 6.14. */
static inline int sys_open_tree(int fd)
{
	return pt_sys_result(
		syscall(SYS_open_tree, fd, "",
			PT_OPEN_TREE_CLONE | PT_AT_EMPTY_PATH | O_CLOEXEC));
}

/*
 * Whether the file could be opened anew, by its name, to read and write: 0;
 * -EACCES.  Linux 5.8.
 */
static inline int sys_may_open(int fd)
{
	return pt_sys_result(syscall(SYS_faccessat2, fd, "", R_OK | W_OK,
				     PT_AT_EMPTY_PATH | AT_EACCESS));
}

/* Attaches what sys_open_tree() made to a name; -EINVAL in another namespace.
 */
static inline int sys_move_mount(int tree, int dir, const char *name)
{
	return pt_sys_result(
		syscall(SYS_move_mount, tree, "", dir, name,
			PT_MOVE_FROM_EMPTY | (*name ? 0 : PT_MOVE_TO_EMPTY)));
}

/* A file system to be configured.  Linux 5.2. */
static inline int sys_fsopen(const char *type)
{
	return pt_sys_result(syscall(SYS_fsopen, type, PT_FSOPEN_CLOEXEC));
}

static inline int sys_fsconfig(int fs, unsigned int command, const char *key,
			       const char *value)
{
	return pt_sys_result(syscall(SYS_fsconfig, fs, command, key, value, 0));
}

/* A mount of it, attached nowhere, with PT_MOUNT_ of what it has not. */
static inline int sys_fsmount(int fs, unsigned int attributes)
{
	return pt_sys_result(
		syscall(SYS_fsmount, fs, PT_FSMOUNT_CLOEXEC, attributes));
}

/* What is mounted below is seen nowhere else.  Linux 5.12. */
static inline int sys_mount_private(int mount)
{
	const struct {
		uint64_t set, clear, propagation, user_namespace;
	} attributes = { .propagation = PT_PROPAGATION_PRIVATE };

	return pt_sys_result(syscall(SYS_mount_setattr, mount, "",
				     PT_AT_EMPTY_PATH, &attributes,
				     sizeof(attributes)));
}

/* At once, whoever still uses it. */
static inline int sys_unmount(const char *path, int flags)
{
	return pt_sys_result(
		syscall(SYS_umount2, path, PT_UMOUNT_DETACH | flags));
}

/* A namespace of a process: PT_PIDFD_..._NAMESPACE.  Linux 6.11. */
static inline int sys_pidfd_namespace(int pidfd, unsigned int which)
{
	return pt_sys_result(syscall(SYS_ioctl, pidfd, which, 0));
}

/* trusted.* of a pidfd since Linux 6.17. */
static inline int sys_set_xattr(int fd, const char *name, const void *value,
				size_t size)
{
	return pt_sys_result(syscall(SYS_fsetxattr, fd, name, value, size, 0));
}

/* Return: its size; -ENODATA; -ERANGE if it has more than @size bytes. */
static inline int sys_get_xattr(int fd, const char *name, void *ret_value,
				size_t size)
{
	return pt_sys_result(syscall(SYS_fgetxattr, fd, name, ret_value, size));
}

static inline int sys_remove_xattr(int fd, const char *name)
{
	return pt_sys_result(syscall(SYS_fremovexattr, fd, name));
}

/* ---- descriptors ---- */

static inline int sys_close(int fd)
{
	return pt_sys_result(syscall(SYS_close, fd));
}

/* Linux 5.1. */
static inline int sys_uring_register(int ring, unsigned int opcode,
				     const void *argument, unsigned int n)
{
	return pt_sys_result(
		syscall(SYS_io_uring_register, ring, opcode, argument, n));
}

/* Linux 5.9. */
static inline int sys_close_range(unsigned int first, unsigned int last,
				  unsigned int flags)
{
	return pt_sys_result(syscall(SYS_close_range, first, last, flags));
}

/* CLONE_FILES: a copy of the table, whole. */
static inline int sys_unshare(int flags)
{
	return pt_sys_result(syscall(SYS_unshare, flags));
}

static inline int sys_open(int dir, const char *path, int flags, mode_t mode)
{
	return pt_sys_result(syscall(SYS_openat, dir, path,
				     flags | O_CLOEXEC | O_LARGEFILE, mode));
}

static inline int sys_read(int fd, void *bytes, size_t size)
{
	return pt_sys_result(syscall(SYS_read, fd, bytes, size));
}

static inline int sys_write(int fd, const void *bytes, size_t size)
{
	return pt_sys_result(syscall(SYS_write, fd, bytes, size));
}

#ifdef SYS_fcntl64
#define PT_SYS_FCNTL SYS_fcntl64
#else
#define PT_SYS_FCNTL SYS_fcntl
#endif

/* A close-on-exec copy of @fd, at @least or above. */
static inline int sys_dup_above(int fd, int least)
{
	return pt_sys_result(syscall(PT_SYS_FCNTL, fd, F_DUPFD_CLOEXEC, least));
}

/* O_ flags; PT_PIDFD_THREAD among them for a pidfd of a thread. */
static inline int sys_file_flags(int fd)
{
	return pt_sys_result(syscall(PT_SYS_FCNTL, fd, F_GETFL));
}

/* Sets FD_CLOEXEC, or clears it. */
static inline int sys_set_cloexec(int fd, bool cloexec)
{
	return pt_sys_result(
		syscall(PT_SYS_FCNTL, fd, F_SETFD, cloexec ? FD_CLOEXEC : 0));
}

/* For the loops of others: some take no descriptor that may block. */
static inline int sys_set_nonblock(int fd)
{
	return pt_sys_result(syscall(PT_SYS_FCNTL, fd, F_SETFL, O_NONBLOCK));
}

/* From its beginning; of a directory too. */
static inline int sys_rewind(int fd)
{
#ifdef SYS__llseek
	int64_t at;

	return pt_sys_result(syscall(SYS__llseek, fd, 0, 0, &at, SEEK_SET));
#else
	return pt_sys_result(syscall(SYS_lseek, fd, 0, SEEK_SET));
#endif
}

static inline int sys_inotify(void)
{
	return pt_sys_result(
		syscall(SYS_inotify_init1, IN_CLOEXEC | IN_NONBLOCK));
}

/* Its number among the watches of @inotify. */
static inline int sys_inotify_watch(int inotify, const char *path,
				    uint32_t mask)
{
	return pt_sys_result(
		syscall(SYS_inotify_add_watch, inotify, path, mask));
}

/* struct linux_dirent64: what getdents64(2) tells, one behind the other. */
struct pt_listed {
	uint64_t inode;
	int64_t offset;
	unsigned short length; /* of all of this */
	unsigned char type;    /* DT_ */
	char name[];
};

/* Linux 2.6.4. */
static inline int sys_getdents(int fd, void *ret_bytes, size_t size)
{
	return pt_sys_result(syscall(SYS_getdents64, fd, ret_bytes, size));
}

/*
 * Linux 3.17.  A file without a name, to be sealed, close-on-exec, and never to
 * be executed where that can be said: Linux 6.3.
 */
static inline int sys_memfd(const char *name)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int r;

	r = pt_sys_result(
		syscall(SYS_memfd_create, name, flags | PT_MFD_NOEXEC_SEAL));
	if (r != -EINVAL)
		return r;
	return pt_sys_result(syscall(SYS_memfd_create, name, flags));
}

static inline int sys_seal(int fd, int seals)
{
	return pt_sys_result(syscall(PT_SYS_FCNTL, fd, F_ADD_SEALS, seals));
}

/* F_SEAL_; -EINVAL if it is none that can be sealed. */
static inline int sys_seals(int fd)
{
	return pt_sys_result(syscall(PT_SYS_FCNTL, fd, F_GET_SEALS));
}

/* FD_CLOEXEC, or 0. */
static inline int sys_cloexec(int fd)
{
	return pt_sys_result(syscall(PT_SYS_FCNTL, fd, F_GETFD));
}

static inline int sys_dup3(int from, int to, int flags)
{
	return pt_sys_result(syscall(SYS_dup3, from, to, flags));
}

static inline struct statx_timestamp pt_sys_time(struct timespec time)
{
	return (struct statx_timestamp){
		.tv_sec = time.tv_sec,
		.tv_nsec = (uint32_t)time.tv_nsec,
	};
}

/* As much of it as we ask for. */
static inline int sys_fstatat(int dir, const char *path, int flags,
			      struct statx *ret_found)
{
	struct stat found;
	int r = pt_sys_result(fstatat(dir, path, &found, flags));

	if (r < 0)
		return r;
	*ret_found = (struct statx){
		.stx_mode = (uint16_t)found.st_mode,
		.stx_nlink = (uint32_t)found.st_nlink,
		.stx_uid = found.st_uid,
		.stx_ino = found.st_ino,
		.stx_size = (uint64_t)found.st_size,
		.stx_mtime = pt_sys_time(found.st_mtim),
		.stx_ctime = pt_sys_time(found.st_ctim),
		.stx_dev_major = major(found.st_dev),
		.stx_dev_minor = minor(found.st_dev),
	};
	return 0;
}

/*
 * Linux 4.11.  Container runtimes whose seccomp profile is older than that
 * refuse it, with EPERM, and let the older call through.  On 32-bit machines
 * libc asks by this one first, and goes on only at ENOSYS.
 *
 * @wanted: STATX_..., the least that is to be found out
 */
static inline int sys_statx(int dir, const char *path, int flags,
			    unsigned int wanted, struct statx *ret_found)
{
	int r = pt_sys_result(
		syscall(SYS_statx, dir, path, flags, wanted, ret_found));

	return r == -ENOSYS || r == -EPERM ?
		       sys_fstatat(dir, path, flags, ret_found) :
		       r;
}

#define PT_STATX_IDENTITY (STATX_INO | STATX_TYPE)

/* The inode number of what @fd is open on. */
static inline int sys_inode(int fd, uint64_t *ret_inode)
{
	struct statx found;
	int r = sys_statx(fd, "", PT_AT_EMPTY_PATH, PT_STATX_IDENTITY, &found);

	if (r >= 0)
		*ret_inode = found.stx_ino;
	return r;
}

/* The same of a path, links followed. */
static inline int sys_path_inode(const char *path, uint64_t *ret_inode)
{
	struct statx found;
	int r = sys_statx(AT_FDCWD, path, 0, PT_STATX_IDENTITY, &found);

	if (r >= 0)
		*ret_inode = found.stx_ino;
	return r;
}

/* And of what has the name in a directory, be it a link; its S_IFMT too. */
static inline int sys_name(int dir, const char *name, uint64_t *ret_inode,
			   uint32_t *ret_type)
{
	struct statx found;
	int r = sys_statx(dir, name, AT_SYMLINK_NOFOLLOW, PT_STATX_IDENTITY,
			  &found);

	if (r >= 0) {
		*ret_inode = found.stx_ino;
		*ret_type = found.stx_mode & S_IFMT;
	}
	return r;
}

/* The same of a path, links followed. */
static inline int sys_path_file(const char *path, struct statx *ret_found)
{
	return sys_statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, ret_found);
}

/* Of what has the name in a directory, be it a link. */
static inline int sys_file_at(int dir, const char *name,
			      struct statx *ret_found)
{
	return sys_statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
			 ret_found);
}

/* Kind, size and times of what @fd is open on. */
static inline int sys_file(int fd, struct statx *ret_found)
{
	return sys_statx(fd, "", PT_AT_EMPTY_PATH, STATX_BASIC_STATS,
			 ret_found);
}

static inline int sys_fstatfs(int fd, struct statfs *ret_statfs)
{
	return pt_sys_result(fstatfs(fd, ret_statfs));
}

/*
 * Whether it is a file of pidfs, whose inode is of one process alone: a pidfd
 * of Linux 6.9 or later.  Return: 1, 0; or why it cannot be told.
 */
static inline int sys_on_pidfs(int fd)
{
	struct statfs fs;
	int r = sys_fstatfs(fd, &fs);

	return r < 0 ? r : (uint64_t)fs.f_type == PT_PIDFS_MAGIC;
}

static inline int sys_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	return pt_sys_result(poll(fds, n, timeout_ms));
}

static inline int sys_fsync(int fd)
{
	return pt_sys_result(syscall(SYS_fsync, fd));
}

/* For it alone, by whatever descriptors; -EAGAIN while another has it. */
static inline int sys_lock(int fd)
{
	return pt_sys_result(syscall(SYS_flock, fd, LOCK_EX | LOCK_NB));
}

/* Also what fork() has copied meanwhile. */
static inline int sys_unlock(int fd)
{
	return pt_sys_result(syscall(SYS_flock, fd, LOCK_UN));
}

/*
 * For this process alone, and for no child of fork(): until any descriptor that
 * it has of the file is closed; -EAGAIN, -EACCES while another has it.
 */
static inline int sys_lock_record(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return pt_sys_result(fcntl(fd, F_SETLK, &whole));
}

static inline int sys_fchmod(int fd, mode_t mode)
{
	return pt_sys_result(syscall(SYS_fchmod, fd, mode));
}

static inline int sys_unlink(int dir, const char *name)
{
	return pt_sys_result(syscall(SYS_unlinkat, dir, name, 0));
}

static inline int sys_mkdir(const char *path, mode_t mode)
{
	return pt_sys_result(syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

static inline int sys_rmdir(const char *path)
{
	return pt_sys_result(
		syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR));
}

/* A second name; of a link itself, where it is one. */
static inline int sys_link(int dir, const char *from, const char *to)
{
	return pt_sys_result(syscall(SYS_linkat, dir, from, dir, to, 0));
}

/* Linux 3.15; -EINVAL where the file system knows none of @flags. */
static inline int sys_rename(int dir, const char *from, const char *to,
			     unsigned int flags)
{
	return pt_sys_result(syscall(SYS_renameat2, dir, from, dir, to, flags));
}

/*
 * Whether there is something now; without libc's cancellation.  A signal that
 * interrupts it does so when it has looked, and found nothing.
 */
static inline int sys_ppoll_now(struct pollfd *fd)
{
	struct timespec now = { 0, 0 };
	int r = pt_sys_result(syscall(SYS_ppoll, fd, 1, &now, NULL, 0));

	return r == -EINTR ? 0 : r;
}

/* The same for at most @ms milliseconds. */
static inline int sys_ppoll_for(struct pollfd *fd, int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	return pt_sys_result(syscall(SYS_ppoll, fd, 1, &time, NULL, 0));
}

/* Of AF_UNIX, and never waited for by libc. */
static inline int sys_socket(int type)
{
	return pt_sys_result(syscall(SYS_socket, AF_UNIX,
				     type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

static inline int sys_connect(int socket, const void *address, size_t size)
{
	return pt_sys_result(syscall(SYS_connect, socket, address, size));
}

/* 0 if there is one; -ENOTCONN. */
static inline int sys_peer(int socket)
{
	struct sockaddr_storage name;
	socklen_t size = sizeof(name);

	return pt_sys_result(syscall(SYS_getpeername, socket, &name, &size));
}

/* Two ends of datagrams. */
static inline int sys_socketpair(int ret_ends[2])
{
	return pt_sys_result(syscall(
		SYS_socketpair, AF_UNIX,
		SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_ends));
}

/* Who listened where @socket is connected to, when that began. */
static inline int sys_peer_user(int socket, uid_t *ret_uid)
{
	struct ucred ucred;
	socklen_t size = sizeof(ucred);
	int r = pt_sys_result(syscall(SYS_getsockopt, socket, SOL_SOCKET,
				      SO_PEERCRED, &ucred, &size));

	if (r >= 0)
		*ret_uid = ucred.uid;
	return r;
}

static inline int sys_sendmsg(int socket, const struct msghdr *message)
{
	return pt_sys_result(
		syscall(SYS_sendmsg, socket, message, MSG_NOSIGNAL));
}

static inline int sys_recvmsg(int socket, struct msghdr *message)
{
	return pt_sys_result(
		syscall(SYS_recvmsg, socket, message, MSG_CMSG_CLOEXEC));
}

static inline int sys_epoll_new(void)
{
	return pt_sys_result(syscall(SYS_epoll_create1, EPOLL_CLOEXEC));
}

static inline int sys_epoll_ctl(int epoll, int op, int fd, uint32_t events,
				uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	return pt_sys_result(syscall(SYS_epoll_ctl, epoll, op, fd, &event));
}

static inline int sys_epoll_wait(int epoll, struct epoll_event *ret_events,
				 int n)
{
	return pt_sys_result(syscall(SYS_epoll_pwait, epoll, ret_events, n, 0,
				     NULL, sizeof(uint64_t)));
}

/* For @timeout_ms, with the signals of @mask blocked; bit n-1: signal n. */
static inline int sys_epoll_wait_masked(int epoll,
					struct epoll_event *ret_event,
					int timeout_ms, const uint64_t *mask)
{
	return pt_sys_result(syscall(SYS_epoll_pwait, epoll, ret_event, 1,
				     timeout_ms, mask, sizeof(*mask)));
}

static inline int sys_pipe(int *ret_read, int *ret_write)
{
	int fds[2], r;

	r = pt_sys_result(syscall(SYS_pipe2, fds, O_CLOEXEC));
	if (r < 0)
		return r;
	*ret_read = fds[0];
	*ret_write = fds[1];
	return 0;
}

static inline int sys_eventfd(void)
{
	return pt_sys_result(
		syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
}

static inline int sys_timerfd(void)
{
	return pt_sys_result(syscall(SYS_timerfd_create, CLOCK_MONOTONIC,
				     TFD_CLOEXEC | TFD_NONBLOCK));
}

/* Every @ms milliseconds; 0 stops it. */
static inline int sys_timerfd_set(int fd, long ms)
{
	struct timespec every = { ms / 1000, ms % 1000 * 1000000 };
	struct itimerspec spec = { every, every };

	return pt_sys_result(timerfd_settime(fd, 0, &spec, NULL));
}

/* Once, at @ns of CLOCK_MONOTONIC; 0 stops it. */
static inline int sys_timerfd_at(int fd, int64_t ns)
{
	struct itimerspec spec = {
		.it_value = { ns / 1000000000, ns % 1000000000 },
	};

	return pt_sys_result(
		timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL));
}

static inline int64_t sys_clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* CLOCK_MONOTONIC. */
static inline int64_t sys_now_ns(void)
{
	return sys_clock_ns(CLOCK_MONOTONIC);
}

/* ---- memory ---- */

static inline int sys_map(size_t size, int flags, void **ret_memory)
{
	void *memory;

	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS,
		      -1, 0);
	pt_sys_calls++;
	if (memory == MAP_FAILED || !memory)
		return errno > 0 ? -errno : -ENOMEM;
	*ret_memory = memory;
	return 0;
}

/* No access at all. */
static inline int sys_protect(void *memory, size_t size)
{
	return pt_sys_result(mprotect(memory, size, PROT_NONE));
}

/* What is not used stays free, where one page could have been a huge one. */
static inline void sys_small_pages(void *memory, size_t size)
{
	pt_sys_calls++;
	madvise(memory, size, MADV_NOHUGEPAGE);
}

static inline void sys_unmap(void *memory, size_t size)
{
	pt_sys_calls++;
	munmap(memory, size);
}

/* Private memory that is all zero in a child of fork().  Linux 4.14. */
static inline int sys_map_wiped(size_t size, int flags, void **ret_memory)
{
	void *memory = NULL;
	int r;

	r = sys_map(size, MAP_PRIVATE | flags, &memory);
	if (!memory)
		return r;
	r = pt_sys_result(madvise(memory, size, PT_MADV_WIPEONFORK));
	if (r < 0)
		sys_unmap(memory, size);
	else
		*ret_memory = memory;
	return r;
}

#endif
