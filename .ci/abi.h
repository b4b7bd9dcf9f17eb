/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef PIDTRACK_H
#define PIDTRACK_H 
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#ifdef __cplusplus
extern "C" {
#endif
#define PIDTRACK_VERSION "0.1.0"
struct pidtrack;
struct pidtrack_process;
const char *pidtrack_version(void);
struct pidtrack_options {
 uint32_t size;
 uint32_t flags;
 const char *pins;
 uint32_t orphans;
 uint32_t orphan_time_ms;
 const char *store;
};
enum pidtrack_orphans {
 PIDTRACK_ORPHANS_LEAVE = 0,
 PIDTRACK_ORPHANS_COLLECT,
 PIDTRACK_ORPHANS_DESCENDANTS,
 PIDTRACK_ORPHANS_ASK,
};
#define PIDTRACK_THREAD (UINT32_C(1) << 0)
#define PIDTRACK_STORE_SERVICE "$NOTIFY_SOCKET"
#define PIDTRACK_OPTIONS(...) \
 { \
  .size = sizeof(struct pidtrack_options), __VA_ARGS__ \
 }
int pidtrack_new(const struct pidtrack_options *options,
   struct pidtrack **ret_tracker);
struct pidtrack *pidtrack_free(struct pidtrack *tracker);
int pidtrack_fd(const struct pidtrack *tracker);
const char *pidtrack_backend(const struct pidtrack *tracker);
struct pidtrack_statistics {
 uint64_t tracked;
 uint64_t exits;
 uint64_t recovered;
 uint64_t unknown;
 uint64_t wakeups;
 uint64_t syscalls;
 uint64_t rearmed;
 uint64_t unwatched;
 uint64_t unrecorded;
 uint64_t orphans;
};
int pidtrack_statistics(struct pidtrack *tracker,
   struct pidtrack_statistics *ret_statistics,
   size_t size);
struct pidtrack_fd_map {
 int32_t child_fd;
 int32_t fd;
};
#define PIDTRACK_FD_NULL (-1)
struct pidtrack_rlimit {
 uint32_t resource;
 uint32_t reserved;
 uint64_t soft;
 uint64_t hard;
};
struct pidtrack_spawn_options {
 uint32_t size;
 uint32_t flags;
 uint64_t namespaces;
 uint64_t signal_mask;
 uint64_t signal_ignore;
 const char *const *argv;
 const char *const *envp;
 const char *program;
 const char *cwd;
 const struct pidtrack_fd_map *fds;
 const struct pidtrack_rlimit *rlimits;
 const gid_t *groups;
 const char *caps;
 const char *label;
 const char *record;
 const void *payload;
 uint32_t n_fds;
 uint32_t n_rlimits;
 uint32_t n_groups;
 uint32_t payload_size;
 int32_t program_fd;
 int32_t cgroup_fd;
 int32_t pgid;
 int32_t parent_death_signal;
 uint32_t uid;
 uint32_t gid;
 uint32_t umask;
 uint32_t reserved;
};
#define PIDTRACK_SPAWN_DETACHED (UINT32_C(1) << 0)
#define PIDTRACK_SPAWN_BOUND (UINT32_C(1) << 1)
#define PIDTRACK_SPAWN_SETSID (UINT32_C(1) << 2)
#define PIDTRACK_SPAWN_PGID (UINT32_C(1) << 3)
#define PIDTRACK_SPAWN_INTO_CGROUP (UINT32_C(1) << 4)
#define PIDTRACK_SPAWN_PROGRAM_FD (UINT32_C(1) << 5)
#define PIDTRACK_SPAWN_UID (UINT32_C(1) << 6)
#define PIDTRACK_SPAWN_GID (UINT32_C(1) << 7)
#define PIDTRACK_SPAWN_GROUPS (UINT32_C(1) << 8)
#define PIDTRACK_SPAWN_UMASK (UINT32_C(1) << 9)
#define PIDTRACK_SPAWN_NO_NEW_PRIVS (UINT32_C(1) << 10)
#define PIDTRACK_SPAWN_RECORD_SYNC (UINT32_C(1) << 11)
#define PIDTRACK_SPAWN_EXIT_RECORD (UINT32_C(1) << 12)
#define PIDTRACK_SPAWN_KEEP (UINT32_C(1) << 13)
#define PIDTRACK_SPAWN_OPTIONS(...) \
 { \
  .size = sizeof(struct pidtrack_spawn_options), __VA_ARGS__ \
 }
enum pidtrack_stage {
 PIDTRACK_STAGE_NONE = 0,
 PIDTRACK_STAGE_OPTIONS,
 PIDTRACK_STAGE_RESERVE,
 PIDTRACK_STAGE_CLONE,
 PIDTRACK_STAGE_FDS,
 PIDTRACK_STAGE_SESSION,
 PIDTRACK_STAGE_CGROUP,
 PIDTRACK_STAGE_LIMITS,
 PIDTRACK_STAGE_RECORD,
 PIDTRACK_STAGE_IDS,
 PIDTRACK_STAGE_CAPS,
 PIDTRACK_STAGE_CWD,
 PIDTRACK_STAGE_BIND,
 PIDTRACK_STAGE_SIGNALS,
 PIDTRACK_STAGE_EXEC,
 PIDTRACK_STAGE_KEEP,
};
const char *pidtrack_stage_name(uint32_t stage);
int pidtrack_spawn(struct pidtrack *tracker,
     const struct pidtrack_spawn_options *options,
     struct pidtrack_process **ret_process,
     uint32_t *reterr_stage);
#define PIDTRACK_ATTACH_OBSERVE (UINT32_C(1) << 0)
int pidtrack_attach(struct pidtrack *tracker, pid_t pid, uint64_t inode,
      uint32_t flags, struct pidtrack_process **ret_process);
int pidtrack_attach_pidfd(struct pidtrack *tracker, int pidfd, uint32_t flags,
     struct pidtrack_process **ret_process);
enum pidtrack_event_kind {
 PIDTRACK_EXITED = 1,
 PIDTRACK_REAPED,
 PIDTRACK_STOPPED,
 PIDTRACK_CONTINUED,
 PIDTRACK_ESCALATED,
 PIDTRACK_STOP_TIMED_OUT,
 PIDTRACK_STOP_DONE,
 PIDTRACK_ORPHAN,
};
enum pidtrack_source {
 PIDTRACK_SOURCE_UNKNOWN = 0,
 PIDTRACK_SOURCE_WAITED,
 PIDTRACK_SOURCE_RECOVERED,
};
struct pidtrack_event {
 uint32_t kind;
 uint32_t flags;
 int32_t status;
 uint32_t source;
 struct pidtrack_process *process;
 int32_t signal;
 uint32_t reached;
 int32_t pid;
 int32_t pidfd;
};
#define PIDTRACK_EVENT_LAST (UINT32_C(1) << 0)
#define PIDTRACK_EVENT_UNRECORDED (UINT32_C(1) << 1)
const char *pidtrack_event_name(uint32_t kind);
const char *pidtrack_source_name(uint32_t source);
int pidtrack_next(struct pidtrack *tracker,
    const struct pidtrack_event **ret_event);
int pidtrack_wait(struct pidtrack *tracker, int timeout_ms,
    const struct pidtrack_event **ret_event);
struct pidtrack_process *
pidtrack_process_free(struct pidtrack_process *process);
pid_t pidtrack_process_pid(const struct pidtrack_process *process);
int pidtrack_process_pidfd(const struct pidtrack_process *process);
const char *pidtrack_process_label(const struct pidtrack_process *process);
int pidtrack_process_set_payload(struct pidtrack_process *process,
     const void *payload, size_t size);
const void *pidtrack_process_payload(const struct pidtrack_process *process,
         size_t *ret_size);
void pidtrack_process_set_userdata(struct pidtrack_process *process,
       void *userdata);
void *pidtrack_process_userdata(const struct pidtrack_process *process);
enum pidtrack_state {
 PIDTRACK_STATE_RUNNING = 1,
 PIDTRACK_STATE_EXITED,
 PIDTRACK_STATE_REAPED,
};
int pidtrack_process_state(struct pidtrack_process *process);
const char *pidtrack_state_name(uint32_t state);
int pidtrack_process_status(struct pidtrack_process *process, int *ret_status);
int pidtrack_process_signal(struct pidtrack_process *process, int signal);
struct pidtrack_stop_step {
 int32_t signal;
 uint32_t time_ms;
};
struct pidtrack_stop_options {
 uint32_t size;
 uint32_t flags;
 const struct pidtrack_stop_step *steps;
 uint32_t n_steps;
 int32_t cgroup_fd;
};
#define PIDTRACK_STOP_GROUP (UINT32_C(1) << 0)
#define PIDTRACK_STOP_TREE (UINT32_C(1) << 1)
#define PIDTRACK_STOP_CGROUP (UINT32_C(1) << 2)
#define PIDTRACK_STOP_OPTIONS(...) \
 { \
  .size = sizeof(struct pidtrack_stop_options), __VA_ARGS__ \
 }
int pidtrack_process_stop(struct pidtrack_process *process,
     const struct pidtrack_stop_options *options);
int pidtrack_process_notify(struct pidtrack_process *process, uint32_t kinds);
enum pidtrack_binding {
 PIDTRACK_BINDING_NONE = 0,
 PIDTRACK_BINDING_PARENT_DEATH,
 PIDTRACK_BINDING_AUTOKILL,
};
int pidtrack_process_binding(const struct pidtrack_process *process);
#define PIDTRACK_FINGERPRINT_MAX 640
int pidtrack_process_fingerprint(struct pidtrack_process *process,
     char *ret_text, size_t size);
enum pidtrack_verdict {
 PIDTRACK_VERDICT_SAME = 1,
 PIDTRACK_VERDICT_EXITED,
 PIDTRACK_VERDICT_REUSED,
 PIDTRACK_VERDICT_GONE,
 PIDTRACK_VERDICT_OTHER_BOOT,
 PIDTRACK_VERDICT_UNPROVEN,
};
#define PIDTRACK_EVIDENCE_BOOT (UINT32_C(1) << 0)
#define PIDTRACK_EVIDENCE_PID (UINT32_C(1) << 1)
#define PIDTRACK_EVIDENCE_START (UINT32_C(1) << 2)
#define PIDTRACK_EVIDENCE_INODE (UINT32_C(1) << 3)
#define PIDTRACK_EVIDENCE_EXE (UINT32_C(1) << 4)
#define PIDTRACK_EVIDENCE_PIN (UINT32_C(1) << 5)
struct pidtrack_comparison {
 uint32_t verdict;
 uint32_t evidence;
 const char *reason;
};
const char *pidtrack_verdict_name(uint32_t verdict);
const char *pidtrack_evidence_name(uint32_t evidence);
int pidtrack_process_compare(struct pidtrack_process *process, const char *text,
        struct pidtrack_comparison *ret_comparison,
        size_t size);
enum pidtrack_record_format {
 PIDTRACK_RECORD_NATIVE = 1,
 PIDTRACK_RECORD_FINGERPRINT,
 PIDTRACK_RECORD_BOXLITE,
 PIDTRACK_RECORD_BROOD_BOX,
 PIDTRACK_RECORD_PID,
 PIDTRACK_RECORD_EXIT,
 PIDTRACK_RECORD_PIN,
};
const char *pidtrack_record_format_name(uint32_t format);
#define PIDTRACK_RECORD_MAX 4096
struct pidtrack_record;
int pidtrack_record_read(const char *path, struct pidtrack_record **ret_record);
int pidtrack_record_parse(const void *bytes, size_t size,
     struct pidtrack_record **ret_record);
struct pidtrack_record *pidtrack_record_free(struct pidtrack_record *record);
uint32_t pidtrack_record_format(const struct pidtrack_record *record);
pid_t pidtrack_record_pid(const struct pidtrack_record *record);
const char *pidtrack_record_fingerprint(const struct pidtrack_record *record);
const char *pidtrack_record_label(const struct pidtrack_record *record);
const char *pidtrack_record_capability(const struct pidtrack_record *record);
const char *pidtrack_record_exe(const struct pidtrack_record *record);
const void *pidtrack_record_payload(const struct pidtrack_record *record,
        size_t *ret_size);
int pidtrack_verify(struct pidtrack *tracker,
      const struct pidtrack_record *record,
      struct pidtrack_comparison *ret_comparison, size_t size);
#define PIDTRACK_ATTACH_LEGACY (UINT32_C(1) << 1)
int pidtrack_attach_record(struct pidtrack *tracker,
      const struct pidtrack_record *record, uint32_t flags,
      struct pidtrack_process **ret_process,
      struct pidtrack_comparison *ret_comparison,
      size_t size);
struct pidtrack_record_options {
 uint32_t size;
 uint32_t flags;
 const char *path;
 const char *label;
 const void *payload;
 uint32_t payload_size;
 uint32_t reserved;
};
#define PIDTRACK_RECORD_SYNC (UINT32_C(1) << 0)
#define PIDTRACK_RECORD_WITH_EXIT (UINT32_C(1) << 1)
#define PIDTRACK_RECORD_OPTIONS(...) \
 { \
  .size = sizeof(struct pidtrack_record_options), __VA_ARGS__ \
 }
int pidtrack_process_record(struct pidtrack_process *process,
       const struct pidtrack_record_options *options);
struct pidtrack_ending {
 int32_t status;
 uint32_t source;
 int64_t started_ns;
 int64_t ended_ns;
};
int pidtrack_record_ending(const struct pidtrack_record *record,
      struct pidtrack_ending *ret_ending, size_t size);
int pidtrack_ending_read(const char *path, const struct pidtrack_record *record,
    struct pidtrack_ending *ret_ending, size_t size);
int pidtrack_record_remove(const char *path,
      const struct pidtrack_record *record);
struct pidtrack_registry;
#define PIDTRACK_REGISTRY_FOLLOW (UINT32_C(1) << 0)
int pidtrack_registry_open(const char *path, uint32_t flags,
      struct pidtrack_registry **ret_registry);
struct pidtrack_registry *
pidtrack_registry_free(struct pidtrack_registry *registry);
int pidtrack_registry_fd(const struct pidtrack_registry *registry);
enum pidtrack_change {
 PIDTRACK_FOUND = 1,
 PIDTRACK_CHANGED,
 PIDTRACK_REMOVED,
};
const char *pidtrack_change_name(uint32_t change);
struct pidtrack_found {
 uint32_t change;
 int32_t error;
 const char *name;
 const struct pidtrack_record *record;
 const struct pidtrack_comparison *comparison;
};
int pidtrack_registry_next(struct pidtrack_registry *registry,
      struct pidtrack *tracker,
      const struct pidtrack_found **ret_found);
struct pidtrack_recovery;
struct pidtrack_recovered {
 struct pidtrack_process *process;
 const struct pidtrack_comparison *comparison;
 int32_t error;
 uint32_t reserved;
 const char *name;
 const char *label;
 const char *fingerprint;
 const void *payload;
 size_t payload_size;
};
int pidtrack_recovery_next(struct pidtrack_recovery *recovery,
      const struct pidtrack_recovered **ret_recovered);
int pidtrack_recover(struct pidtrack *tracker,
       struct pidtrack_recovery **ret_recovery);
int pidtrack_process_keep(struct pidtrack_process *process);
int pidtrack_handoff_prepare(struct pidtrack *tracker, int *ret_fd);
int pidtrack_handoff_cancel(struct pidtrack *tracker);
int pidtrack_handoff_resume(struct pidtrack *tracker, int fd,
       struct pidtrack_recovery **ret_recovery);
struct pidtrack_recovery *
pidtrack_recovery_free(struct pidtrack_recovery *recovery);
enum pidtrack_feature {
 PIDTRACK_FEATURE_CLONE3 = 0,
 PIDTRACK_FEATURE_CLONE_INTO_CGROUP,
 PIDTRACK_FEATURE_CLONE_AUTOKILL,
 PIDTRACK_FEATURE_CLOSE_RANGE,
 PIDTRACK_FEATURE_PIDFD_OPEN,
 PIDTRACK_FEATURE_PIDFD_WAIT,
 PIDTRACK_FEATURE_RING,
 PIDTRACK_FEATURE_RING_WAITID,
 PIDTRACK_FEATURE_PIDFS,
 PIDTRACK_FEATURE_HANDLE,
 PIDTRACK_FEATURE_HANDLE_OPEN,
 PIDTRACK_FEATURE_INFO,
 PIDTRACK_FEATURE_EXIT_INFO,
 PIDTRACK_FEATURE_PIN,
 PIDTRACK_FEATURE_XATTR,
 PIDTRACK_FEATURE_PROC,
};
int pidtrack_feature_probe(uint32_t feature);
const char *pidtrack_feature_name(uint32_t feature);
const char *pidtrack_feature_linux(uint32_t feature);
const char *pidtrack_feature_loss(uint32_t feature);
#ifdef __cplusplus
}
#endif
#endif
#if 0 /* the map */
PIDTRACK_0.1 {
global:
	pidtrack_attach;
	pidtrack_attach_pidfd;
	pidtrack_attach_record;
	pidtrack_backend;
	pidtrack_change_name;
	pidtrack_ending_read;
	pidtrack_event_name;
	pidtrack_evidence_name;
	pidtrack_fd;
	pidtrack_feature_linux;
	pidtrack_feature_loss;
	pidtrack_feature_name;
	pidtrack_feature_probe;
	pidtrack_free;
	pidtrack_handoff_cancel;
	pidtrack_handoff_prepare;
	pidtrack_handoff_resume;
	pidtrack_new;
	pidtrack_next;
	pidtrack_process_binding;
	pidtrack_process_compare;
	pidtrack_process_fingerprint;
	pidtrack_process_free;
	pidtrack_process_keep;
	pidtrack_process_label;
	pidtrack_process_notify;
	pidtrack_process_payload;
	pidtrack_process_pid;
	pidtrack_process_pidfd;
	pidtrack_process_record;
	pidtrack_process_set_payload;
	pidtrack_process_set_userdata;
	pidtrack_process_signal;
	pidtrack_process_state;
	pidtrack_process_status;
	pidtrack_process_stop;
	pidtrack_process_userdata;
	pidtrack_record_capability;
	pidtrack_record_ending;
	pidtrack_record_exe;
	pidtrack_record_fingerprint;
	pidtrack_record_format;
	pidtrack_record_format_name;
	pidtrack_record_free;
	pidtrack_record_label;
	pidtrack_record_parse;
	pidtrack_record_payload;
	pidtrack_record_pid;
	pidtrack_record_read;
	pidtrack_record_remove;
	pidtrack_recover;
	pidtrack_recovery_free;
	pidtrack_recovery_next;
	pidtrack_registry_fd;
	pidtrack_registry_free;
	pidtrack_registry_next;
	pidtrack_registry_open;
	pidtrack_source_name;
	pidtrack_spawn;
	pidtrack_stage_name;
	pidtrack_state_name;
	pidtrack_statistics;
	pidtrack_verdict_name;
	pidtrack_verify;
	pidtrack_version;
	pidtrack_wait;
local:
	*;
};
#endif
